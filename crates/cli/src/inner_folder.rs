//! The hint for a `-d` that names the content's own folder, where the folder above it is meant. It only
//! looks at names and lengths of a few files.

use std::path::Path;

use metainfo::{FileKind, Metainfo};

use crate::text;

/// Files that are looked for. One that is there with its length is reason enough for a hint.
const MAX_LOOKED_FOR: usize = 16;

/// What to tell the user when the files of a torrent are not below `dir`, but are right in it.
pub(crate) fn hint(dir: &Path, torrent: &Metainfo) -> Option<String> {
    if !torrent.is_multi_file() {
        return None;
    }
    let regular = torrent.files().iter().filter(|file| file.kind() == FileKind::Regular);
    let looked_for: Vec<_> =
        regular.filter(|file| file.length() > 0).take(MAX_LOOKED_FOR).collect();
    let is_file = |path: &Path, length| {
        dir.join(path).metadata().is_ok_and(|found| found.is_file() && found.len() == length)
    };
    if looked_for.iter().any(|file| is_file(file.path(), file.length())) {
        return None;
    }
    let without_folder = |path: &Path| path.components().skip(1).collect::<std::path::PathBuf>();
    let found = looked_for.iter().any(|file| is_file(&without_folder(file.path()), file.length()));
    if !found {
        return None;
    }
    let (dir, name) = (text::path(dir), text::escape(torrent.name()));
    Some(format!(
        "the files lie in {dir} itself; give -d the folder above, in which \"{name}\" is the torrent's own"
    ))
}
