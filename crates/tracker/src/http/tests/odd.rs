//! Web servers in the wild: answers that are unusual and have to be understood all the same, and
//! what is sent for unusual URLs.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

use super::{OK, client, gzip};
use crate::lookup::Lookup;
use crate::testkit::{HANG, Server, announce, quick, response};
use crate::{Client, ErrorKind};

/// Answers every request with exactly these bytes and hangs up.
fn raw(bytes: impl Into<Vec<u8>>) -> Server {
    let bytes = bytes.into();
    Server::start(move |_, stream| {
        let _ = stream.write_all(&bytes);
    })
}

fn with_body(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), body].concat()
}

/// The request line and headers of the next request.
fn head(server: &Server) -> String {
    server.requests.recv_timeout(HANG).unwrap().0
}

#[test]
fn odd_answers_are_understood() {
    let len = OK.len();
    let chunks = [format!("{len:x};ext=1\r\n").as_bytes(), OK, b"\r\n0\r\nx: y\r\n\r\n"].concat();
    let deflated = {
        let mut to = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        to.write_all(OK).unwrap();
        to.finish().unwrap()
    };
    for (what, answer) in [
        ("HTTP/1.0 without a length", with_body("HTTP/1.0 200 OK\r\n\r\n", OK)),
        ("no reason phrase", with_body("HTTP/1.1 200\r\n\r\n", OK)),
        ("an empty reason phrase", with_body("HTTP/1.1 200 \r\n\r\n", OK)),
        ("another success", with_body("HTTP/1.1 203 Perhaps\r\n\r\n", OK)),
        ("line feeds alone", with_body(&format!("HTTP/1.1 200 OK\nContent-Length: {len}\n\n"), OK)),
        (
            "capital header names, no blanks",
            with_body(&format!("HTTP/1.1 200 OK\r\nCONTENT-LENGTH:{len}\r\nX:\r\n\r\n"), OK),
        ),
        ("header values that are not UTF-8", with_body("HTTP/1.1 200 OK\r\nX: \u{fc}\r\n\r\n", OK)),
        ("chunks", with_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &chunks)),
        (
            "chunks and a length",
            with_body(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n",
                &chunks,
            ),
        ),
        (
            "a length that is too long",
            with_body("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", OK),
        ),
        (
            "chunks that do not end",
            with_body(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                chunks.strip_suffix(b"0\r\nx: y\r\n\r\n").unwrap(),
            ),
        ),
        (
            "100 Continue first",
            with_body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", OK),
        ),
        (
            "a page around the reply",
            with_body("HTTP/1.1 200 OK\r\n\r\n\u{feff}\n", &[OK, b"<!-- -->"].concat()),
        ),
        ("gzip without a label", response("200 OK", "", &gzip(OK))),
        ("gzip by its old name", response("200 OK", "content-encoding: x-gzip\r\n", &gzip(OK))),
        ("deflate", response("200 OK", "content-encoding: deflate\r\n", &deflated)),
        (
            "cookies and a type",
            response("200 OK", "set-cookie: a=b\r\ncontent-type: text/html\r\n", OK),
        ),
    ] {
        let server = raw(answer);
        let reply = announce(&client(), &server.url("/announce"));
        let peers = reply.unwrap_or_else(|error| panic!("{what}: {error}")).peers;
        assert_eq!(peers, ["1.2.3.4:6881".parse().unwrap()], "{what}");
    }
}

#[test]
fn a_server_that_keeps_the_connection_open_is_not_waited_for() {
    let server = Server::start(|_, stream| {
        let _ = stream.write_all(&response("200 OK", "connection: keep-alive\r\n", OK));
        // Until the client hangs up.
        let _ = std::io::copy(stream, &mut std::io::sink());
    });
    announce(&client(), &server.url("/announce")).unwrap();
}

