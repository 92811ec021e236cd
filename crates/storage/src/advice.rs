//! What the system's errors mean for somebody who wants to go on: the system's words without their
//! number, and what to do. It decides nothing.

use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// What went wrong in the system's words, and what to do about it where there is something to do: as in
/// `Permission denied; change the permissions or choose another place`.
pub fn explain(error: &io::Error) -> String {
    let words = error.to_string();
    // The number says nothing that the words do not.
    let words = words.split(" (os error").next().unwrap_or_default();
    match advice(error) {
        Some(advice) => format!("{words}; {advice}"),
        None => words.to_owned(),
    }
}

/// What to do about an error of the system; `None` where that would be a guess.
fn advice(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match error.kind() {
        Kind::NotFound => "check the path",
        Kind::PermissionDenied => "change the permissions or choose another place",
        Kind::ReadOnlyFilesystem => "choose a place that can be written to",
        Kind::StorageFull => "make room and start again",
        Kind::QuotaExceeded => "your share of the disk is used up; make room and start again",
        Kind::FileTooLarge if getrlimit(Resource::Fsize).current.is_some() => {
            "allow larger files (ulimit -f)"
        }
        Kind::FileTooLarge => "choose a file system that holds larger files",
        Kind::NotADirectory => {
            "a file is where a folder is needed; move it or choose another place"
        }
        Kind::IsADirectory => "a folder is where a file is needed; move it or choose another place",
        Kind::AlreadyExists => "move what is there or choose another place",
        Kind::InvalidFilename => "choose a place with a shorter path",
        Kind::TooManyLinks => "the folder is full; choose another place",
        Kind::CrossesDevices => "choose a place on the same file system",
        Kind::StaleNetworkFileHandle => "mount the network file system again",
        Kind::ResourceBusy | Kind::ExecutableFileBusy => "end the program that uses it",
        Kind::OutOfMemory => "end other programs and start again",
        _ => match error.raw_os_error().map(Errno::from_raw_os_error)? {
            Errno::MFILE => "allow more open files (ulimit -n) or run fewer torrents at once",
            Errno::NFILE => "end programs that have many files open",
            Errno::LOOP => "its links lead in a circle; mend them or choose another place",
            Errno::IO => "the disk may be failing; look into the system's log",
            Errno::NXIO | Errno::NODEV => "the disk is gone; mount it again",
            Errno::AGAIN => "end other programs and start again",
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn every_error_says_what_was_attempted_on_which_path_why_and_what_to_do() {
        let denied = ErrorKind::Denied;
        let full = ErrorKind::Full { missing: 1 };
        // What is tried, the system's answer, what kind that is, why in words, what to do.
        let table = [
            (
                "open the folder",
                Errno::NOENT,
                ErrorKind::NotFound,
                "No such file",
                "check the path",
            ),
            ("create it", Errno::ACCESS, denied, "Permission denied", "change the permissions"),
            ("create it", Errno::PERM, denied, "Operation not permitted", "change the permissions"),
            ("create the folder", Errno::ROFS, denied, "Read-only file system", "be written to"),
            ("create it", Errno::NOTDIR, ErrorKind::Unsafe, "Not a directory", "move it"),
            ("open it for writing", Errno::ISDIR, ErrorKind::Unsafe, "Is a directory", "move it"),
            ("create the folder", Errno::EXIST, ErrorKind::Io, "File exists", "move what is there"),
            (
                "create it",
                Errno::NAMETOOLONG,
                ErrorKind::NameTooLong,
                "name too long",
                "shorter path",
            ),
            ("create the folder", Errno::MLINK, ErrorKind::Io, "Too many links", "another place"),
            ("write to it", Errno::NOSPC, full, "No space left", "make room"),
            ("reserve room for it", Errno::DQUOT, full, "quota exceeded", "make room"),
            ("set its length", Errno::FBIG, ErrorKind::TooLarge, "File too large", "larger files"),
            ("write to it", Errno::IO, ErrorKind::Io, "Input/output error", "system's log"),
            ("read it", Errno::STALE, ErrorKind::Io, "Stale file handle", "mount"),
            ("sync it", Errno::NODEV, ErrorKind::Io, "No such device", "mount it again"),
            (
                "open it for reading",
                Errno::MFILE,
                ErrorKind::NoDescriptors,
                "open files",
                "ulimit -n",
            ),
            ("open it for reading", Errno::NFILE, ErrorKind::NoDescriptors, "open files", "end"),
            (
                "look at it",
                Errno::LOOP,
                ErrorKind::Unsafe,
                "symbolic links",
                "links lead in a circle",
            ),
            ("rename it", Errno::XDEV, ErrorKind::Unsafe, "cross-device link", "same file system"),
            (
                "open it for writing",
                Errno::TXTBSY,
                ErrorKind::Io,
                "Text file busy",
                "end the program",
            ),
        ];
        for (act, errno, kind, why, advice) in table {
            let error = Error::io(act, Path::new("/where/it is"), &errno.into());
            let told = error.to_string();
            assert_eq!(error.kind(), kind, "{told}");
            assert!(told.starts_with(&format!("/where/it is: cannot {act}: ")), "{told}");
            let (words, what_to_do) = told.split_once("; ").unwrap();
            assert!(words.contains(why), "{told}");
            assert!(what_to_do.contains(advice), "{told}");
            assert!(!told.contains("os error"), "{told}");
        }
    }

    #[test]
    fn an_error_that_is_not_known_is_told_in_the_systems_words_alone() {
        let error = io::Error::from_raw_os_error(Errno::PROTO.raw_os_error());
        assert_eq!(explain(&error), "Protocol error");
    }
}
