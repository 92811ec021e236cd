//! Magnet URIs: the metadata comes from peers, and the download follows.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::PATIENCE;
use testkit::cli::{Cli, listening};
use testkit::extended::{self, Heard, Metadata};
use testkit::peer::{Handshake, Listener, Peer};
use testkit::process::{Process, Stream};
use testkit::seed::Seed;
use testkit::torrent::{Builder, Torrent};

use crate::stage::Stage;

/// `download URI` into a folder, with state of its own.
fn download(stage: &Stage, uri: &str, dir: &Path) -> Cli {
    // A home of its own, so that no test finds what another has kept.
    let home = stage.dir(&format!("home of {}", dir.file_name().unwrap().to_string_lossy()));
    Cli::download(Path::new(uri), dir).unwrap().env("XDG_STATE_HOME", home)
}

fn resolve(stage: &Stage, uri: &str, output: &Path) -> Cli {
    let name = output.file_name().unwrap().to_string_lossy().into_owned();
    let cli = Cli::new(["magnet", "resolve", uri, "--bind", "127.0.0.1", "--port", "0", "-o"]);
    let home = stage.dir(&format!("home of {name}"));
    cli.unwrap().arg(output).env("XDG_STATE_HOME", home)
}

/// A program that seeds the torrent, with no tracker to tell where.
fn our_seed(stage: &Stage) -> (Process, SocketAddr) {
    let dir = stage.full_dir("seed");
    let file = stage.torrent.save(&stage.dir("trackerless"), &[]).unwrap();
    let seed = Cli::seed(&file, &dir).unwrap().start().unwrap();
    let addr = listening(&seed).unwrap();
    seed.wait_line(PATIENCE, |line| line.contains("complete, seeding").then_some(())).unwrap();
    (seed, addr)
}

/// The JSON events of a kind.
fn events(process: &Process, kind: &str) -> Vec<Value> {
    let lines = process.output(Stream::Stdout);
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["event"] == kind).collect()
}

/// Many pieces, so that its metadata is of several pieces too.
fn long() -> Torrent {
    Builder::varied("a long one", 30_000_000).piece_length(16 << 10).build()
}

#[test]
fn from_our_own_seed_that_the_uri_names() {
    let stage = Stage::with(long());
    let (_seed, addr) = our_seed(&stage);
    let dir = stage.dir("target");
    let saved = stage.dir("saved");
    let uri = stage.torrent.magnet(&[&stage.tracker.url()], &[addr]);
    let download = download(&stage, &uri, &dir).arg("--json").arg("--save-torrent").arg(&saved);
    let download = download.start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    let told = events(&download, "metadata");
    let [told] = &told[..] else { panic!("{}", download.log()) };
    assert_eq!(told["name"], stage.torrent.name());
    assert_eq!(told["total_length"], stage.torrent.len());
    // Trackers hear neither that we are a seed nor how much is left, before anybody knows.
    let first = &stage.tracker.announces()[0];
    assert_eq!((first.event.as_str(), first.left), ("started", 16_384));
    let file = saved.join(format!("{}.torrent", stage.torrent.name()));
    assert_eq!(fs::read(file).unwrap(), stage.torrent.metainfo(&[&stage.tracker.url()]));
}

#[test]
fn from_peers_of_whom_three_of_four_give_false_metadata() {
    let stage = Stage::with(long());
    let lie = |seed| Builder::varied("a long one", 30_000_000).seed(seed).piece_length(16 << 10);
    let lies = [lie(2).build(), lie(3).build(), Builder::single("short", 99).build()];
    let mut peers = Vec::new();
    for (number, lie) in lies.iter().enumerate() {
        let name = format!("liar {number}");
        peers.push(Seed::giving(&stage.torrent, &name, lie.info()).unwrap());
    }
    // It is heard by nobody until all of the others have lied.
    let honest = Listener::bind().unwrap();
    let mut addrs: Vec<SocketAddr> = peers.iter().map(Seed::addr).collect();
    addrs.push(honest.addr().unwrap());
    let dir = stage.dir("target");
    let download = download(&stage, &stage.torrent.magnet(&[], &addrs), &dir).arg("--json");
    let download = download.start().unwrap();
    for peer in &peers {
        peer.wait_gave(PATIENCE).unwrap();
    }
    assert_eq!(events(&download, "metadata"), [] as [Value; 0]);
    let info = stage.torrent.info();
    let _honest = Seed::giving_on(honest, &stage.torrent, "honest", info).unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    assert_eq!(events(&download, "metadata").len(), 1);
}