#[test]
fn what_cannot_be_understood_says_what_came() {
    for (answer, kind, words) in [
        (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], ErrorKind::Malformed, "the reply is empty"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            ErrorKind::Malformed,
            "the reply is empty",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", ErrorKind::Malformed, "the reply is a web page"),
        (b"HTTP/1.1 401 No\r\n\r\n", ErrorKind::Status, "it wants a user and password"),
        (
            b"HTTP/1.1 503 Busy\r\n\r\nd14:failure reason4:\xfcbere",
            ErrorKind::Failure,
            "\u{FFFD}ber",
        ),
        (b"", ErrorKind::Connect, "127.0.0.1"),
    ] {
        let error = announce(&client(), &raw(answer).url("/announce")).unwrap_err();
        assert_eq!(error.kind(), kind, "{words}: {error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
}

#[test]
fn blanks_and_non_ascii_of_a_url_are_sent_escaped() {
    let server = Server::fixed("200 OK", "", OK);
    announce(&client(), &server.url("/announce?passkey=a ü|{x}")).unwrap();
    let head = head(&server);
    assert!(head.starts_with("GET /announce?passkey=a%20%C3%BC|{x}&info_hash="), "{head}");
}

#[test]
fn user_and_password_are_sent_and_not_in_the_host_header() {
    let server = Server::fixed("200 OK", "", OK);
    let url = server.url("/announce").replace("http://", "HTTP://us%40er:p%20ss@");
    announce(&client(), &url).unwrap();
    let head = head(&server);
    assert!(head.contains("authorization: Basic dXNAZXI6cCBzcw==\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.addr)), "{head}");
    assert!(head.starts_with("GET /announce?info_hash="), "{head}");
    // Without them, there is no header.
    announce(&client(), &server.url("/announce")).unwrap();
    assert!(!self::head(&server).contains("authorization"));
}

#[test]
fn a_wrong_password_is_told_without_it() {
    let server = Server::fixed("401 Unauthorized", "www-authenticate: Basic\r\n", b"");
    let url = server.url("/announce").replace("http://", "http://me:secret@");
    let error = announce(&client(), &url).unwrap_err().to_string();
    assert!(error.contains("the user or password in its URL is wrong"), "{error}");
    assert!(!error.contains("secret") && !error.contains("me:"), "{error}");
}

fn redirects(location: &[u8]) -> Server {
    let head = [b"location: ", location, b"\r\n"].concat();
    Server::start(move |request, stream| {
        if request.starts_with("GET /announce?") {
            let answer = [b"HTTP/1.1 307 Go\r\n", &head[..], b"content-length: 0\r\n\r\n"].concat();
            let _ = stream.write_all(&answer);
        } else {
            let _ = stream.write_all(&response("200 OK", "", OK));
        }
    })
}

#[test]
fn a_location_may_be_relative_and_hold_blanks_and_any_bytes() {
    for (location, line) in [
        ("/announce/x?k=a ü".as_bytes(), "GET /announce/x?k=a%20%C3%BC HTTP"),
        (b"announce.php?k=\xfc", "GET /announce.php?k=%FC HTTP"),
        (b"\\announce\\x", "GET /announce/x HTTP"),
    ] {
        let server = redirects(location);
        announce(&client(), &server.url("/announce")).unwrap();
        assert!(head(&server).starts_with("GET /announce?"));
        let head = head(&server);
        assert!(head.starts_with(line), "{head}");
    }
}

#[test]
fn a_redirect_keeps_the_login_on_its_server_and_from_all_others() {
    let server = redirects(b"/announce/there");
    let login = |url: String| url.replace("http://", "http://me:secret@");
    announce(&client(), &login(server.url("/announce"))).unwrap();
    for _ in 0..2 {
        let head = head(&server);
        assert!(head.contains("authorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
    }
    // Another port is another server, and so is another name.
    let target = Server::fixed("200 OK", "", OK);
    let named = format!("http://other.example:{}/announce", target.addr.port());
    for to in [target.url("/announce"), named] {
        let server = redirects(to.as_bytes());
        let lookup = Lookup::with(|_| Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
        let client = Client::with_lookup(quick(), lookup).unwrap();
        announce(&client, &login(server.url("/announce"))).unwrap();
        let head = head(&target);
        assert!(!head.contains("authorization") && !head.contains("secret"), "{to}: {head}");
    }
}

#[test]
fn a_tracker_on_loopback_may_have_a_passkey_in_its_path() {
    let server = Server::fixed("200 OK", "", OK);
    announce(&client(), &server.url("/abc123/announce")).unwrap();
    assert!(head(&server).starts_with("GET /abc123/announce?info_hash="));
    let error = announce(&client(), &server.url("/admin.php/announce")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(server.requests.is_empty());
}
