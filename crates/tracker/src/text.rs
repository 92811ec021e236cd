//! A stranger's words made fit to be shown: valid UTF-8, short, one line, no control and no bidi
//! characters. The only place of this crate where a tracker's text becomes a `String`.

use crate::limits::MAX_TEXT;

/// Decodes lossily; whatever could move a terminal's cursor or reorder a line becomes U+FFFD.
pub(crate) fn clean(bytes: &[u8]) -> String {
    // No character has more than four bytes: what lies beyond cannot be kept anyway.
    let bytes = bytes.get(..MAX_TEXT * 4).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let mut out: String =
        text.trim().chars().take(MAX_TEXT).map(|c| if shows(c) { c } else { '\u{FFFD}' }).collect();
    if text.trim().chars().nth(MAX_TEXT).is_some() {
        out.push('…');
    }
    out
}

fn shows(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays() {
        assert_eq!(
            clean("  torrent nicht registriert – ü ".as_bytes()),
            "torrent nicht registriert – ü"
        );
    }

    #[test]
    fn escapes_and_bidi_do_not_survive() {
        assert_eq!(clean(b"\x1b[2Jgone\r\nnext"), "\u{FFFD}[2Jgone\u{FFFD}\u{FFFD}next");
        assert_eq!(clean("a\u{202E}b".as_bytes()), "a\u{FFFD}b");
        assert_eq!(clean(b"\xff\xfe"), "\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        let long = clean("ü".repeat(10_000).as_bytes());
        assert_eq!(long.chars().count(), MAX_TEXT + 1);
        assert!(long.ends_with('…'));
    }
}
