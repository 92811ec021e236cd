//! The one place where a name that a stranger wrote becomes safe to create or to show.
//! It never touches a file system, and it knows nothing of torrents.
//!
//! Two answers are possible for a path component. What can only be an attempt to leave the target
//! folder is *refused*: `..`, separators that make a path of it, a drive, NUL. What is merely
//! impossible or dangerous to look at is *renamed*, always the same way.
//!
//! Characters that only Windows forbids (`?`, `*`, `:` inside a name) stay: they are common in
//! real torrents, and files that other clients made are to be found again under their names.

use std::borrow::Cow;
use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// The longest component, in bytes: what ext4, XFS, Btrfs, APFS and NTFS can hold.
pub const MAX_COMPONENT_LEN: usize = 255;

/// What stands for a character that can't stay.
const SUBSTITUTE: char = '_';

/// The longest ending that counts as an extension when a name is shortened, in bytes with its dot.
const MAX_EXTENSION_LEN: usize = 17;

/// Names that Windows keeps for devices, whatever extension follows.
const DEVICES: [&str; 7] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];

/// Why a component was refused; the text ends a sentence that begins with the key's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Parent,
    Separator,
    Drive,
    Nul,
}

impl Refused {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Parent => "a component is \"..\"",
            Self::Separator => "a component holds a path of its own",
            Self::Drive => "a component begins with a drive letter",
            Self::Nul => "a component holds a NUL byte",
        }
    }
}

/// One component of a path, made safe to create: valid UTF-8 of 1 to [`MAX_COMPONENT_LEN`] bytes,
/// without separators, control or direction-changing characters, and not a name that a common
/// file system can't hold. Borrowed when nothing had to change.
pub(crate) fn component(raw: &[u8]) -> Result<Cow<'_, str>, Refused> {
    refuse(raw)?;
    let mut name = String::from_utf8_lossy(raw);
    // Most names are plain ASCII, and there are millions of them: one quick look at those.
    let plain = raw.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\');
    if !plain && name.contains(is_forbidden) {
        name = Cow::Owned(name.replace(is_forbidden, "_"));
    }
    match name.as_ref() {
        "" | "." => return Ok(Cow::Borrowed("_")),
        _ => {}
    }
    if is_device(&name) {
        name.to_mut().insert(0, SUBSTITUTE);
    }
    if name.len() > MAX_COMPONENT_LEN {
        name = Cow::Owned(shorten(&name, MAX_COMPONENT_LEN));
    }
    if name.ends_with(['.', ' ']) {
        let name = name.to_mut();
        name.pop();
        name.push(SUBSTITUTE);
    }
    Ok(name)
}

fn refuse(raw: &[u8]) -> Result<(), Refused> {
    if raw.contains(&0) {
        return Err(Refused::Nul);
    }
    if let [letter, b':', ..] = raw
        && letter.is_ascii_alphabetic()
    {
        return Err(Refused::Drive);
    }
    // A backslash is an ordinary character where we run, so a name may hold one (it is renamed);
    // where it is a separator, these are the forms that would leave the folder.
    if raw.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| part == b"..") {
        return Err(Refused::Parent);
    }
    if raw.contains(&b'/') || raw.starts_with(b"\\") {
        return Err(Refused::Separator);
    }
    Ok(())
}

/// Characters that no name keeps: controls, separators, and what stands for invalid UTF-8.
fn is_forbidden(c: char) -> bool {
    c == '\\' || c == char::REPLACEMENT_CHARACTER || is_unprintable(c)
}

/// Characters that change what a terminal does or shows rather than appearing in it: controls,
/// line and paragraph separators, and everything that turns the direction of text.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        )
}

/// `CON`, `nul.txt`, `com1.tar.gz`: Windows looks at what is before the first dot.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    let mut chars = stem.chars();
    let (tail, head) = (chars.next_back(), chars.as_str());
    let numbered = head.eq_ignore_ascii_case("COM") || head.eq_ignore_ascii_case("LPT");
    DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device))
        || (numbered && matches!(tail, Some('0'..='9' | '¹' | '²' | '³')))
}

/// Splits a name into its stem and its extension with the dot; a leading dot begins no extension,
/// and an ending too long to be one is part of the stem.
pub(crate) fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION_LEN => name.split_at(dot),
        _ => (name, ""),
    }
}

/// At most `len` bytes of the name, keeping its extension and whole characters.
fn shorten(name: &str, len: usize) -> String {
    let (stem, extension) = split_extension(name);
    format!("{}{extension}", truncate(stem, len.saturating_sub(extension.len())))
}

/// At most `len` bytes from the start, whole characters only.
pub(crate) fn truncate(text: &str, len: usize) -> &str {
    let end = text.floor_char_boundary(len);
    text.get(..end).unwrap_or(text)
}

/// Text that a stranger wrote, made safe to show: every character that would control the terminal
/// or turn the direction of the text is written as an escape (`\u{1b}`, `\n`). Anything else is
/// left as it is.
///
/// ```
/// use metainfo::sanitise_for_terminal;
///
/// assert_eq!(sanitise_for_terminal("plain ünïcode"), "plain ünïcode");
/// assert_eq!(sanitise_for_terminal("\x1b[2J evil\u{202e}gpj.exe"), r"\u{1b}[2J evil\u{202e}gpj.exe");
/// ```
pub fn sanitise_for_terminal(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unprintable(c) {
            // Writing to a String can't fail.
            let _ = write!(safe, "{}", c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// The longest original path that is kept to be shown, in bytes.
const MAX_SHOWN_LEN: usize = 1024;

/// A path as the torrent has it, safe to show and not too long for that.
pub(crate) fn original<'a>(components: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut shown = String::new();
    for (index, raw) in components.into_iter().enumerate() {
        if index > 0 {
            shown.push('/');
        }
        shown.push_str(&sanitise_for_terminal(&String::from_utf8_lossy(raw)));
        if shown.len() > MAX_SHOWN_LEN {
            return format!("{}…", truncate(&shown, MAX_SHOWN_LEN));
        }
    }
    shown
}
