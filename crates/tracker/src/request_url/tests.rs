//! URLs, logins and redirects, row by row.

use super::*;

fn url(text: &str) -> Url {
    read(text).unwrap()
}

#[test]
fn blanks_and_non_ascii_are_escaped_and_not_refused() {
    for (text, url) in [
        (" http://host/a b?passkey=ü\n", "http://host/a%20b?passkey=%C3%BC"),
        ("\t\u{a0}http://host/a\tb", "http://host/ab"),
        ("HTTP://HOST:80/Announce", "http://host/Announce"),
        ("http://bücher.example/ä/announce", "http://xn--bcher-kva.example/%C3%A4/announce"),
        ("http:\\\\host\\announce?a\\b", "http://host/announce?a\\b"),
        ("http://host/a%20b%fc?q=%2f", "http://host/a%20b%fc?q=%2f"),
        ("http://host/\"<>`{}|^?\"<>`{}|^'", "http://host/%22%3C%3E%60%7B%7D|^?%22%3C%3E`{}|^%27"),
        ("http://[2001:DB8::1]:8080/announce", "http://[2001:db8::1]:8080/announce"),
        ("http://my_tracker.example:/announce", "http://my_tracker.example/announce"),
    ] {
        let read = read(text).unwrap();
        // Newer versions of the standard escape a caret in paths too; servers read both the same.
        assert_eq!(read.as_str().replace("%5E", "^"), url, "{text}");
        assert!(read.as_str().parse::<ureq::http::Uri>().is_ok(), "{text}");
    }
}

#[test]
fn user_and_password_become_basic_authentication() {
    for (text, login) in [
        ("http://user:pass@host/", Some("dXNlcjpwYXNz")),
        ("https://us%40er:p%3Aa%2Fss%C3%BC@host/", Some("dXNAZXI6cDphL3Nzw7w=")),
        ("http://us@er:pä ss@host/", Some("dXNAZXI6cMOkIHNz")),
        ("http://user@host/", Some("dXNlcjo=")),
        ("http://:pass@host/", Some("OnBhc3M=")),
        ("http://user:%ff@host/", Some("dXNlcjr/")),
        ("http://@host/", None),
        ("http://host/@a:b", None),
    ] {
        let mut url = url(text);
        let header = login.map(|login| format!("Basic {login}"));
        assert_eq!(take_login(&mut url), header, "{text}");
        assert!(url.as_str().contains("//host/"), "{url}");
    }
}

#[test]
fn a_location_is_read_from_where_it_stands() {
    for (location, expected) in [
        (b"/x?y#z".as_slice(), "http://host:8080/x?y"),
        (b"x", "http://host:8080/dir/x"),
        (b"?x", "http://host:8080/dir/announce?x"),
        (b"//other/x", "http://other/x"),
        (b"  https://other/a b  ", "https://other/a%20b"),
        ("/ü ü".as_bytes(), "http://host:8080/%C3%BC%20%C3%BC"),
        (b"/\xfc", "http://host:8080/%FC"),
        (b"HTTP://OTHER\\x", "http://other/x"),
        (b"magnet:?xt=urn:btih:a&dn=b c", "magnet:?xt=urn:btih:a&dn=b%20c"),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let to = redirect(&url("http://host:8080/dir/announce?q"), status, Some(location));
            assert_eq!(to.unwrap().unwrap().as_str(), expected);
        }
    }
    for status in [200, 300, 304, 305, 404] {
        assert_eq!(redirect(&url("http://host/"), status, Some(b"/x")), Ok(None));
    }
    for nowhere in [None, Some(b"  ".as_slice()), Some(b"http://".as_slice())] {
        assert!(redirect(&url("http://host/"), 302, nowhere).is_err());
    }
}

#[test]
fn a_login_goes_on_to_the_same_server_only() {
    let user = |from: &str, to: &str| {
        let to = redirect(&url(from), 302, Some(to.as_bytes())).unwrap().unwrap();
        (to.username().to_owned(), to.password().map(str::to_owned))
    };
    let kept = ("u".to_owned(), Some("p".to_owned()));
    for (from, to) in [
        ("http://u:p@host/a", "/b"),
        ("http://u:p@host/a", "b"),
        ("http://u:p@host/a", "http://HOST:80/b"),
        ("http://u:p@host/a", "https://host/b"),
        ("https://u:p@host:8443/a", "https://host:8443/b"),
        ("http://u:p@host/a", "http://u:p@other/b"),
    ] {
        assert_eq!(user(from, to), kept, "{from} {to}");
    }
    for (from, to) in [
        ("http://u:p@host/a", "http://other/b"),
        ("http://u:p@host/a", "//other/b"),
        ("http://u:p@host/a", "http://host:8080/b"),
        ("http://u:p@host:8080/a", "https://host/b"),
        ("https://u:p@host/a", "http://host/b"),
        ("http://u:p@host/a", "http://host.example/b"),
    ] {
        assert_eq!(user(from, to), (String::new(), None), "{from} {to}");
    }
}
