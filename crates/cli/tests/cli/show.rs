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

#[test]
fn several_are_shown_and_each_stands_for_itself() {
    let stage = Stage::new();
    let make = |name: &str| {
        let torrent = stage.path(&format!("{name}.torrent"));
        run(["create", &stage.write(name, b"content"), "-o", &torrent]).success();
        torrent
    };
    let (one, absent, two) = (make("one"), stage.path("absent"), make("two"));
    let bad = stage.write("bad", b"le");
    let shown = run(["show", &one, &absent, &bad, &two]);
    let errors: Vec<&str> = shown.err.lines().collect();
    assert!(
        errors.len() == 2 && errors[0].contains("absent") && errors[1].contains("bad"),
        "{errors:?}"
    );
    // A torrent that is none is worse than one that is not there.
    assert_eq!(shown.code, 26);
    let (first, second) = shown.out.split_once("\n\n").unwrap();
    assert!(first.starts_with("name          one\n"), "{first}");
    assert!(second.starts_with("name          two\n"), "{second}");
    let shown = run(["show", "--json", &one, &two]).success();
    let all = serde_json::Deserializer::from_str(&shown).into_iter::<serde_json::Value>();
    let names: Vec<_> = all.map(|one| one.unwrap()["name"].clone()).collect();
    assert_eq!(names, ["one", "two"]);
    let uris = run(["magnet", &one, &two]).success();
    assert_eq!(uris.lines().count(), 2, "{uris}");
    assert!(uris.lines().all(|uri| uri.starts_with("magnet:?xt=urn:btih:")), "{uris}");
}

#[test]
fn what_is_behind_another_scheme_is_not_looked_for_on_disk() {
    for url in ["ftp://host/a.torrent", "udp://host:1/announce", "FTP://u:secret@host/x"] {
        let told = run(["show", url]);
        assert!(!told.err.contains("secret"), "{}", told.err);
        told.refused(28, "which is not fetched; a torrent can be behind http or https");
    }
    // Any name may be that of a file.
    let stage = Stage::new();
    let file = stage.write("ftp:/x", b"le");
    crate::kit::run_in(stage.folder(), &["show", "ftp://x"]).refused(26, "dictionary");
    run(["show", &file]).refused(26, "dictionary");
}
