//! A torrent that is named by its URL, and the ways a server can fail to give it. Never leaves this
//! host.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::kit::{Stage, gzip, run};

/// A server on a free port that answers each connection with what `answer` makes of its own address.
fn serve(answer: impl Fn(SocketAddr) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            // The client may have heard enough.
            let _ = socket.write_all(&answer(addr));
        }
    });
    format!("http://{addr}/some.torrent")
}

fn response(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn a_torrent_is_read_from_its_url() {
    let stage = Stage::new();
    let data = stage.write("data", b"some bytes");
    let torrent = stage.path("data.torrent");
    run(["create", &data, "-o", &torrent, "-q"]).success();
    let bytes = std::fs::read(&torrent).unwrap();
    let url = serve(move |_| response("200 OK", &bytes));
    let fetched = run(["show", &url, "--json"]).json();
    assert_eq!(fetched, run(["show", &torrent, "--json"]).json());
    assert_eq!(fetched["name"], "data");
}

#[test]
fn what_a_server_compressed_is_unpacked_whatever_it_says_of_it() {
    let stage = Stage::new();
    let data = stage.write("data", b"some bytes");
    let torrent = stage.path("data.torrent");
    run(["create", &data, "-o", &torrent, "-q"]).success();
    let wanted = run(["show", &torrent, "--json"]).json();
    let packed = gzip(&std::fs::read(&torrent).unwrap());
    for head in ["200 OK", "200 OK\r\nContent-Encoding: gzip"] {
        let body = packed.clone();
        let url = serve(move |_| response(head, &body));
        assert_eq!(run(["show", &url, "--json"]).json(), wanted, "{head}");
    }
    let magnet =
        serve(|_| response("200 OK", b"magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH"));
    let hash = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(run(["show", &magnet, "--json"]).json()["info_hash"], hash);
}

#[test]
fn a_url_that_gives_no_torrent_says_why() {
    let missing = serve(|_| response("404 Not Found", b"no"));
    run(["show", &missing]).refused(3, "not there (HTTP status 404)");
    let broken = serve(|_| response("500 Internal Server Error", b"no"));
    run(["show", &broken]).refused(6, "HTTP status 500");
    let page = serve(|_| response("200 OK", b"<html>"));
    run(["show", &page]).refused(25, "some.torrent: this is a web page, not a torrent;");
    let circle = serve(|own| response(&format!("302 Found\r\nLocation: http://{own}/"), b""));
    run(["show", &circle]).refused(6, "its redirects lead in a circle");
    let nowhere = serve(|_| response("302 Found", b""));
    run(["show", &nowhere]).refused(6, "a redirect that does not say where to");
    let file = serve(|_| response("302 Found\r\nLocation: file:///etc/passwd", b""));
    run(["show", &file]).refused(6, "a redirect that leads to file:");
    let cut = serve(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd4:".to_vec());
    run(["show", &cut]).refused(6, "some.torrent");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    run(["show", &format!("http://{closed}/")]).refused(6, "refused");
}

/// A server that answers a request with what `answer` makes of its path; the heads of the requests.
fn scripted(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (heads, requests) = channel();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let lines = BufReader::new(socket.try_clone().unwrap()).lines();
            let lines: Vec<String> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let path = lines[0].split(' ').nth(1).unwrap().to_owned();
            // The test has heard enough when it is over.
            let _ = heads.send(lines.join("\n"));
            let _ = socket.write_all(&answer(&path));
        }
    });
    (addr, requests)
}

fn moved(to: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 301 Moved\r\nLocation: ", to, b"\r\nContent-Length: 0\r\n\r\n"].concat()
}

/// A torrent that needs no data.
const TORRENT: &[u8] = b"d4:infod6:lengthi0e4:name5:empty12:piece lengthi16384e6:pieces0:ee";

