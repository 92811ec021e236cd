//! What storage has to know of a torrent: where its files go, how long they are, what they hash to.
//! It never touches the disk and never learns where the torrent came from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use metainfo::{Expected, FileKind, Layout, Metainfo, PieceIndex, PieceSet};

use crate::error::{Error, ErrorKind};
use crate::keep::Keep;

/// One torrent's files below a target folder, and the hashes their pieces must have.
///
/// Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Spec {
    shared: Arc<Shared>,
    allocation: Allocation,
    /// Files that are never written to, whatever the torrent calls its own.
    keep: Keep,
    follow_links: bool,
    overwrite: bool,
}

#[derive(Debug, Clone)]
struct Shared {
    root: PathBuf,
    files: Vec<FileSpec>,
    layout: Layout,
    expected: Hashes,
    selection: Option<Selection>,
    renamed: Vec<Renamed>,
    links: Vec<LinkSpec>,
}

/// What pieces must hash to, in order.
#[derive(Debug, Clone)]
enum Hashes {
    Sha1(Vec<[u8; 20]>),
    Merkle(Vec<Tree>),
}

/// What a version 2 piece must hash to (BEP 52): see [`metainfo::merkle_root`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree {
    pub(crate) root: [u8; 32],
    /// Leaves, those beyond the file's end included.
    pub(crate) width: u32,
}

/// Which part of a torrent is wanted.
#[derive(Debug, Clone)]
struct Selection {
    files: Vec<bool>,
    pieces: PieceSet,
    /// The files that are on disk when all are wanted.
    on_disk: Vec<bool>,
}

/// A file that has another name on disk than in the torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// Which file of the spec.
    pub file: usize,
    /// What the torrent calls it, relative to the target folder.
    pub named: PathBuf,
    /// Where it is, relative to the target folder.
    pub on_disk: PathBuf,
}

/// One file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Where it is, relative to the target folder.
    pub path: PathBuf,
    /// Whether bytes of it exist on disk. Those of padding files and symbolic links (BEP 47) do not:
    /// they read as zeros and what is written to them is dropped.
    pub on_disk: bool,
}

/// A symbolic link of a torrent (BEP 47), both paths as the torrent has them, relative to the target
/// folder.
#[derive(Debug, Clone)]
pub(crate) struct LinkSpec {
    pub(crate) file: usize,
    pub(crate) path: PathBuf,
    pub(crate) target: PathBuf,
}

/// How the room for a torrent's files is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Allocation {
    /// All of it before the first byte comes, so that a disk that is too small is known at once.
    #[default]
    Full,
    /// As pieces arrive: files get their length but no blocks on disk.
    Sparse,
    /// None: files are served as they are found. Nothing is made, and nothing gets its length.
    AsFound,
}

impl Spec {
    /// The files of a torrent, to be stored below `root`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a torrent without version 1 pieces.
    pub fn new(root: impl Into<PathBuf>, torrent: &Metainfo) -> Result<Self, Error> {
        let sha1 = |piece| match torrent.expected(piece) {
            Some(Expected::Sha1(hash)) => Some(hash),
            _ => None,
        };
        let hashed = torrent.layout().and_then(|layout| {
            let expected: Option<Vec<_>> = layout.pieces().map(sha1).collect();
            Some((layout.clone(), expected?))
        });
        let Some((layout, expected)) = hashed else {
            return Err(unsupported());
        };
        let files = torrent.files().iter().map(FileSpec::of).collect();
        let links = torrent.files().iter().enumerate().filter_map(LinkSpec::of).collect();
        Ok(Self::from_parts(root, files, layout, expected)?.with_links(links))
    }