#[test]
fn what_peers_said_before_the_metadata_was_here_is_not_asked_again() {
    let stage = Stage::new();
    let listener = Listener::bind().unwrap();
    let uri = stage.torrent.magnet(&[], &[listener.addr().unwrap()]);
    let dir = stage.dir("target");
    let download = download(&stage, &uri, &dir).start().unwrap();
    let ours = Handshake::new(stage.torrent.info_hash(), "seed");
    // It says what it has once, right away, as every client does, and is never dialed again.
    let (peer, theirs) = listener.accept(&extended::speaking(ours)).unwrap();
    assert_eq!(theirs.reserved[5] & 0x10, 0x10);
    let mut peer = peer;
    let info = stage.torrent.info();
    peer.send(&extended::handshake(Some(info.len()))).unwrap();
    let mut heard = Heard::default();
    let sent = peer.serve_and(
        &stage.torrent,
        |_, _, _| {},
        |peer, message| heard.answer(peer, message, info).map(drop),
    );
    assert_eq!(sent.unwrap(), stage.torrent.len());
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
}

#[test]
fn our_metadata_is_given_to_peers_that_ask() {
    let stage = Stage::with(long());
    let (_seed, addr) = our_seed(&stage);
    let ours = extended::speaking(Handshake::new(stage.torrent.info_hash(), "asks"));
    let (mut peer, _) = Peer::dial(addr, &ours).unwrap();
    assert_eq!(extended::fetch(&mut peer).unwrap(), stage.torrent.info());
    // Beyond the end there is nothing.
    let mut heard = Heard::default();
    peer.send(&extended::handshake(None)).unwrap();
    let (mut again, _) = Peer::dial(addr, &Handshake { peer_id: [7; 20], ..ours }).unwrap();
    again.send(&extended::handshake(None)).unwrap();
    while heard.metadata_size.is_none() {
        heard.take(&again.receive().unwrap());
    }
    again.send(&heard.say(&Metadata::Request(99), 0).unwrap()).unwrap();
    assert_eq!(again.expect(|message| heard.take(message)).unwrap(), Metadata::Reject(99));
}

#[test]
fn a_torrent_is_resolved_without_downloading_it_and_known_from_then_on() {
    let stage = Stage::with(long());
    let seed = Seed::giving(&stage.torrent, "seed", stage.torrent.info()).unwrap();
    let output = stage.dir("out").join("resolved.torrent");
    let url = stage.tracker.url();
    let uri = stage.torrent.magnet(&[&url], &[seed.addr()]);
    resolve(&stage, &uri, &output).start().unwrap().wait_success(PATIENCE).unwrap();
    assert_eq!(fs::read(&output).unwrap(), stage.torrent.metainfo(&[&url]));
    assert!(seed.sent().is_empty(), "no piece was asked for");
    // A file that is there is not replaced.
    let home = output.with_file_name("home");
    let again = |output: &Path, uri: &str| {
        let arguments = ["magnet", "resolve", uri, "--bind", "127.0.0.1", "--port", "0", "-o"];
        Cli::new(arguments).unwrap().arg(output).env("XDG_STATE_HOME", &home).start().unwrap()
    };
    let refused = again(&output, &uri);
    assert_eq!(refused.wait_exit(PATIENCE).unwrap().code(), Some(28), "{}", refused.log());
    // Once known it needs nobody, and the trackers are those of the URI.
    let second = output.with_file_name("second.torrent");
    again(&second, &uri).wait_success(PATIENCE).unwrap();
    drop(seed);
    let third = output.with_file_name("third.torrent");
    again(&third, &stage.torrent.magnet(&[], &[])).wait_success(PATIENCE).unwrap();
    assert_eq!(fs::read(&third).unwrap(), stage.torrent.metainfo(&[]));
    // Programs are told what was written.
    let fourth = output.with_file_name("fourth.torrent");
    let uri = stage.torrent.magnet(&[], &[]);
    let arguments = ["magnet", "resolve", uri.as_str(), "--bind", "127.0.0.1", "--port", "0"];
    let cli = Cli::new(arguments).unwrap().arg("--json").arg("-o").arg(&fourth);
    let told = cli.env("XDG_STATE_HOME", &home).start().unwrap();
    told.wait_success(PATIENCE).unwrap();
    let told: Value = serde_json::from_str(&told.output(Stream::Stdout)).unwrap();
    assert_eq!((&told["format"], &told["output"]), (&1.into(), &fourth.to_str().unwrap().into()));
    assert_eq!(told["name"], stage.torrent.name());
    assert_eq!(told["piece_count"], stage.torrent.piece_count());
}

