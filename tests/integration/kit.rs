//! The test support itself: a tracker and a peer that are wrong would make every other test wrong.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use testkit::message::Message;
use testkit::peer::{Handshake, Listener, Peer};
use testkit::process::{Process, Stream};
use testkit::terminal::ERASED;
use testkit::torrent::Builder;
use testkit::tracker::{Answer, Tracker};

fn announce(tracker: &Tracker, query: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(tracker.addr()).unwrap();
    let hash = "%00%01%02%03%04%05%06%07%08%09abcdefghij";
    let ids = format!("info_hash={hash}&peer_id=-SC0000-abcdefghijkl");
    write!(stream, "GET /announce?{ids}&{query} HTTP/1.1\r\nUser-Agent: kit\r\n\r\n").unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let body = reply.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    reply.split_off(body)
}

#[test]
fn tracker_records_announces_and_introduces_peers() {
    let tracker = Tracker::start().unwrap();
    let counts = "uploaded=1&downloaded=2&left=3";
    let first = announce(&tracker, &format!("port=1000&{counts}&event=started"));
    assert_eq!(first, b"d8:completei0e10:incompletei1e8:intervali1800e5:peers0:e");
    let second = announce(&tracker, "port=1001&uploaded=0&downloaded=0&left=0&numwant=9");
    let expected = b"d8:completei1e10:incompletei1e8:intervali1800e5:peers6:\x7f\0\0\x01\x03\xe8e";
    assert_eq!(second, expected);
    tracker.set_answer(Answer::Dictionaries);
    let stopped = announce(&tracker, &format!("port=1000&{counts}&event=stopped"));
    assert!(stopped.ends_with(b"5:peersld2:ip9:127.0.0.14:porti1001eeee"));
    tracker.set_answer(Answer::Failure("go away".into()));
    assert_eq!(
        announce(&tracker, "port=1&uploaded=0&downloaded=0&left=0"),
        b"d14:failure reason7:go awaye"
    );

    let started = tracker.wait_event("started").unwrap();
    assert_eq!(started.info_hash, *b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09abcdefghij");
    assert_eq!(
        (started.addr.port(), started.uploaded, started.downloaded, started.left),
        (1000, 1, 2, 3)
    );
    assert_eq!(started.user_agent, "kit");
    assert_eq!(tracker.announces().len(), 4);
    assert_eq!(tracker.swarm(started.info_hash), (2, 0));
}

#[test]
fn tracker_says_what_is_missing() {
    let tracker = Tracker::start().unwrap();
    assert_eq!(announce(&tracker, "uploaded=0"), b"d14:failure reason7:no porte");
    let silent = tracker.wait_for(Duration::ZERO, |all| all.first().cloned());
    assert!(silent.unwrap_err().to_string().contains("in vain"));
}

#[test]
fn messages_survive_the_wire() {
    let all = [
        Message::KeepAlive,
        Message::Choke,
        Message::Unchoke,
        Message::Interested,
        Message::NotInterested,
        Message::Have(7),
        Message::Bitfield(vec![0xff, 0x80]),
        Message::Request { piece: 1, offset: 16384, len: 16384 },
        Message::Piece { piece: 1, offset: 0, data: vec![1, 2, 3] },
        Message::Cancel { piece: 1, offset: 16384, len: 16384 },
        Message::Other { id: 20, body: b"\0de".to_vec() },
    ];
    for message in all {
        let bytes = message.encode();
        assert_eq!(bytes[..4], u32::try_from(bytes.len() - 4).unwrap().to_be_bytes());
        assert_eq!(Message::decode(&bytes[4..]), message);
    }
}

#[test]
fn scripted_peers_exchange_a_torrent() {
    let torrent = Builder::varied("kit", 300_000).build();
    let listener = Listener::bind().unwrap();
    let addr = listener.addr().unwrap();
    let hash = torrent.info_hash();
    thread::scope(|scope| {
        let seed = scope.spawn(|| {
            let (peer, theirs) = listener.accept(&Handshake::new(hash, "seed")).unwrap();
            assert_eq!(theirs, Handshake::new(hash, "leech"));
            peer.serve(&torrent, |_, _, _| {}).unwrap()
        });
        let (mut leech, _) = Peer::dial(addr, &Handshake::new(hash, "leech")).unwrap();
        assert_eq!(leech.receive().unwrap(), Message::Bitfield(torrent.full_bitfield()));
        assert_eq!(leech.receive().unwrap(), Message::Unchoke);
        for piece in 0..torrent.piece_count() {
            let len = u32::try_from(torrent.piece(piece).len()).unwrap();
            leech.send(&Message::Request { piece, offset: 0, len }).unwrap();
            let data = torrent.piece(piece).to_vec();
            assert_eq!(leech.receive().unwrap(), Message::Piece { piece, offset: 0, data });
        }
        drop(leech);
        assert_eq!(seed.join().unwrap(), torrent.len());
    });
}

#[test]
fn torrents_come_from_their_seed() {
    let torrent = Builder::varied("kit", 200_000).seed(7).build();
    assert_eq!(torrent.len(), 200_000);
    assert_eq!(torrent.info_hash(), Builder::varied("kit", 200_000).seed(7).build().info_hash());
    assert_ne!(torrent.info_hash(), Builder::varied("kit", 200_000).seed(8).build().info_hash());

    let dir = tempfile::tempdir().unwrap();
    torrent.write_files(dir.path()).unwrap();
    torrent.compare(dir.path()).unwrap();
    let file = dir.path().join("kit/deep/er/prime.bin");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[65_536] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(torrent.compare(dir.path()).unwrap_err().to_string().contains("prime.bin: other"));
}

#[test]
fn metainfo_is_canonical() {
    let torrent = Builder::single("a", 3).piece_length(16384).build();
    let pieces = sha1_of(torrent.data());
    let info =
        [&b"d6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:"[..], &pieces, b"e"].concat();
    assert_eq!(torrent.info_hash(), sha1_of(&info));
    let whole =
        [b"d8:announce3:u:/13:announce-listll3:u:/el3:v:/ee4:info", &info[..], b"e"].concat();
    assert_eq!(torrent.metainfo(&["u:/", "v:/"]), whole);
    let padded = Builder::new("p").file("x", 5).padding().file("y/z", 6).private().build();
    assert_eq!(padded.len(), 32 * 1024 + 6);
    let text = String::from_utf8_lossy(&padded.metainfo(&[])).into_owned();
    assert!(
        text.contains("d4:attr1:p6:lengthi32763e4:pathl4:.pad5:32763eed6:lengthi6e4:pathl1:y1:zee")
    );
    assert!(text.ends_with("7:privatei1eee"));
}

fn sha1_of(bytes: &[u8]) -> [u8; 20] {
    sha1_smol::Sha1::from(bytes).digest().bytes()
}

#[test]
fn processes_are_heard_and_ended() {
    let script = "echo out; echo err >&2";
    let process = Process::start("shell", Command::new("sh").args(["-c", script])).unwrap();
    process.wait_line(testkit::PATIENCE, |line| (line == "err").then_some(())).unwrap();
    process.wait_line(testkit::PATIENCE, |line| (line == "out").then_some(())).unwrap();
    assert!(process.wait_line(testkit::PATIENCE, |line| line.parse::<u8>().ok()).is_err());
    assert_eq!(process.output(Stream::Stdout), "out\n");
    assert!(process.wait_success(testkit::PATIENCE).is_ok());

    let process = Process::start("sleep", Command::new("sleep").arg("1000")).unwrap();
    assert!(process.wait_exit(Duration::ZERO).is_err());
    process.terminate();
    assert!(!process.wait_exit(testkit::PATIENCE).unwrap().success());
}

#[test]
fn what_stands_on_a_terminal_is_heard_without_its_escape_sequences() {
    let script = "test -t 2 && stty size; printf 'one 1%%\\r\\033[2Kone 2%%'; echo; echo end >&2";
    let mut shell = Command::new("sh");
    let process = Process::start_on_terminal("shell", shell.args(["-c", script])).unwrap();
    process.wait_success(testkit::PATIENCE).unwrap();
    let log = process.log();
    let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, ["24 80", "one 1%", ERASED, "one 2%", "end"]);
}