    /// The same for [`verify`](crate::verify()) alone, which can do more than can be stored yet:
    /// torrents of version 2 alone too. Each of their files begins with a piece, so in this spec
    /// padding that is never on disk stands behind those that do not end with one.
    ///
    /// # Errors
    /// As [`from_parts`](Self::from_parts).
    pub fn to_verify(root: impl Into<PathBuf>, torrent: &Metainfo) -> Result<Self, Error> {
        if torrent.layout().is_some() {
            return Self::new(root, torrent);
        }
        let piece_length = u64::from(torrent.piece_length());
        let (mut files, mut lengths, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for file in torrent.files() {
            links.extend(LinkSpec::of((files.len(), file)));
            files.push(FileSpec::of(file));
            lengths.push(file.length());
            let beyond = file.length() % piece_length.max(1);
            if beyond > 0 {
                files.push(FileSpec { path: PathBuf::new(), on_disk: false });
                lengths.push(piece_length - beyond);
            }
        }
        let layout = Layout::new(torrent.piece_length(), &lengths)
            .map_err(|error| Error::plain(ErrorKind::Unsupported, error.to_string()))?
            .with_padding(|index| files.get(index).is_some_and(|file| file.path == Path::new("")));
        let tree = |piece| match torrent.expected(piece) {
            Some(Expected::Merkle { root, width }) => Some(Tree { root, width }),
            _ => None,
        };
        let trees: Option<Vec<Tree>> = layout.pieces().map(tree).collect();
        let hashes = Hashes::Merkle(trees.ok_or_else(mismatch)?);
        Ok(Self::of_hashes(root.into(), files, layout, hashes)?.with_links(links))
    }

    /// Files in the order of `layout`, to be stored below `root`, and the SHA-1 of each piece.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the counts of files or pieces do not match the layout's,
    /// [`ErrorKind::Unsafe`] when a path is empty or is not made of plain names alone.
    pub fn from_parts(
        root: impl Into<PathBuf>,
        files: Vec<FileSpec>,
        layout: Layout,
        expected: Vec<[u8; 20]>,
    ) -> Result<Self, Error> {
        Self::of_hashes(root.into(), files, layout, Hashes::Sha1(expected))
    }

    fn of_hashes(
        root: PathBuf,
        files: Vec<FileSpec>,
        layout: Layout,
        expected: Hashes,
    ) -> Result<Self, Error> {
        let hashes = match &expected {
            Hashes::Sha1(hashes) => hashes.len(),
            Hashes::Merkle(trees) => trees.len(),
        };
        if files.len() != layout.file_count() || hashes != layout.piece_count() as usize {
            return Err(mismatch());
        }
        for file in files.iter().filter(|file| file.on_disk) {
            let plain = |part| matches!(part, std::path::Component::Normal(_));
            if file.path.as_os_str().is_empty() || !file.path.components().all(plain) {
                return Err(Error::new(
                    ErrorKind::Unsafe,
                    &file.path,
                    "is not a path below the target folder",
                ));
            }
        }
        let (renamed, links) = (Vec::new(), Vec::new());
        let shared = Shared { root, files, layout, expected, selection: None, renamed, links };
        let (allocation, keep) = (Allocation::default(), Keep::default());
        Ok(Self {
            shared: Arc::new(shared),
            allocation,
            keep,
            follow_links: false,
            overwrite: false,
        })
    }

    /// The same, allocating as told.
    pub fn with_allocation(mut self, allocation: Allocation) -> Self {
        self.allocation = allocation;
        self
    }

    /// The same, refused where one of its files is one of these, by whichever path: so a torrent never
    /// overwrites the `.torrent` file it was read from.
    pub fn keeping(mut self, files: Keep) -> Self {
        self.keep = files;
        self
    }

    /// The files that are never written to.
    pub(crate) fn kept(&self) -> &Keep {
        &self.keep
    }

    /// The same, cutting files that are longer than they should be when it is opened.
    pub fn with_overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Whether files that are too long are cut.
    pub(crate) fn overwrites(&self) -> bool {
        self.overwrite
    }

    /// The same, of which only the files are wanted that `wanted` says yes to, by index.
    ///
    /// A file that is not wanted is not touched, unless a piece of it belongs to a wanted file too:
    /// then it gets its length, and of its bytes only those of such pieces; the rest are holes. That
    /// is where whole pieces can be checked and served from, and where a later download of the file
    /// goes on.
    pub fn with_selection(mut self, wanted: impl Fn(usize) -> bool) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        let files: Vec<bool> = (0..shared.files.len()).map(wanted).collect();
        let layout = &shared.layout;
        let pieces_of = |file| layout.file_pieces(file).filter_map(|index| layout.piece(index));
        let mut pieces = PieceSet::new_empty(layout.piece_count());
        for (file, _) in files.iter().enumerate().filter(|(_, wanted)| **wanted) {
            for piece in pieces_of(file) {
                pieces.insert(piece);
            }
        }
        let on_disk = match shared.selection.take() {
            Some(before) => before.on_disk,
            None => shared.files.iter().map(|file| file.on_disk).collect(),
        };
        for (index, (file, wanted)) in shared.files.iter_mut().zip(&files).enumerate() {
            file.on_disk &= *wanted || pieces_of(index).any(|piece| pieces.contains(piece));
        }
        shared.selection = Some(Selection { files, pieces, on_disk });
        self
    }

    fn with_links(mut self, links: Vec<LinkSpec>) -> Self {
        if !links.is_empty() {
            Arc::make_mut(&mut self.shared).links = links;
        }
        self
    }

    /// The symbolic links that the torrent has, in order, but for those that are not wanted.
    pub(crate) fn links(&self) -> impl Iterator<Item = &LinkSpec> {
        self.shared.links.iter().filter(|link| self.is_wanted(link.file))
    }