#[test]
fn a_redirect_to_a_magnet_is_that_magnet() {
    let uri =
        format!("magnet:?xt=urn:btih:{}&dn=a b&tr=http://127.0.0.1:1/announce", "ab".repeat(20));
    let (addr, _requests) = scripted(move |_| moved(uri.as_bytes()));
    let url = format!("http://{addr}/download?id=1");
    let shown = run(["show", &url, "--json"]).json();
    assert_eq!(shown["info_hash"], "ab".repeat(20));
    assert_eq!(shown["name"], "a b");
    assert_eq!(shown["trackers"][0][0], "http://127.0.0.1:1/announce");
    // Where a torrent is needed, that is said.
    run(["verify", &url]).refused(25, "magnet");
}

#[test]
fn blanks_and_non_ascii_in_urls_and_locations_are_escaped() {
    let (addr, requests) = scripted(|path| match path {
        "/a%20b?k=%C3%BC" => moved("/ü x?y z".as_bytes()),
        "/%C3%BC%20x?y%20z" => moved(b"\\dir\\\xfc#part"),
        "/dir/%FC" => response("200 OK", TORRENT),
        _ => response("404 Not Found", b""),
    });
    let shown = run(["show", &format!("  HTTP://{addr}/a b?k=ü "), "--json"]).json();
    assert_eq!(shown["name"], "empty");
    assert_eq!(requests.iter().take(3).count(), 3);
}

#[test]
fn a_chain_of_redirects_has_an_end() {
    let (addr, requests) = scripted(|path| moved(format!("{path}x").as_bytes()));
    run(["show", &format!("http://{addr}/")]).refused(6, "more than 10 redirects");
    assert_eq!(requests.try_iter().count(), 11);
}

#[test]
fn user_and_password_go_to_their_server_only_and_are_not_shown() {
    let (other, of_other) = scripted(|_| response("200 OK", TORRENT));
    let (addr, requests) = scripted(move |path| match path {
        "/moved" => moved(b"/here"),
        "/away" => moved(format!("http://{other}/there").as_bytes()),
        "/here" => response("200 OK", TORRENT),
        "/page" => response("200 OK", b"<html>"),
        _ => response("401 Unauthorized", b""),
    });
    let url = |path: &str| format!("http://m%65:s3cr%65t@{addr}{path}");
    run(["show", &url("/moved")]).success();
    let login = "authorization: Basic bWU6czNjcmV0";
    assert!(requests.iter().take(2).all(|head| head.contains(login)));
    run(["show", &url("/away")]).success();
    assert!(requests.recv().unwrap().contains(login));
    assert!(!of_other.recv().unwrap().contains("authorization"));
    for (path, code, words) in
        [("/page", 25, "web page"), ("/wrong", 6, "the user or password is wrong")]
    {
        let told = run(["show", &url(path), "-vvv"]);
        assert!(!told.err.contains("s3cr"), "{}", told.err);
        assert!(told.err.contains(&format!("http://***@{addr}{path}")), "{}", told.err);
        told.refused(code, words);
    }
    let edited = run(["edit", &url("/here"), "--comment", "x"]);
    assert!(edited.code != 0 && !edited.err.contains("s3cr"), "{}", edited.err);
    run(["show", &format!("http://{addr}/x")]).refused(6, "it wants a user and password");
}

#[test]
fn what_is_wrong_with_a_server_is_told_in_words() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = run(["show", &format!("http://{nobody}/x")]);
    assert!(!told.err.contains("os error") && !told.err.contains("io:"), "{}", told.err);
    told.refused(6, "the connection is refused; nothing listens at this port");
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/x", plain.local_addr().unwrap());
    thread::spawn(move || {
        let (mut socket, _) = plain.accept().unwrap();
        socket.read_exact(&mut [0; 64]).unwrap();
        socket.write_all(&response("400 Bad Request", b"")).unwrap();
        // What is unread when it is closed would reset the connection.
        socket.shutdown(Shutdown::Write).unwrap();
        std::io::copy(&mut socket, &mut std::io::sink())
    });
    run(["show", &url]).refused(6, "does not speak https at this port");
}
