//! Typed reading of a dictionary's keys, with errors that name the key.
//! It knows no key of a torrent; it never quotes what the torrent says.

use std::fmt;

use bencode::{List, Value};

use crate::error::{Error, ErrorKind};
use crate::warnings::Warnings;

/// A dictionary of a torrent and where it stands, for the wording of errors.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'t> {
    value: Value<'t>,
    place: Place,
}

/// Where a dictionary stands in a torrent.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// The torrent itself.
    Torrent,
    /// The value of `info`.
    Info,
    /// One of the entries of `info.files`, counted from 0.
    File(usize),
    /// The description of a file in `info.file tree`, counted from 0 in the order of the tree.
    TreeFile(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torrent => f.write_str("the torrent"),
            Self::Info => f.write_str("info"),
            Self::File(index) => write!(f, "info.files[{index}]"),
            Self::TreeFile(index) => write!(f, "info.file tree, file {index}"),
        }
    }
}

impl<'t> Fields<'t> {
    /// The value must be a dictionary.
    pub(crate) fn new(value: Value<'t>, place: Place) -> Result<Self, Error> {
        if value.dict().is_none() {
            return Err(Error::new(ErrorKind::WrongType, format!("{place}: not a dictionary")));
        }
        Ok(Self { value, place })
    }

    pub(crate) fn get(self, key: &str) -> Option<Value<'t>> {
        self.value.get(key)
    }

    pub(crate) fn int(self, key: &str) -> Result<Option<i64>, Error> {
        self.typed(key, "an integer", Value::as_int)
    }

    pub(crate) fn bytes(self, key: &str) -> Result<Option<&'t [u8]>, Error> {
        self.typed(key, "a string", Value::as_bytes)
    }

    pub(crate) fn list(self, key: &str) -> Result<Option<List<'t>>, Error> {
        self.typed(key, "a list", Value::list)
    }

    /// A key that holds `N` bytes.
    pub(crate) fn hash<const N: usize>(self, key: &str) -> Result<Option<[u8; N]>, Error> {
        self.typed(key, &format!("a string of {N} bytes"), |value| {
            value.as_bytes()?.try_into().ok()
        })
    }

    /// What `read` found; an error when the key was not there.
    pub(crate) fn required<T>(self, key: &str, found: Option<T>) -> Result<T, Error> {
        found.ok_or_else(|| self.error(ErrorKind::Missing, key, "missing"))
    }

    /// What `read` makes of a key that nothing depends on. A value it can't make anything of is left out
    /// with a warning that says it is not `name`.
    pub(crate) fn optional<T>(
        self,
        key: &str,
        name: &str,
        warnings: &mut Warnings,
        read: impl FnOnce(Value<'t>) -> Option<T>,
    ) -> Option<T> {
        let found = read(self.get(key)?);
        if found.is_none() {
            self.ignored(key, format_args!("not {name}"), warnings);
        }
        found
    }

    /// Warns that a key is left out.
    pub(crate) fn ignored(self, key: &str, why: impl fmt::Display, warnings: &mut Warnings) {
        warnings.add(|| self.line(key, format_args!("ignored, {why}")));
    }

    /// An error that names this dictionary and the key.
    pub(crate) fn error(self, kind: ErrorKind, key: &str, what: impl fmt::Display) -> Error {
        Error::new(kind, self.line(key, what))
    }

    fn line(self, key: &str, what: impl fmt::Display) -> String {
        match self.place {
            Place::Torrent => format!("{key}: {what}"),
            place => format!("{place}.{key}: {what}"),
        }
    }

    /// What `read` makes of the key; an error when that is nothing, which says it is not `name`.
    pub(crate) fn typed<T>(
        self,
        key: &str,
        name: &str,
        read: impl FnOnce(Value<'t>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match read(value) {
            Some(found) => Ok(Some(found)),
            None => Err(self.error(ErrorKind::WrongType, key, format_args!("not {name}"))),
        }
    }
}
