//! `pieces-cli announce` and `scrape`, against a tracker that answers what it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::kit::{Stage, run};

/// Answers every request with `body`; gives its URL and the lines of the requests.
fn tracker(body: &'static [u8]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.find(String::is_empty);
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let answer = [head.as_bytes(), body].concat();
            // A client that left is no business of the test.
            let _ = (&stream).write_all(&answer);
            if sender.send(request).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

/// A URL on which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("http://{}/announce", listener.local_addr().unwrap())
}

fn torrent(stage: &Stage, trackers: &[&str]) -> String {
    let file = stage.write("f", b"content");
    let torrent = stage.path("t");
    let tiers = trackers.iter().flat_map(|tier| ["-t", tier]);
    run(["create", &file, "-o", &torrent].into_iter().chain(tiers)).success();
    torrent
}

#[test]
fn announce_tells_what_each_tracker_answers_and_leaves() {
    let stage = Stage::new();
    let (url, requests) = tracker(
        b"d8:completei3e10:incompletei4e8:intervali1800e5:peers6:\x05\x06\x07\x08\x1a\xe1e",
    );
    let nobody = nobody();
    let torrent = torrent(&stage, &[&url, &nobody]);
    let told = run(["announce", &torrent, "--json", "--port", "7000"]);
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    let report = told.json();
    let answer = &report["trackers"][0];
    for (key, value) in [
        ("url", json!(url)),
        ("tier", json!(0)),
        ("error", Value::Null),
        ("complete", json!(3)),
        ("incomplete", json!(4)),
        ("interval", json!(1800)),
        ("peers", json!(["5.6.7.8:6881"])),
    ] {
        assert_eq!(answer[key], value, "{key}");
    }
    assert!(answer["milliseconds"].is_u64());
    assert_eq!(report["trackers"][1]["tier"], 1);
    assert!(report["trackers"][1]["error"].is_string());
    let (first, second) = (requests.recv().unwrap(), requests.recv().unwrap());
    assert!(first.contains("port=7000") && first.contains("left=7"), "{first}");
    assert!(!first.contains("event="), "{first}");
    assert!(second.contains("event=stopped"), "{second}");
    let text = run(["announce", &torrent]).success();
    assert!(text.contains("3 seeds, 4 leechers, gives 1 peer,"), "{text}");
    assert!(text.contains("1 of 2 trackers answered"), "{text}");
}

#[test]
fn scrape_tells_the_counts() {
    let stage = Stage::new();
    let (url, requests) = tracker(b"d5:filesdee");
    let torrent = torrent(&stage, &[&url]);
    let told = run(["scrape", &torrent]).failed(6, "not one tracker");
    assert!(told.contains("does not know"), "{told}");
    assert!(requests.recv().unwrap().contains("/scrape?info_hash="));
}

#[test]
fn no_answer_at_all_is_a_failure_of_the_network() {
    let stage = Stage::new();
    let torrent = torrent(&stage, &[&nobody()]);
    let report = run(["announce", &torrent, "--json"]);
    assert!(report.json()["trackers"][0]["error"].is_string());
    report.failed(6, "not one tracker");
    run([
        "announce",
        &stage.write("t", b"d4:infod6:lengthi0e4:name1:x12:piece lengthi16384e6:pieces0:ee"),
    ])
    .refused(1, "names no tracker");
}

#[test]
fn the_password_of_a_tracker_is_sent_and_kept_and_never_shown() {
    let stage = Stage::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, heads) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let body = "d8:intervali1800e5:peers0:e";
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            // A client that left is no business of the test.
            let _ = (&stream).write_all(answer.as_bytes());
            if sender.send(head.join("\n")).is_err() {
                return;
            }
        }
    });
    let url = format!("http://me:s3cret@{addr}/announce");
    let torrent = torrent(&stage, &[&url, "http://me:s3cret@127.0.0.1:1/announce"]);
    assert!(String::from_utf8_lossy(&stage.read("t")).contains(&url));
    let shown = format!("http://***@{addr}/announce");
    let magnet = format!("magnet:?xt=urn:btih:{}&tr={url}", "ab".repeat(20));
    for (arguments, shows) in [
        (vec!["announce", &torrent], true),
        (vec!["announce", &torrent, "--json"], true),
        (vec!["scrape", &torrent, "--json"], true),
        (vec!["show", &torrent], true),
        (vec!["show", &torrent, "--json"], true),
        (vec!["show", &magnet], true),
        (vec!["show", &magnet, "--json"], true),
        (vec!["magnet", "show", &magnet], true),
        (vec!["magnet", "show", &magnet, "--json"], true),
        // What is given to others has no password, and says so.
        (vec!["magnet", &torrent], false),
    ] {
        let told = run(arguments.iter().copied().chain(["-vvv"]));
        let (out, err) = (&told.out, &told.err);
        assert!(!out.contains("s3cret") && !err.contains("s3cret"), "{arguments:?}: {out}{err}");
        assert_eq!(out.contains(&shown), shows, "{arguments:?}: {out}");
    }
    assert!(heads.recv().unwrap().contains("authorization: Basic bWU6czNjcmV0"));
    let told = run(["magnet", &torrent]);
    assert!(told.out.contains(&format!("&tr=http%3A%2F%2F{}", addr.ip())), "{}", told.out);
    assert!(told.err.contains("leaves out the user and password"), "{}", told.err);
    let refused = run(["create", &stage.path("f"), "-o", "-", "-t", "foo://me:s3cret@host/"]);
    assert!(refused.code != 0 && !refused.err.contains("s3cret"), "{}", refused.err);
    let resolved = run([
        "magnet",
        "resolve",
        &magnet,
        "-o",
        &stage.path("out"),
        "--timeout",
        "1",
        "--bind",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dht",
        "--no-lsd",
    ]);
    assert!(resolved.code != 0 && !resolved.err.contains("s3cret"), "{}", resolved.err);
}

#[test]
fn who_is_waited_for_is_told_after_a_moment() {
    let stage = Stage::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://me:s3cret@{}/announce", listener.local_addr().unwrap());
    let torrent = torrent(&stage, &[&url, &nobody()]);
    let mut announce = std::process::Command::new(env!("CARGO_BIN_EXE_pieces-cli"));
    announce.args(["announce", &torrent]).stdin(std::process::Stdio::null());
    announce.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut announce = announce.spawn().unwrap();
    let (asked, _) = listener.accept().unwrap();
    let mut told = String::new();
    BufReader::new(announce.stderr.take().unwrap()).read_line(&mut told).unwrap();
    // It hears nothing before this has told what it waits for.
    drop((asked, listener));
    announce.wait().unwrap();
    let shown = url.replace("me:s3cret", "***");
    assert!(told.starts_with("waiting for 1 of 2 trackers, 1s: "), "{told}");
    assert!(told.trim_end().ends_with(&shown), "{told}");
}
