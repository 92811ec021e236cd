//! Reads files that are no torrent's data: whatever lies where one is expected, nothing waits for it. It
//! never opens a FIFO, a device or a socket, of which the first would have to be waited for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use crate::descriptors::with_descriptors;

/// Opens a regular file for reading, links followed. Waits for a descriptor, as [`with_descriptors`] does.
///
/// # Errors
/// When it is not there or can't be opened, and when it is something else.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Before it is opened: that alone does something to some devices.
    if !path.metadata()?.is_file() {
        return Err(not_regular());
    }
    // It may have been replaced in between: NONBLOCK means nothing to files.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = with_descriptors(|| Ok(open(path, flags, Mode::empty())?));
    let file = File::from(opened?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

/// The bytes of a regular file.
///
/// # Errors
/// As [`open_regular`]; when it is longer than `most` bytes, and when it can't be read.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let message = format!("longer than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "bytes").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(read_regular(&path(name), 5).unwrap(), b"bytes");
            let long = read_regular(&path(name), 4).unwrap_err();
            assert_eq!(long.to_string(), "longer than 4 bytes");
        }
        mknodat(CWD, path("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        std::os::unix::fs::symlink("fifo", path("link to fifo")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        let others = ["fifo", "link to fifo", "socket", "folder"].map(path);
        for other in others.iter().map(std::path::PathBuf::as_path).chain([Path::new("/dev/zero")])
        {
            let error = read_regular(other, 5).unwrap_err();
            assert_eq!(error.to_string(), "not a regular file", "{}", other.display());
        }
        assert_eq!(read_regular(&path("none"), 5).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
