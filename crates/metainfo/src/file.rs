//! A file as a torrent lists it.
//! It never holds a path that could lead out of the folder it is put below.

use std::borrow::Cow;
use std::path::Path;

/// A file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub(crate) path: Vec<u8>,
    pub(crate) renamed_from: Option<String>,
    pub(crate) length: u64,
    pub(crate) kind: FileKind,
    pub(crate) executable: bool,
    /// What a link leads to, see `links`.
    pub(crate) target: Option<Vec<u8>>,
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
    /// A link, of length 0, to another file or a folder: see [`File::link_target`].
    Symlink,
}

impl File {
    /// What the torrent calls the file, below the target folder: relative, with `/`, of the very bytes
    /// of the torrent but for what is unsafe or too long on every system. It begins with the torrent's name in
    /// the multi-file form. The paths of regular files are distinct, and none is a folder of another.
    ///
    /// A disk may not be able to hold such a name, and a terminal must not be sent it:
    /// [`sanitise_name`](crate::sanitise_name) is for that.
    #[cfg(unix)]
    pub fn path(&self) -> &Path {
        path(&self.path)
    }

    /// The bytes of [`path`](Self::path).
    pub fn path_bytes(&self) -> &[u8] {
        &self.path
    }

    /// [`path`](Self::path) as text; what is not UTF-8 becomes U+FFFD. Not made safe to show.
    pub fn path_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path)
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What sort of file it is.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// What a link leads to: a file or folder of this torrent, in the form of [`path`](Self::path).
    /// `None` for one that leads to nothing in the torrent, and is not to be made, and for any file
    /// that is no link.
    #[cfg(unix)]
    pub fn link_target(&self) -> Option<&Path> {
        self.target.as_deref().map(path)
    }

    /// Whether the torrent marks it as a program.
    pub fn is_executable(&self) -> bool {
        self.executable
    }

    /// What the torrent calls it, if that is unsafe or another file's path: made safe to show, and cut
    /// short when very long.
    pub fn renamed_from(&self) -> Option<&str> {
        self.renamed_from.as_deref()
    }
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;

    Path::new(std::ffi::OsStr::from_bytes(bytes))
}
