//! What a name has to be for a file system to hold it, and what becomes of one that it can't hold:
//! always the same, so that the next start finds the file again. It never looks at a disk.

use std::borrow::Cow;

use metainfo::{MAX_COMPONENT_LEN, SameName, is_unprintable, separate_paths, shorten_name};

#[cfg(test)]
mod tests;

/// What stands for a character that can't stay.
const SUBSTITUTE: u8 = b'_';

/// Names that Windows keeps for devices, whatever extension follows.
const DEVICES: [&str; 7] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];

/// Which names a file system holds. None holds one that is longer than it says, and no file is given
/// a new name with control or direction-changing characters, wherever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameRules {
    /// ASCII characters that no name may have, besides those that no system takes.
    pub(crate) forbidden: &'static [u8],
    /// Only UTF-8.
    pub(crate) utf8: bool,
    /// As Windows has it: no dot or space at the end, no device.
    pub(crate) windows: bool,
    /// Names that differ in case only are one.
    pub(crate) ignores_case: bool,
    /// The longest name, in bytes.
    pub(crate) longest: usize,
}

impl NameRules {
    /// Those of most file systems.
    pub(crate) const UNIX: Self = Self {
        forbidden: b"",
        utf8: false,
        windows: false,
        ignores_case: false,
        longest: MAX_COMPONENT_LEN,
    };

    /// Those of file systems that Windows reads too.
    pub(crate) const WINDOWS: Self = Self {
        forbidden: b"\"*:<>?|\\",
        utf8: true,
        windows: true,
        ignores_case: true,
        longest: MAX_COMPONENT_LEN,
    };

    /// What versions up to 0.1 of this program held to on every disk. Files that they made are to be
    /// found again, so this never changes.
    pub(crate) const EARLIER: Self = Self {
        forbidden: b"\\",
        utf8: true,
        windows: true,
        ignores_case: true,
        longest: MAX_COMPONENT_LEN,
    };

    /// Which names are one name.
    pub(crate) fn same(&self) -> SameName {
        if self.ignores_case { SameName::Folded } else { SameName::Bytes }
    }

    /// What becomes of a whole path; `None` if it can stay.
    pub(crate) fn fit_path(&self, path: &[u8]) -> Option<Vec<u8>> {
        let names = || path.split(|byte| *byte == b'/').map(|name| self.fit(name));
        if names().all(|name| matches!(name, Cow::Borrowed(_))) {
            return None;
        }
        Some(names().collect::<Vec<_>>().join(&b'/'))
    }

    /// What becomes of a name; borrowed if it can stay.
    pub(crate) fn fit<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        // Most names are plain ASCII, and there are millions of them: one quick look at those.
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !self.forbidden.contains(byte);
        let mut fit = Cow::Borrowed(name);
        if !name.iter().all(plain) {
            let replaced = self.replace(name);
            if replaced != name {
                fit = Cow::Owned(replaced);
            }
        }
        if self.windows && is_device(&fit) {
            fit.to_mut().insert(0, SUBSTITUTE);
        }
        if fit.len() > self.longest {
            fit = Cow::Owned(shorten_name(&fit, self.longest));
        }
        if self.windows && fit.last().is_some_and(|byte| matches!(byte, b'.' | b' ')) {
            let fit = fit.to_mut();
            fit.pop();
            fit.push(SUBSTITUTE);
        }
        fit
    }

    fn replace(&self, name: &[u8]) -> Vec<u8> {
        let forbidden = |c: char| u8::try_from(c).is_ok_and(|byte| self.forbidden.contains(&byte));
        // It is what others put in the place of what is not UTF-8.
        let unknown = |c| self.utf8 && c == char::REPLACEMENT_CHARACTER;
        let mut replaced = Vec::with_capacity(name.len());
        for chunk in name.utf8_chunks() {
            for c in chunk.valid().chars() {
                if is_unprintable(c) || forbidden(c) || unknown(c) {
                    replaced.push(SUBSTITUTE);
                } else {
                    replaced.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            match (self.utf8, chunk.invalid()) {
                (true, [_, ..]) => replaced.push(SUBSTITUTE),
                (_, bytes) => replaced.extend_from_slice(bytes),
            }
        }
        replaced
    }
}

/// `CON`, `nul.txt`, `com1.tar.gz`: Windows looks at what is before the first dot.
fn is_device(name: &[u8]) -> bool {
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or(name).trim_ascii_end();
    let Ok(stem) = std::str::from_utf8(stem) else { return false };
    let mut chars = stem.chars();
    let (tail, head) = (chars.next_back(), chars.as_str());
    let numbered = head.eq_ignore_ascii_case("COM") || head.eq_ignore_ascii_case("LPT");
    DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device))
        || (numbered && matches!(tail, Some('0'..='9' | '¹' | '²' | '³')))
}

/// What paths become for files that are made anew: each of those that have to change, by its index.
/// A file whose own name can stay keeps it before another takes it.
pub(crate) fn new_paths(paths: &[&[u8]], rules: &NameRules) -> Vec<Option<Vec<u8>>> {
    let fit: Vec<Option<Vec<u8>>> = paths.iter().map(|path| rules.fit_path(path)).collect();
    if !rules.ignores_case && fit.iter().all(Option::is_none) {
        return fit;
    }
    let stays = |path: &[u8]| {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        matches!(rules.fit(name), Cow::Borrowed(_))
    };
    let (stay, change): (Vec<usize>, Vec<usize>) =
        (0..fit.len()).partition(|index| paths.get(*index).is_some_and(|path| stays(path)));
    separated(paths, fit, &[stay, change].concat(), rules)
}

/// What earlier versions of this program called the files, as [`new_paths`]. They went by the order of
/// the torrent alone.
pub(crate) fn earlier_paths(paths: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let rules = NameRules::EARLIER;
    let fit = paths.iter().map(|path| rules.fit_path(path)).collect();
    let order: Vec<usize> = (0..paths.len()).collect();
    separated(paths, fit, &order, &rules)
}

/// Numbers those of the paths that meet, in this order.
fn separated(
    paths: &[&[u8]],
    mut fit: Vec<Option<Vec<u8>>>,
    order: &[usize],
    rules: &NameRules,
) -> Vec<Option<Vec<u8>>> {
    let path = |index: &usize| match fit.get(*index) {
        Some(Some(changed)) => changed.as_slice(),
        _ => paths.get(*index).copied().unwrap_or_default(),
    };
    let ordered: Vec<&[u8]> = order.iter().map(path).collect();
    for (at, renamed) in separate_paths(&ordered, rules.same(), rules.longest) {
        if let Some(slot) = order.get(at).and_then(|index| fit.get_mut(*index)) {
            *slot = Some(renamed);
        }
    }
    fit
}
