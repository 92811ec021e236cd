//! Peers that no tracker names: two nodes of a DHT of their own, and what the flags switch off. The local
//! network needs more than a loopback; `cargo xtask e2e --real` has one.

use std::net::UdpSocket;
use std::path::Path;

use serde_json::Value;
use testkit::PATIENCE;
use testkit::cli::Cli;
use testkit::peer::{Handshake, Peer};
use testkit::process::{Process, Stream};

use crate::stage::Stage;

/// The bit of the handshake that says that there is a node of the DHT.
const HAS_DHT: u8 = 1;

/// With everything switched on that finds peers; `torrent` is a file or a magnet URI.
fn start(stage: &Stage, name: &str, command: &str, torrent: &Path, more: &[&str]) -> Process {
    let cli = Cli::new(["-vv", command]).unwrap().named(name).arg(torrent);
    let cli = cli.arg("-d").arg(stage.dir(&format!("files of {name}")));
    let cli = cli.env("XDG_STATE_HOME", stage.dir(&format!("home of {name}")));
    cli.args(["--bind", "127.0.0.1", "--port", "0"]).args(more).start().unwrap()
}

#[test]
fn a_magnet_that_names_nobody_needs_one_node_of_the_dht() {
    let stage = Stage::new();
    let file = stage.torrent.save(&stage.dir("trackerless"), &[]).unwrap();
    let dir = stage.full_dir("seed");
    let seed = Cli::new(["-vv", "seed"]).unwrap().arg(&file).arg("-d").arg(&dir);
    let seed = seed.env("XDG_STATE_HOME", stage.dir("home of the seed"));
    let seed = seed.args(["--bind", "127.0.0.1", "--port", "0"]).start().unwrap();
    let node = seed.wait_line(PATIENCE, |line| {
        let (_, port) = line.split_once("DHT: a node at UDP port ")?;
        port.trim().parse::<u16>().ok()
    });
    let node = format!("127.0.0.1:{}", node.unwrap());

    let uri = stage.torrent.magnet(&[], &[]);
    let more = ["--json", "--dht-bootstrap", &node];
    let leech = start(&stage, "leech", "download", Path::new(&uri), &more);
    leech.wait_success(PATIENCE).unwrap();
    let events = leech.output(Stream::Stdout);
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let connected: Vec<Value> = events.filter(|event| event["state"] == "connected").collect();
    // Either may find the other first.
    let source = |event: &Value| event["source"] == "dht" || event["source"] == "incoming";
    assert!(!connected.is_empty() && connected.iter().all(source), "{connected:?}");
}

#[test]
fn bootstrap_nodes_are_asked_and_without_the_dht_nobody_is() {
    let node = UdpSocket::bind("127.0.0.1:0").unwrap();
    node.set_read_timeout(Some(PATIENCE)).unwrap();
    let addr = node.local_addr().unwrap().to_string();
    for (name, more, bit) in
        [("with", vec!["--dht-bootstrap", &addr], HAS_DHT), ("without", vec!["--no-dht"], 0)]
    {
        let stage = Stage::new();
        let _download = start(&stage, name, "download", &stage.file, &more);
        let listens = stage.reachable();
        let ours = Handshake::new(stage.torrent.info_hash(), "curious");
        let (_peer, theirs) = Peer::dial(listens, &ours).unwrap();
        assert_eq!(theirs.reserved[7] & HAS_DHT, bit, "{name}");
        if bit != 0 {
            let mut query = [0; 2048];
            let (len, _) = node.recv_from(&mut query).unwrap();
            let query = &query[..len];
            assert!(query.windows(9).any(|word| word == b"find_node"), "{}", query.escape_ascii());
        }
    }
}
