//! The path `-`: stdin where something is read, stdout where something is written. Never opens either.

use std::path::Path;

use crate::{fetch, text};

/// Whether the path is `-`.
pub(crate) fn is(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What is read, for messages: a file, or a URL without its password.
pub(crate) fn input(path: &Path) -> String {
    match path.to_str().filter(|text| fetch::is_url(text)) {
        Some(url) => text::url(url),
        None if is(path) => "stdin".into(),
        None => text::path(path),
    }
}
