//! Opens and creates files below a target folder without ever leaving it.
//! It never follows a link that leads out, unless the user said that links are to be followed, and
//! never opens what is not a regular file.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, readlinkat, statat,
    symlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind};
use crate::links;
use crate::spec::Spec;
use crate::stamp::FileStamp;
use crate::sys::{self, FOLDER, LOOK};

/// What is said of anything that is in the place of a file and is none.
pub(crate) const IN_THE_WAY: &str =
    "is in the way: not a regular file; move it or choose another folder";

/// A target folder, held open.
pub(crate) struct Root {
    folder: OwnedFd,
    path: PathBuf,
    /// Walk component by component even where one call could do it all (for tests).
    walk: bool,
    /// Follow links wherever they lead: the user says that the data is theirs.
    follow_links: bool,
}

/// What to open a file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Like `Write`, for a file that is not there: it is made, with its folders.
    Create,
}

impl Access {
    fn flags(self) -> OFlags {
        // NONBLOCK: a FIFO in place of the file must not hang us. It means nothing to files.
        let common = OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        match self {
            Self::Read => common | OFlags::RDONLY,
            Self::Write => common | OFlags::RDWR,
            Self::Create => common | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        }
    }
}

impl Root {
    /// Opens the target folder, which the user chose: links in its own path are followed.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let folder = openat(CWD, path, FOLDER, Mode::empty())
            .map_err(|errno| Error::io("open the folder", path, &errno.into()))?;
        Ok(Self { folder, path: path.to_owned(), walk: false, follow_links: false })
    }

    /// The target folder of a torrent.
    pub(crate) fn of(spec: &Spec) -> Result<Self, Error> {
        Ok(Self { follow_links: spec.follows_links(), ..Self::open(spec.root())? })
    }

    /// Like [`of`](Self::of), after making the folder and its parents.
    pub(crate) fn create_of(spec: &Spec) -> Result<Self, Error> {
        create(spec.root())?;
        Self::of(spec)
    }

    /// Like [`open`](Self::open), after making the folder and its parents.
    #[cfg(test)]
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        create(path)?;
        Self::open(path)
    }

    /// The same folder, with links followed wherever they lead.
    #[cfg(test)]
    pub(crate) fn following(mut self) -> Self {
        self.follow_links = true;
        self
    }

    /// The same folder, with every path walked component by component.
    #[cfg(test)]
    pub(crate) fn walking(mut self) -> Self {
        self.walk = true;
        self
    }

    /// Opens a regular file below the folder.
    pub(crate) fn file(&self, relative: &Path, access: Access) -> Result<File, Error> {
        let act = match access {
            Access::Read => "open it for reading",
            Access::Write => "open it for writing",
            Access::Create => "create it",
        };
        // Less what the user's umask takes away.
        let (creates, mode) = match access {
            Access::Create => (true, Mode::from_raw_mode(0o666)),
            Access::Read | Access::Write => (false, Mode::empty()),
        };
        let mut opened = self.open_below(relative, access.flags(), mode);
        if creates && matches!(opened, Err(Errno::NOENT)) {
            self.create_folders(relative)?;
            opened = self.open_below(relative, access.flags(), mode);
        }
        if access == Access::Create && matches!(opened, Err(Errno::EXIST)) {
            return Err(self.is_there(relative));
        }
        let file = File::from(opened.map_err(|errno| self.error(act, relative, errno))?);
        let stat = fstat(&file).map_err(|errno| self.error("look at it", relative, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::new(ErrorKind::Unsafe, &self.path.join(relative), IN_THE_WAY));
        }
        Ok(file)
    }

    /// Why a file that was not there a moment ago can't be made.
    fn is_there(&self, relative: &Path) -> Error {
        let path = self.path.join(relative);
        match self.look(relative) {
            Err(error) => error,
            Ok(None) => {
                let message = "is a link that leads nowhere; remove it or choose another folder";
                Error::new(ErrorKind::Unsafe, &path, message)
            }
            Ok(Some(stat)) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                Error::new(ErrorKind::Unsafe, &path, IN_THE_WAY)
            }
            Ok(Some(_)) => {
                let message = "was made by another program just now; start again when it is done";
                Error::new(ErrorKind::Changed, &path, message)
            }
        }
    }

    /// What is at the path now, with links resolved as far as [`file`](Self::file) resolves them.
    /// `None` if there is nothing.
    pub(crate) fn look(&self, relative: &Path) -> Result<Option<Stat>, Error> {
        match self.open_below(relative, LOOK, Mode::empty()).and_then(fstat) {
            Ok(stat) => Ok(Some(stat)),
            // Nothing is called what its file system can't hold.
            Err(Errno::NOENT | Errno::INVAL | Errno::ILSEQ) => Ok(None),
            Err(errno) => Err(self.error("look at it", relative, errno)),
        }
    }

    /// How the regular file at the path looks; `None` if there is none.
    pub(crate) fn stamp(&self, relative: &Path) -> Result<Option<FileStamp>, Error> {
        let file = match self.open_below(relative, LOOK, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::INVAL | Errno::ILSEQ) => return Ok(None),
            Err(errno) => return Err(self.error("look at it", relative, errno)),
        };
        let stat = fstat(&file).map_err(|errno| self.error("look at it", relative, errno))?;
        let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        Ok(is_regular.then(|| FileStamp::of(&stat, sys::born(&file))))
    }

    /// Makes a symbolic link, and the folders it lies in. False if something is there already.
    ///
    /// No link is followed on the way: below one, a relative link would lead elsewhere than it should.
    pub(crate) fn make_link(&self, relative: &Path, text: &Path) -> Result<bool, Error> {
        let failed = |errno| match errno {
            Errno::LOOP => Error::new(
                ErrorKind::LinkOut,
                &self.path.join(relative),
                "a link of the torrent, is not made below another link",
            ),
            errno => self.error("make this link", relative, errno),
        };
        self.create_folders(relative)?;
        let parent = relative.parent().unwrap_or(Path::new(""));
        let folder = self.open_walking(parent, FOLDER, Mode::empty()).map_err(failed)?;
        match symlinkat(text, folder, relative.file_name().unwrap_or_default()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// The text of the symbolic link at the path; `None` if there is something else. An error if there is
    /// nothing.
    pub(crate) fn link_text(&self, relative: &Path) -> Result<Option<PathBuf>, Error> {
        let failed = |errno| self.error("look at it", relative, errno);
        let parent = relative.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = self.open_below(parent.unwrap_or(Path::new(".")), FOLDER, Mode::empty());
        let name = relative.file_name().unwrap_or_default();
        match readlinkat(folder.map_err(failed)?, name, Vec::new()) {
            Ok(text) => Ok(Some(OsString::from_vec(text.into_bytes()).into())),
            Err(Errno::INVAL) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Whether it is on a local file system.
    pub(crate) fn is_local(&self) -> bool {
        sys::is_local(&self.folder)
    }

    /// Makes the change of a folder's entries durable: the folder `relative` (empty for the target
    /// folder itself).
    pub(crate) fn sync_folder(&self, relative: &Path) -> Result<(), Error> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        self.open_below(relative, flags, Mode::empty())
            .and_then(rustix::fs::fsync)
            .map_err(|errno| self.error("sync the folder", relative, errno))
    }

    fn error(&self, act: &str, relative: &Path, errno: Errno) -> Error {
        if !self.follow_links && matches!(errno, Errno::XDEV | Errno::LOOP) {
            return links::refused(&self.path, relative);
        }
        Error::io(act, &self.path.join(relative), &errno.into())
    }

    fn create_folders(&self, relative: &Path) -> Result<(), Error> {
        let Some(folders) = relative.parent() else { return Ok(()) };
        let mut made = PathBuf::new();
        let mut parent = None;
        for component in folders.components() {
            let name = component.as_os_str();
            made.push(name);
            let within = parent.as_ref().unwrap_or(&self.folder);
            let mut opened = self.open_below(&made, FOLDER, Mode::empty());
            if matches!(opened, Err(Errno::NOENT)) {
                match mkdirat(within, name, Mode::from_raw_mode(0o777)) {
                    // Another process may have been quicker.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(self.error("create the folder", &made, errno)),
                }
                opened = self.open_below(&made, FOLDER, Mode::empty());
            }
            parent = Some(opened.map_err(|errno| self.error("open the folder", &made, errno))?);
        }
        Ok(())
    }

    fn open_below(
        &self,
        relative: &Path,
        flags: OFlags,
        mode: Mode,
    ) -> rustix::io::Result<OwnedFd> {
        if self.follow_links {
            return openat(&self.folder, relative, flags, mode);
        }
        let at_once = if self.walk {
            None
        } else {
            sys::open_beneath(self.folder.as_fd(), relative, flags, mode)
        };
        at_once.unwrap_or_else(|| self.open_walking(relative, flags, mode))
    }

    /// The same where the kernel can't check the way itself: stricter, since no link at all is
    /// followed.
    fn open_walking(
        &self,
        relative: &Path,
        flags: OFlags,
        mode: Mode,
    ) -> rustix::io::Result<OwnedFd> {
        let mut names: Vec<&OsStr> = Vec::new();
        for component in relative.components() {
            match component {
                Component::Normal(name) => names.push(name),
                Component::CurDir => {}
                _ => return Err(Errno::XDEV),
            }
        }
        let last = names.pop().unwrap_or(OsStr::new("."));
        let mut parent: Option<OwnedFd> = None;
        for name in names {
            let within = parent.as_ref().unwrap_or(&self.folder);
            refuse_link(within, name)?;
            parent = Some(openat(within, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?);
        }
        let within = parent.as_ref().unwrap_or(&self.folder);
        refuse_link(within, last)?;
        openat(within, last, flags | OFlags::NOFOLLOW, mode)
    }
}

fn create(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|error| Error::io("create the folder", path, &error))
}

/// Names a link as the reason of a failure. It is `NOFOLLOW` that protects, without a race.
fn refuse_link(folder: &OwnedFd, name: &OsStr) -> rustix::io::Result<()> {
    let is_link = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    if is_link { Err(Errno::LOOP) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
