//! From what users and servers write to URLs that can be requested: blanks and non-ASCII become
//! escapes, user and password become a header, and a `Location` is read from where it stands.
//! Never sends anything and never decides what may be asked.

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use url::Url;

/// Reads a URL that a user or a torrent gives. Space around it is dropped, blanks and non-ASCII
/// characters in it are percent-encoded, and the name of an `http` or `https` host is written in
/// its ASCII form (IDNA).
///
/// # Errors
/// When it is not an absolute URL.
pub fn read(text: &str) -> Result<Url, url::ParseError> {
    Url::parse(text.trim())
}

/// Takes user and password out of `url`. Gives the value of the `Authorization` header they make
/// (RFC 7617), or `None` if there are none.
pub fn take_login(url: &mut Url) -> Option<String> {
    if !has_login(url) {
        return None;
    }
    let mut login: Vec<u8> = percent_decode_str(url.username()).collect();
    login.push(b':');
    login.extend(percent_decode_str(url.password().unwrap_or_default()));
    // Both fail only for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(format!("Basic {}", BASE64.encode(&login)))
}

/// Whether `url` has a user or a password.
pub(crate) fn has_login(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Where an answer with this status and `Location` to a request for `from` sends its reader;
/// `None` if it is not a redirect. The scheme can be any.
///
/// User and password go on to the same host only: to the same scheme and port, or from `http` to
/// `https` at their usual ports. A `Location` that has its own uses those.
///
/// # Errors
/// When it is a redirect that names no URL; the words continue "a redirect that".
pub fn redirect(
    from: &Url,
    status: u16,
    location: Option<&[u8]>,
) -> Result<Option<Url>, &'static str> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = location.unwrap_or_default().trim_ascii();
    if location.is_empty() {
        return Err("does not say where to");
    }
    let mut to = from.join(&as_text(location)).map_err(|_| "leads to something that is no URL")?;
    to.set_fragment(None);
    if has_login(from) && !has_login(&to) && is_same_server(from, &to) {
        // Both fail only for URLs that cannot have a user, and `from` has one.
        let _ = to.set_username(from.username());
        let _ = to.set_password(from.password());
    }
    Ok(Some(to))
}

/// A header's value as text. HTTP does not say what non-ASCII bytes are: UTF-8 stays, and of
/// anything else each byte is escaped, so that the server gets its own bytes back.
fn as_text(value: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(value) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(value.len());
    for byte in value {
        if byte.is_ascii() {
            text.push(char::from(*byte));
        } else {
            text.push_str(percent_encoding::percent_encode_byte(*byte));
        }
    }
    text
}

fn is_same_server(from: &Url, to: &Url) -> bool {
    let ports = (from.port_or_known_default(), to.port_or_known_default());
    let same = from.scheme() == to.scheme() && ports.0 == ports.1;
    let upgrade =
        (from.scheme(), to.scheme()) == ("http", "https") && ports == (Some(80), Some(443));
    from.host() == to.host() && (same || upgrade)
}

#[cfg(test)]
mod tests;
