//! `pieces-cli show`: what it refuses. What it shows is tested with those that make torrents.

use crate::kit::{Stage, run, run_with};

#[test]
fn what_is_no_torrent_is_refused() {
    let stage = Stage::new();
    run(["show", &stage.write("empty", b"")]).refused(25, "empty");
    run(["show", &stage.write("text", b"hello")]).refused(25, "bencode");
    run(["show", &stage.write("list", b"le")]).refused(26, "list");
    run(["show", &stage.path("absent")])
        .refused(3, "absent: cannot read it: No such file or directory; check the path");
    run(["show", stage.folder().to_str().unwrap()]).refused(17, "directory");
    run_with(["show", "-"], b"", &[]).refused(25, "stdin");
}

#[test]
fn what_is_odd_is_read_and_told() {
    let stage = Stage::new();
    let info =
        "d6:lengthi3e4:name4:a\u{1b}[m12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let torrent = stage.write("odd.torrent", format!("d4:info{info}e\n").as_bytes());
    let shown = run(["show", &torrent]);
    assert_eq!(shown.code, 0);
    // The name is what it is; only the terminal is spared it.
    assert!(shown.out.contains(r"a\u{1b}[m"), "{}", shown.out);
    let told: Vec<&str> = shown.err.lines().collect();
    assert!(told.iter().all(|line| line.starts_with("warning: ")), "{told:?}");
    assert!(told[0].ends_with(": ignored: 1 byte after the torrent"), "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
}
