//! Whether the target file system can hold a torrent's files: their lengths, and the lengths of their
//! paths. It asks the system what it is and tries nothing out, so nothing is left behind. Names that
//! can't be there are for `disk_names` to replace.

use std::io;
use std::path::{Component, Path};

use rustix::fs::statvfs;

use crate::error::{Error, ErrorKind};
use crate::spec::{FileSpec, Spec};
use crate::sys::{self, Rules};

#[cfg(test)]
mod tests;

/// Refuses a torrent whose files the target can't hold, in one message: what the first of them is
/// refused for, and how many more there are.
pub(crate) fn check(spec: &Spec) -> Result<(), Error> {
    let limits = Limits {
        longest_name: file_system(spec.root())?.f_namemax,
        longest_path: sys::LONGEST_PATH,
        rules: sys::rules(existing(spec.root())),
    };
    let root = std::path::absolute(spec.root()).unwrap_or_else(|_| spec.root().to_owned());
    let on_disk = spec.files().iter().enumerate().filter(|(_, file)| file.on_disk);
    let mut refused = on_disk.filter_map(|(index, file)| {
        limits.refuse(&root, file, spec.layout().file_len(index)).map(|problem| (file, problem))
    });
    let Some((file, (kind, why))) = refused.next() else { return Ok(()) };
    let others = match refused.count() {
        0 => String::new(),
        1 => " (and one more file)".into(),
        more => format!(" (and {more} more files)"),
    };
    let path = spec.root().join(&file.path);
    Err(Error::new(kind, &path, format!("{why}{others}; choose another folder")))
}

/// What one file system can hold.
struct Limits {
    /// Bytes in a name; 0 if it does not say.
    longest_name: u64,
    /// Bytes in a whole path.
    longest_path: usize,
    rules: Rules,
}

impl Limits {
    /// Why the file can't be there, if it can't.
    fn refuse(&self, root: &Path, file: &FileSpec, len: u64) -> Option<(ErrorKind, String)> {
        let Self { longest_name, longest_path, rules } = self;
        let names = || {
            file.path.components().filter_map(|part| match part {
                Component::Normal(name) => Some(name),
                _ => None,
            })
        };
        if *longest_name > 0 && names().any(|name| name.len() as u64 > *longest_name) {
            let why =
                format!("a name is longer than the {longest_name} bytes its file system holds");
            return Some((ErrorKind::NameTooLong, why));
        }
        // One more for the slash between.
        if root.as_os_str().len() + 1 + file.path.as_os_str().len() > *longest_path {
            let why = format!("the path is longer than the {longest_path} bytes programs can open");
            return Some((ErrorKind::NameTooLong, why));
        }
        (len > rules.largest).then(|| {
            let why = format!("{} can't hold a file of {len} bytes", rules.name);
            (ErrorKind::TooLarge, why)
        })
    }
}

/// What is known of the file system of `folder`.
pub(crate) fn file_system(folder: &Path) -> Result<rustix::fs::StatVfs, Error> {
    statvfs(existing(folder))
        .map_err(|errno| Error::io("look at the file system", folder, &errno.into()))
}

/// The folder itself, or where it does not exist yet its nearest parent that does.
pub(crate) fn existing(folder: &Path) -> &Path {
    let absent = |path: &Path| path.metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    let named = |path| if path == Path::new("") { Path::new(".") } else { path };
    folder.ancestors().map(named).find(|path| !absent(path)).unwrap_or(Path::new("."))
}
