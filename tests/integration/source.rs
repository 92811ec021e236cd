//! `pieces-cli download` of torrents that are not named by a path: from stdin and from a URL.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::{fs, thread};

use testkit::process::Process;
use testkit::seed::Seed;
use testkit::{PATIENCE, binary};

use crate::stage::Stage;

/// A torrent of which the tracker knows a seed.
fn seeded() -> (Stage, Seed) {
    let stage = Stage::new();
    let seed = Seed::start(&stage.torrent, "seed").unwrap();
    stage.tracker.add_peer(stage.torrent.info_hash(), seed.addr());
    (stage, seed)
}

#[test]
fn from_stdin() {
    let (stage, _seed) = seeded();
    let dir = stage.dir("target");
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$0" "$@" < "$TORRENT""#]).env("TORRENT", &stage.file);
    command.arg(binary::pieces_cli().unwrap()).env("XDG_STATE_HOME", stage.dir("state"));
    command.args(["download", "-", "--bind", "127.0.0.1", "--port", "0", "-d"]).arg(&dir);
    let download = Process::start("pieces-cli", &mut command).unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn from_a_url() {
    let (stage, _seed) = seeded();
    let bytes = fs::read(&stage.file).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/some.torrent", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        let length = bytes.len();
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ";
        socket.write_all(format!("{head}{length}\r\n\r\n").as_bytes()).unwrap();
        socket.write_all(&bytes).unwrap();
    });
    let dir = stage.dir("target");
    let arguments = ["download", &url, "--bind", "127.0.0.1", "--port", "0", "-d"];
    let mut command = Command::new(binary::pieces_cli().unwrap());
    command.args(arguments).arg(&dir).env("XDG_STATE_HOME", stage.dir("state"));
    let download = Process::start("pieces-cli", &mut command).unwrap();
    download.wait_success(PATIENCE).unwrap();
    server.join().unwrap();
    stage.torrent.compare(&dir).unwrap();
}
