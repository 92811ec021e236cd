//! A file as a torrent lists it.
//! It never holds a path that has not been sanitised.

use std::path::Path;

/// A file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub(crate) path: String,
    pub(crate) renamed_from: Option<String>,
    pub(crate) length: u64,
    pub(crate) kind: FileKind,
    pub(crate) executable: bool,
}

/// What a file of a torrent is (BEP 47).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// Bytes that belong on disk.
    Regular,
    /// Zeros that fill a piece up. They are hashed, and peers may ask us for them; they are never
    /// asked for and never written.
    Padding,
    /// A link, of length 0. It is never created.
    Symlink,
}

impl File {
    /// Where the file goes, below the target folder: relative, with `/`, safe to create. It
    /// begins with the torrent's name in the multi-file form. The paths of regular files are
    /// distinct, also where case or Unicode normalisation don't count.
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// [`path`](Self::path) as text, safe to show.
    pub fn path_str(&self) -> &str {
        &self.path
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What sort of file it is.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Whether the torrent marks it as a program.
    pub fn is_executable(&self) -> bool {
        self.executable
    }

    /// What the torrent calls it, if that could not stay: made safe to show, and cut short when
    /// very long.
    pub fn renamed_from(&self) -> Option<&str> {
        self.renamed_from.as_deref()
    }
}
