//! The version 2 keys of `info`: the file tree (BEP 52).
//! It never recurses, and never looks outside `info`.

use bencode::{Dict, Value};

use super::files::{Attributes, Paths, link_target};
use crate::error::{Error, ErrorKind};
use crate::fields::{Fields, Place};
use crate::file::{File, FileKind};
use crate::layout::{BLOCK_LEN, MAX_PIECES};
use crate::merkle::Digest;
use crate::warnings::Warnings;

const TREE: &str = "file tree";

/// The version 2 half of a torrent.
pub(super) struct V2 {
    pub(super) files: Vec<TreeFile>,
    pub(super) multi_file: bool,
    pub(super) piece_count: u32,
}

/// A file of the tree.
pub(super) struct TreeFile {
    pub(super) file: File,
    /// The root of its merkle tree; `None` if it is empty.
    pub(super) root: Option<Digest>,
    /// How many pieces it has.
    pub(super) pieces: u32,
}

/// Reads `file tree`. The files lie under `name` when there are several, or when `listed` says
/// that the version 1 half has them there.
pub(super) fn read(
    info: Fields<'_>,
    name: &[u8],
    piece_length: u32,
    listed: bool,
    warnings: &mut Warnings,
) -> Result<V2, Error> {
    if !piece_length.is_power_of_two() || piece_length < BLOCK_LEN {
        let what = format!("{piece_length} is not a power of two of at least {BLOCK_LEN}");
        return Err(info.error(ErrorKind::BadValue, "piece length", what));
    }
    let value = info.required(TREE, info.get(TREE))?;
    let root = value.dict().ok_or_else(|| info.error(ErrorKind::WrongType, TREE, NOT_A_DICT))?;
    // The order of the tree is the order of the bytes, so it must not be in doubt.
    if !value.is_canonical() {
        return Err(info.error(ErrorKind::BadValue, TREE, "keys out of order or repeated"));
    }
    let multi_file = listed || !is_single(root.clone());
    let mut walk = Walk {
        info,
        paths: Paths::new(if multi_file { name } else { b"" }),
        open: vec![root],
        components: Vec::new(),
        files: Vec::new(),
        piece_length,
        piece_count: 0,
        warnings,
    };
    walk.run()?;
    if walk.files.is_empty() {
        return Err(info.error(ErrorKind::BadValue, TREE, "no files"));
    }
    Ok(V2 { files: walk.files, multi_file, piece_count: walk.piece_count })
}

const NOT_A_DICT: &str = "not a dictionary";

/// Whether the tree is one file and nothing else.
fn is_single(mut root: Dict<'_>) -> bool {
    let first = root.next();
    first.is_some_and(|(_, node)| node.get("").is_some()) && root.next().is_none()
}

/// A walk through the tree, depth first.
struct Walk<'t, 'n, 'w> {
    info: Fields<'t>,
    paths: Paths<'n>,
    /// What is left of each folder on the way to the current one.
    open: Vec<Dict<'t>>,
    /// The names on the way to the current folder; one fewer than `open`.
    components: Vec<&'t [u8]>,
    files: Vec<TreeFile>,
    piece_length: u32,
    piece_count: u32,
    warnings: &'w mut Warnings,
}

impl<'t> Walk<'t, '_, '_> {
    fn run(&mut self) -> Result<(), Error> {
        while let Some(folder) = self.open.last_mut() {
            if let Some((name, node)) = folder.next() {
                self.node(name, node)?;
            } else {
                self.open.pop();
                self.components.pop();
            }
        }
        Ok(())
    }

    /// A node below the current folder: a file is entered, a folder becomes the current one.
    fn node(&mut self, name: &'t [u8], node: Value<'t>) -> Result<(), Error> {
        let wrong = |what| Err(self.info.error(ErrorKind::BadValue, TREE, what));
        if name.is_empty() {
            return wrong("a file that is also a folder, or the root");
        }
        let Some(mut inside) = node.dict() else {
            return Err(self.info.error(ErrorKind::WrongType, TREE, NOT_A_DICT));
        };
        self.components.push(name);
        if let Some(file) = node.get("") {
            // In canonical order the empty key is the first, so there must be no second.
            if inside.nth(1).is_some() {
                return wrong("a file that is also a folder");
            }
            let file = self.file(file)?;
            self.files.push(file);
            self.components.pop();
        } else {
            self.open.push(inside);
        }
        Ok(())
    }

    fn file(&mut self, value: Value<'t>) -> Result<TreeFile, Error> {
        let fields = Fields::new(value, Place::TreeFile(self.files.len()))?;
        let attributes = Attributes::read(fields, self.warnings);
        if attributes.kind == FileKind::Padding {
            return Err(fields.error(ErrorKind::BadValue, "attr", "padding has no place here"));
        }
        let length = attributes.length(fields, self.warnings)?;
        let root = match length {
            0 => None,
            _ => Some(fields.required("pieces root", fields.hash("pieces root")?)?),
        };
        let (path, renamed_from) = self
            .paths
            .join(&self.components)
            .map_err(|(kind, what)| fields.error(kind, "path", what))?;
        let pieces = length.div_ceil(u64::from(self.piece_length));
        let pieces = u32::try_from(pieces).ok().filter(|n| self.count(*n)).ok_or_else(|| {
            let what = format!("more than the limit of {MAX_PIECES} pieces");
            fields.error(ErrorKind::TooLarge, "length", what)
        })?;
        self.piece_count += pieces;
        let file = File {
            path,
            renamed_from,
            length,
            kind: attributes.kind,
            executable: attributes.executable,
            target: link_target(fields, attributes.kind),
        };
        Ok(TreeFile { file, root, pieces })
    }

    /// Whether that many more pieces are within the limit.
    fn count(&self, more: u32) -> bool {
        more <= MAX_PIECES - self.piece_count
    }
}