#[test]
fn only_files_that_the_uri_selects_are_fetched() {
    let torrent = Builder::new("three").file("a", 100_000).file("b", 100_000).file("c", 100_000);
    let stage = Stage::with(torrent.piece_length(16 << 10).build());
    let seed = Seed::giving(&stage.torrent, "seed", stage.torrent.info()).unwrap();
    let uri = format!("{}&so=0", stage.torrent.magnet(&[], &[seed.addr()]));
    let dir = stage.dir("target");
    download(&stage, &uri, &dir).start().unwrap().wait_success(PATIENCE).unwrap();
    stage.torrent.compare_where(&dir, |file| file.path == ["a"]).unwrap();
    assert_eq!(seed.sent().into_keys().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    // What the command line says counts more.
    let dir = stage.dir("other");
    let other = download(&stage, &uri, &dir).args(["--select", "c"]).start().unwrap();
    other.wait_success(PATIENCE).unwrap();
    stage.torrent.compare_where(&dir, |file| file.path == ["c"]).unwrap();
}

#[test]
fn waiting_for_metadata_is_ended_at_once() {
    let stage = Stage::new();
    // A peer that is there and has none.
    let peer = Seed::start(&stage.torrent, "plain").unwrap();
    let uri = stage.torrent.magnet(&[&stage.tracker.url()], &[peer.addr()]);
    let dir = stage.dir("target");
    let waiting = download(&stage, &uri, &dir).start().unwrap();
    stage.tracker.wait_event("started").unwrap();
    let began = Instant::now();
    waiting.interrupt();
    assert_eq!(waiting.wait_exit(PATIENCE).unwrap().code(), Some(7), "{}", waiting.log());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let last = "stopped before the metadata of ";
    assert!(waiting.log().contains(last), "{}", waiting.log());
    assert!(fs::read_dir(&dir).unwrap().next().is_none(), "nothing was written");

    let resolving = resolve(&stage, &uri, &stage.dir("out").join("x.torrent"));
    let resolving = resolving.args(["--timeout", "1"]).start().unwrap();
    assert_eq!(resolving.wait_exit(PATIENCE).unwrap().code(), Some(6), "{}", resolving.log());
    assert!(resolving.log().contains("no metadata in time"), "{}", resolving.log());
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    let stage = Stage::new();
    let dir = stage.dir("target");
    let v2 = format!("magnet:?xt=urn:btmh:1220{}", "ab".repeat(32));
    let cases: [(&[&str], i32); 3] = [
        (&["magnet:?xt=urn:btih:123"], 27),
        (&[&v2], 26),
        (&["--save-torrent", "x", stage.file.to_str().unwrap()], 28),
    ];
    for (arguments, code) in cases {
        let cli = Cli::new(["download"]).unwrap().args(arguments).arg("-d").arg(&dir);
        let refused = cli.args(["--bind", "127.0.0.1", "--port", "0"]).start().unwrap();
        assert_eq!(refused.wait_exit(PATIENCE).unwrap().code(), Some(code), "{}", refused.log());
        let log = refused.output(Stream::Stderr);
        assert_eq!(log.lines().filter(|line| line.starts_with("error:")).count(), 1, "{log}");
    }
}

#[test]
fn an_info_hash_alone_is_enough_where_a_peer_is_named() {
    let stage = Stage::new();
    let seed = Seed::giving(&stage.torrent, "seed", stage.torrent.info()).unwrap();
    let (hash, addr) = (stage.torrent.info_hash_hex(), seed.addr().to_string());
    let dir = stage.dir("target");
    let fetch = download(&stage, &hash, &dir).args(["--peer", &addr]).start().unwrap();
    fetch.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    let output = stage.dir("out").join("resolved.torrent");
    let resolve = resolve(&stage, &hash.to_uppercase(), &output).args(["--peer", &addr]);
    resolve.start().unwrap().wait_success(PATIENCE).unwrap();
    assert_eq!(fs::read(&output).unwrap(), stage.torrent.metainfo(&[]));
}

#[test]
fn a_link_with_bad_parts_in_a_file_is_downloaded() {
    let stage = Stage::new();
    let seed = Seed::giving(&stage.torrent, "seed", stage.torrent.info()).unwrap();
    let good = stage.torrent.magnet(&[&stage.tracker.url()], &[seed.addr()]);
    let bad = "&amp;dn=%e9&amp;tr=%ff&amp;x.pe=&amp;x.pe=h:0&amp;so=x&amp;xt=urn:btih:12&amp;%ff=1";
    let link = stage.dir("links").join("link.txt");
    fs::write(&link, format!("\n {}{bad}\r\n", good.replace('&', "&amp;"))).unwrap();
    let dir = stage.dir("target");
    let saved = stage.dir("saved");
    let uri = link.to_str().unwrap();
    let download = download(&stage, uri, &dir).arg("--save-torrent").arg(&saved).start().unwrap();
    download.wait_success(PATIENCE).unwrap();
    stage.torrent.compare(&dir).unwrap();
    let file = saved.join(format!("{}.torrent", stage.torrent.name()));
    assert_eq!(fs::read(file).unwrap(), stage.torrent.metainfo(&[&stage.tracker.url()]));
    assert_eq!(download.output(Stream::Stderr).matches("warning: magnet URI: ").count(), 6);
}
