//! The user and password of a URL, which are no business of a terminal or a log. Works on texts that
//! need not be URLs at all; never changes what is sent.

use std::borrow::Cow;
use std::ops::Range;

/// `url` with its user and password replaced by `***`, to be shown.
pub fn hide_login(url: &str) -> Cow<'_, str> {
    replace(url, "***@")
}

/// `url` without its user and password, to be given to others.
pub fn without_login(url: &str) -> Cow<'_, str> {
    replace(url, "")
}

fn replace<'a>(url: &'a str, with: &str) -> Cow<'a, str> {
    let parts = find(url).and_then(|login| Some((url.get(..login.start)?, url.get(login.end..)?)));
    parts.map_or(Cow::Borrowed(url), |(before, after)| Cow::Owned([before, with, after].concat()))
}

/// Where user, password and their `@` are.
fn find(url: &str) -> Option<Range<usize>> {
    let scheme = url.find(':')? + 1;
    let rest = url.get(scheme..)?;
    // Readers of URLs are lenient about slashes, and so is this.
    let start = scheme + rest.find(|c| c != '/' && c != '\\')?;
    let rest = url.get(start..)?;
    let host = rest.split(['/', '\\', '?', '#']).next()?;
    let end = match host.rfind('@') {
        Some(at) => at,
        // A password with a `/` in it ends the host where a port should be: such a URL cannot be
        // used, but it is shown with the reason.
        None if has_bad_port(host) => rest.rfind('@')?,
        None => return None,
    };
    Some(start..start + end + 1)
}

fn has_bad_port(host: &str) -> bool {
    let port = host.rsplit_once(':').map(|(_, port)| port);
    !host.ends_with(']') && port.is_some_and(|port| !port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_hidden_and_nothing_else() {
        for (url, shown) in [
            ("http://user:secret@host/announce?k=1", "http://***@host/announce?k=1"),
            ("http://secret@host", "http://***@host"),
            ("HTTP:\\\\u:secret@host\\x", "HTTP:\\\\***@host\\x"),
            ("http:u:secret@host/", "http:***@host/"),
            ("http://u:secret@secret@host/@x", "http://***@host/@x"),
            ("http://u:sec/ret@host/", "http://***@host/"),
            ("udp://u:secret@[::1]:80/announce", "udp://***@[::1]:80/announce"),
        ] {
            assert_eq!(hide_login(url), shown);
            assert_eq!(without_login(url), shown.replace("***@", ""));
        }
        for same in [
            "",
            "no url",
            "name@host",
            "http://host/announce?mail=a@b",
            "http://host:80/a@b",
            "http://[2001:db8::1]/a@b",
            "http://host#a@b",
            "http://",
            "é:é",
        ] {
            assert_eq!(hide_login(same), same);
        }
    }
}
