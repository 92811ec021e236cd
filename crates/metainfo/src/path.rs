//! What becomes of a name that a stranger wrote: one path component that no system can take for more
//! than that, and text that a terminal only shows. It never touches a file system, and it knows
//! nothing of torrents.
//!
//! A component keeps its very bytes, but for what is unsafe on every system. Whether the disk at hand
//! can hold the rest is for the one to decide that knows the disk.

use std::borrow::Cow;
use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// The longest component, in bytes: what ext4, XFS, Btrfs, APFS and NTFS can hold.
pub const MAX_COMPONENT_LEN: usize = 255;

/// What stands for a byte or a name that can't stay.
const SUBSTITUTE: u8 = b'_';

/// The longest ending that counts as an extension when a name is shortened, in bytes with its dot.
const MAX_EXTENSION_LEN: usize = 17;

/// One component of a path, made safe on every system: 1 to [`MAX_COMPONENT_LEN`] bytes without `/`
/// and NUL, and neither `.` nor `..`. Borrowed when nothing had to change.
pub(crate) fn component(raw: &[u8]) -> Cow<'_, [u8]> {
    if raw.is_empty() || goes_nowhere(raw) {
        return Cow::Borrowed(&[SUBSTITUTE]);
    }
    let mut name = Cow::Borrowed(raw);
    if raw.iter().any(is_unsafe) {
        for byte in name.to_mut().iter_mut().filter(|byte| is_unsafe(byte)) {
            *byte = SUBSTITUTE;
        }
    }
    if name.len() > MAX_COMPONENT_LEN {
        name = Cow::Owned(shorten_name(&name, MAX_COMPONENT_LEN));
    }
    name
}

/// A component that means another folder and is no name: `.` and `..`. In a path it is left out.
pub(crate) fn goes_nowhere(raw: &[u8]) -> bool {
    matches!(raw, b"." | b"..")
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "a filter of bytes")]
fn is_unsafe(byte: &u8) -> bool {
    matches!(byte, b'/' | 0)
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

/// Splits a name into its stem and its extension with the dot; a leading dot begins no extension,
/// and an ending too long to be one is part of the stem.
pub(crate) fn split_extension(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION_LEN => name.split_at(dot),
        _ => (name, b""),
    }
}

/// At most `len` bytes of a name. It keeps its extension and, where it is UTF-8, whole characters.
pub fn shorten_name(name: &[u8], len: usize) -> Vec<u8> {
    let (stem, extension) = split_extension(name);
    if extension.len() >= len {
        return truncate(name, len).to_owned();
    }
    [truncate(stem, len - extension.len()), extension].concat()
}

/// At most `len` bytes from the start, whole characters only where they are UTF-8.
pub(crate) fn truncate(text: &[u8], len: usize) -> &[u8] {
    /// Bytes after the first one of the longest UTF-8 character.
    const MOST_BEHIND: usize = 3;

    let continues = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let ends = len.saturating_sub(MOST_BEHIND)..=len;
    // What has no beginning in reach is not UTF-8, and is cut anywhere.
    let end = ends.rev().find(|at| !continues(at)).unwrap_or(len);
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
    push_sanitised(&mut safe, text);
    Cow::Owned(safe)
}

/// The same for bytes that may not be UTF-8, as names can be: those that are not are shown as `\xff`.
///
/// ```
/// assert_eq!(metainfo::sanitise_name("gr\u{fc}n".as_bytes()), "grün");
/// assert_eq!(metainfo::sanitise_name(b"gr\xfcn\n"), r"gr\xfcn\n");
/// ```
pub fn sanitise_name(name: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(name) {
        return sanitise_for_terminal(text);
    }
    let mut safe = String::with_capacity(name.len() + 16);
    for chunk in name.utf8_chunks() {
        push_sanitised(&mut safe, chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String can't fail.
            let _ = write!(safe, "\\x{byte:02x}");
        }
    }
    Cow::Owned(safe)
}

fn push_sanitised(safe: &mut String, text: &str) {
    for c in text.chars() {
        if is_unprintable(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
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
        shown.push_str(&sanitise_name(raw));
        if shown.len() > MAX_SHOWN_LEN {
            let end = shown.floor_char_boundary(MAX_SHOWN_LEN);
            shown.truncate(end);
            shown.push('…');
            return shown;
        }
    }
    shown
}