    /// The same with other paths for some files.
    pub(crate) fn with_paths(mut self, changed: Vec<(usize, PathBuf)>) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        for (index, path) in changed {
            let Some(file) = shared.files.get_mut(index) else { continue };
            let named = std::mem::replace(&mut file.path, path);
            shared.renamed.push(Renamed { file: index, named, on_disk: file.path.clone() });
        }
        self
    }

    /// The files that have another name on disk than in the torrent, in order; see
    /// [`locate`](crate::locate).
    pub fn renamed(&self) -> &[Renamed] {
        &self.shared.renamed
    }

    /// The file, or the folder of the files, that the torrent is below the target folder.
    pub fn content(&self) -> PathBuf {
        // Only what is on disk has the name that the folder has there.
        let files = || self.shared.files.iter().enumerate();
        let first = files().find(|(index, _)| self.is_stored(*index));
        let first = first.or_else(|| files().find(|(_, file)| !file.path.as_os_str().is_empty()));
        let top = first.map(|(_, file)| file).and_then(|file| file.path.iter().next());
        top.map_or_else(|| self.shared.root.clone(), |top| self.shared.root.join(top))
    }

    /// The pieces that hold bytes of wanted files; `None` when all of them are wanted.
    pub fn wanted_pieces(&self) -> Option<&PieceSet> {
        self.shared.selection.as_ref().map(|selection| &selection.pieces)
    }

    /// True if the whole of a file is wanted.
    pub(crate) fn is_wanted(&self, file: usize) -> bool {
        let selection = self.shared.selection.as_ref();
        selection.is_none_or(|selection| selection.files.get(file).copied().unwrap_or(false))
    }

    /// True if the file is on disk when all are wanted: it is neither padding nor a link.
    pub fn is_stored(&self, file: usize) -> bool {
        match &self.shared.selection {
            Some(selection) => selection.on_disk.get(file).copied().unwrap_or(false),
            None => self.shared.files.get(file).is_some_and(|file| file.on_disk),
        }
    }

    /// The target folder.
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// The torrent's geometry.
    pub fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    /// All files, those that never reach the disk included.
    pub fn files(&self) -> &[FileSpec] {
        &self.shared.files
    }

    /// A file's full path, for messages; the target folder for what is no file.
    pub(crate) fn path_of(&self, file: usize) -> PathBuf {
        self.files()
            .get(file)
            .map_or_else(|| self.root().to_owned(), |file| self.root().join(&file.path))
    }

    /// The same files, with symbolic links on disk followed wherever they lead, out of the target
    /// folder too: for data of the user's own.
    pub fn with_follow_links(mut self, follow: bool) -> Self {
        self.follow_links = follow;
        self
    }

    /// Whether links are followed out of the target folder.
    pub fn follows_links(&self) -> bool {
        self.follow_links
    }

    /// How room is taken.
    pub fn allocation(&self) -> Allocation {
        self.allocation
    }

    /// The SHA-1 `piece` must have; `None` for a piece the torrent does not have, and in a torrent
    /// of version 2 alone.
    pub fn expected(&self, piece: PieceIndex) -> Option<&[u8; 20]> {
        match &self.shared.expected {
            Hashes::Sha1(hashes) => hashes.get(piece.as_usize()),
            Hashes::Merkle(_) => None,
        }
    }

    /// The tree `piece` must have, in a torrent of version 2 alone.
    pub(crate) fn tree(&self, piece: PieceIndex) -> Option<&Tree> {
        match &self.shared.expected {
            Hashes::Sha1(_) => None,
            Hashes::Merkle(trees) => trees.get(piece.as_usize()),
        }
    }

    /// Whether pieces are hashed as trees: then it can be verified and not be stored.
    pub(crate) fn is_merkle(&self) -> bool {
        matches!(self.shared.expected, Hashes::Merkle(_))
    }
}

impl FileSpec {
    fn of(file: &metainfo::File) -> Self {
        Self { path: file.path().to_owned(), on_disk: file.kind() == FileKind::Regular }
    }
}

impl LinkSpec {
    fn of((file, link): (usize, &metainfo::File)) -> Option<Self> {
        let target = link.link_target()?.to_owned();
        Some(Self { file, path: link.path().to_owned(), target })
    }
}

/// The answer to a torrent of version 2 alone where only version 1 will do.
pub(crate) fn unsupported() -> Error {
    Error::plain(ErrorKind::Unsupported, "torrents of version 2 alone can't be stored yet")
}

fn mismatch() -> Error {
    let message = "the torrent's files, pieces and hashes do not match";
    Error::plain(ErrorKind::Unsupported, message)
}
