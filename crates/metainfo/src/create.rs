//! Making a torrent: the plan of what is to be hashed, and the bytes once that is done.
//! It never reads a file: the caller hashes what the plan's layout says.

mod info;
pub(crate) mod outer;
mod piece_length;

use bencode::encode_dict;

use crate::error::{Error, ErrorKind};
use crate::layout::{BLOCK_LEN, Layout, PieceIndex};
use crate::metainfo::{Metainfo, Version};
use crate::path;

pub use piece_length::default_piece_length;

#[cfg(test)]
mod tests;

/// The most folders a file may lie in, so that a version 2 tree stays within what decoders accept.
const MAX_FOLDERS: usize = 90;

/// A file for a new torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Folders and name, below the folder the torrent is made of: the bytes that the disk has.
    /// Torrents have no other way to hold a name that is not UTF-8.
    pub path: Vec<Vec<u8>>,
    /// Bytes.
    pub length: u64,
    /// Whether to mark it as a program (BEP 47).
    pub executable: bool,
}

/// What a new torrent says beside its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extras {
    /// Announce URLs in tiers (BEP 12).
    pub tiers: Vec<Vec<String>>,
    /// URLs of web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// A free comment.
    pub comment: Option<String>,
    /// The program that makes it.
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
    /// Peers from trackers only (BEP 27).
    pub private: bool,
    /// A tag that gives the torrent an info-hash of its own.
    pub source: Option<String>,
}

/// The files of a new torrent in their final order, and what has to be hashed.
///
/// Version 1 lays the files end to end. Version 2 and hybrid torrents begin each file with a
/// piece, so padding follows each (in a version 2 torrent only in the plan). Hash the
/// pieces of [`layout`](Self::layout): for SHA-1 all bytes, with zeros for padding; for merkle
/// roots the [`merkle_root`](crate::merkle_root) of [`width`](Self::width) over the SHA-256 of each
/// 16 KiB block, without padding. Then [`encode`](Self::encode).
///
/// ```
/// use metainfo::{Extras, Metainfo, NewFile, Plan, Version};
///
/// let file = |name: &str, length| NewFile {
///     path: vec![name.into()],
///     length,
///     executable: false,
/// };
/// let plan = Plan::folder(Version::V1, "songs", 16_384, vec![file("b", 7), file("a", 20_000)])?;
/// assert_eq!(plan.layout().piece_count(), 2);
/// let order: Vec<_> = plan.sources().collect();
/// assert_eq!(order, [Some(1), Some(0)]); // sorted
///
/// let hashes = [[1; 20], [2; 20]]; // of the two pieces
/// let torrent = plan.encode(&hashes, &[], &Extras::default())?;
/// let read = Metainfo::from_bytes(&torrent)?;
/// assert_eq!(read.files()[0].path_str(), "songs/a");
/// # Ok::<(), metainfo::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    version: Version,
    name: Vec<u8>,
    /// Whether the torrent is of a folder.
    folder: bool,
    files: Vec<Planned>,
    layout: Layout,
}

/// A file of the plan.
#[derive(Debug, Clone)]
struct Planned {
    /// Which of the given files it is; `None` for padding.
    source: Option<usize>,
    file: NewFile,
}

impl Plan {
    /// A torrent of one file, in the single-file form.
    ///
    /// # Errors
    /// When the name or the piece length won't do.
    pub fn file(
        version: Version,
        name: impl AsRef<[u8]>,
        piece_length: u32,
        length: u64,
        executable: bool,
    ) -> Result<Self, Error> {
        let file = NewFile { path: vec![name.as_ref().to_owned()], length, executable };
        Self::new(
            version,
            name.as_ref(),
            piece_length,
            false,
            vec![Planned { source: Some(0), file }],
        )
    }

    /// A torrent of a folder. The order in which the files are given does not matter.
    ///
    /// A version 2 torrent can't tell a folder with nothing but one file from the file alone.
    ///
    /// # Errors
    /// When there is no file, when a path is there twice or is a folder of another, and when a
    /// name or the piece length won't do.
    pub fn folder(
        version: Version,
        name: impl AsRef<[u8]>,
        piece_length: u32,
        files: Vec<NewFile>,
    ) -> Result<Self, Error> {
        let mut files: Vec<Planned> = files
            .into_iter()
            .enumerate()
            .map(|(index, file)| Planned { source: Some(index), file })
            .collect();
        // By components, which is also the order of a version 2 tree.
        files.sort_by(|one, other| one.file.path.cmp(&other.file.path));
        check_paths(&files)?;
        Self::new(version, name.as_ref(), piece_length, true, files)
    }

    fn new(
        version: Version,
        name: &[u8],
        piece_length: u32,
        folder: bool,
        mut files: Vec<Planned>,
    ) -> Result<Self, Error> {
        check_component(name)?;
        if version != Version::V1 {
            if !piece_length.is_power_of_two() || piece_length < BLOCK_LEN {
                return Err(Error::new(
                    ErrorKind::BadValue,
                    format!(
                        "piece length {piece_length} is not a power of two of at least {BLOCK_LEN}"
                    ),
                ));
            }
            files = padded(files, piece_length);
        }
        let lengths: Vec<u64> = files.iter().map(|planned| planned.file.length).collect();
        let is_padding = |index: usize| files.get(index).is_some_and(|file| file.source.is_none());
        let layout = Layout::new(piece_length, &lengths)?.with_padding(is_padding);
        Ok(Self { version, name: name.to_owned(), folder, files, layout })
    }

