//! `pieces-cli show`: what it refuses. What it shows is tested with those that make torrents.

use crate::kit::{Stage, run, run_with};

#[test]
fn what_is_no_torrent_is_refused() {
    let stage = Stage::new();
    run(["show", &stage.write("empty", b"")]).refused(25, "empty");
    run(["show", &stage.write("text", b"hello")]).refused(25, "bencode");
    run(["show", &stage.write("list", b"le")]).refused(26, "list");
    run(["show", &stage.path("absent")]).refused(3, "absent: No such file");
    run(["show", stage.folder().to_str().unwrap()]).refused(17, "directory");
    run_with(["show", "-"], b"", &[]).refused(25, "stdin");
}
