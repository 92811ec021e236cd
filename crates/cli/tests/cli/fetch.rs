//! A torrent that is named by its URL, and the ways a server can fail to give it. Never leaves this
//! host.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::kit::{Stage, run};

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
fn a_url_that_gives_no_torrent_says_why() {
    let missing = serve(|_| response("404 Not Found", b"no"));
    run(["show", &missing]).refused(3, "not there (HTTP status 404)");
    let broken = serve(|_| response("500 Internal Server Error", b"no"));
    run(["show", &broken]).refused(6, "HTTP status 500");
    let page = serve(|_| response("200 OK", b"<html>"));
    run(["show", &page]).refused(25, "some.torrent: this is a web page, not a torrent;");
    let circle = serve(|own| response(&format!("302 Found\r\nLocation: http://{own}/"), b""));
    run(["show", &circle]).refused(6, "redirect");
    let cut = serve(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd4:".to_vec());
    run(["show", &cut]).refused(6, "some.torrent");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    run(["show", &format!("http://{closed}/")]).refused(6, "refused");
}