    /// Which format the torrent will have.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The geometry of what is to be hashed; its files are those of [`sources`](Self::sources).
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The layout's files in order: which of the given files each is, or `None` for padding.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = Option<usize>> + '_ {
        self.files.iter().map(|planned| planned.source)
    }

    /// Leaves of the merkle tree over this piece (version 2 and hybrid): those of a whole piece,
    /// or fewer for a file that is not longer than one.
    pub fn width(&self, piece: PieceIndex) -> u32 {
        let whole = self.layout.piece_length() / BLOCK_LEN;
        let first = self.layout.piece_spans(piece).next();
        let length = first.map_or(0, |span| self.layout.file_len(span.file));
        if length > u64::from(self.layout.piece_length()) {
            return whole;
        }
        let leaves = length.div_ceil(u64::from(BLOCK_LEN)).next_power_of_two();
        u32::try_from(leaves).map_or(whole, |leaves| leaves.min(whole))
    }

    /// The torrent file, canonical: the same plan, hashes and extras give the same bytes.
    ///
    /// `sha1` and `roots` are the hashes of the layout's pieces in order; a version 1 torrent has
    /// no `roots`, a version 2 torrent no `sha1`.
    ///
    /// # Errors
    /// When there is not one hash a piece, when a URL is none, and when the torrent would be
    /// one that this crate itself refuses to read.
    pub fn encode(
        &self,
        sha1: &[[u8; 20]],
        roots: &[[u8; 32]],
        extras: &Extras,
    ) -> Result<Vec<u8>, Error> {
        let pieces = self.layout.piece_count() as usize;
        let (want_sha1, want_roots) = match self.version {
            Version::V1 => (pieces, 0),
            Version::V2 => (0, pieces),
            Version::Hybrid => (pieces, pieces),
        };
        if sha1.len() != want_sha1 || roots.len() != want_roots {
            return Err(Error::new(
                ErrorKind::Inconsistent,
                format!(
                    "{} SHA-1 and {} merkle hashes where {want_sha1} and {want_roots} are due",
                    sha1.len(),
                    roots.len()
                ),
            ));
        }
        outer::check_urls(&extras.tiers, &extras.web_seeds)?;
        let bytes = encode_dict(|torrent| {
            outer::trackers(torrent, &extras.tiers);
            outer::web_seeds(torrent, &extras.web_seeds);
            outer::remarks(torrent, extras);
            torrent.dict("info", |info| self.info(info, sha1, roots, extras));
            if self.version != Version::V1 {
                torrent.dict("piece layers", |layers| self.layers(layers, roots));
            }
        });
        Metainfo::from_bytes(&bytes)?;
        Ok(bytes)
    }
}

/// Puts padding after each file that does not end with a piece, the last one included, so that
/// each file begins with one. A file alone gets none: the single-file form could not say so, and
/// libtorrent does the same, whose info-hashes ours are to be equal to.
fn padded(files: Vec<Planned>, piece_length: u32) -> Vec<Planned> {
    if files.len() < 2 {
        return files;
    }
    let piece_length = u64::from(piece_length);
    let mut aligned = Vec::with_capacity(files.len());
    for planned in files {
        let beyond = planned.file.length % piece_length;
        aligned.push(planned);
        if beyond > 0 {
            let length = piece_length - beyond;
            let path = vec![b".pad".to_vec(), length.to_string().into_bytes()];
            let file = NewFile { path, length, executable: false };
            aligned.push(Planned { source: None, file });
        }
    }
    aligned
}

/// A name must be such that reading leaves it as it is.
fn check_component(name: &[u8]) -> Result<(), Error> {
    if path::component(name) == name {
        return Ok(());
    }
    let shown = path::sanitise_name(name);
    let why = "a name has 1 to 255 bytes, no \"/\" and no NUL, and is neither \".\" nor \"..\"";
    let message = format!("\"{shown}\" can't be a name in a torrent: {why}");
    Err(Error::new(ErrorKind::BadValue, message))
}

/// Paths are sorted; each must be fit for a torrent and none may stand in another's way.
fn check_paths(files: &[Planned]) -> Result<(), Error> {
    let shown = |path: &[Vec<u8>]| path::original(path.iter().map(Vec::as_slice));
    if files.is_empty() {
        return Err(Error::new(ErrorKind::BadValue, "there is no file to make a torrent of"));
    }
    let mut before: &[Vec<u8>] = &[];
    for planned in files {
        let path = planned.file.path.as_slice();
        if path.is_empty() {
            return Err(Error::new(ErrorKind::BadValue, "a file without a name"));
        }
        if path.len() > MAX_FOLDERS + 1 {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("\"{}\" lies in more than {MAX_FOLDERS} folders", shown(path)),
            ));
        }
        path.iter().try_for_each(|component| check_component(component))?;
        // In this order a path comes right before what lies in it.
        if !before.is_empty() && path.starts_with(before) {
            return Err(Error::new(
                ErrorKind::Inconsistent,
                format!("\"{}\" is there twice, or lies in a file", shown(path)),
            ));
        }
        before = path;
    }
    Ok(())
}
