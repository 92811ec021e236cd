//! Lines of any width, of one torrent and of many.

use super::*;

fn row(down: u64, up: u64) -> Row {
    named("debian.iso", down, up)
}

fn named(name: &str, down: u64, up: u64) -> Row {
    let mut row = Row::new(name, 7_654 << 20);
    (row.have, row.down, row.up, row.peers) = (123 << 20, down, up, 123);
    row.sources = [(Source::Tracker, 100), (Source::Dht, 20), (Source::Pex, 3)].into();
    row.stage = Stage::Downloading;
    row
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let long = "a name that is rather long for a terminal";
    for width in 20..200 {
        for now in [(0, 0), (123 << 20, 123 << 20), (1 << 10, 0)] {
            let line = line(&named(long, now.0, now.1), width, None);
            assert!(measure_text_width(&line) <= width, "{width}: {line}");
            assert!(width < 30 || line.contains('↓'), "{width}: {line}");
            assert!(width < 42 || line.contains("ETA") == (now.0 > 0), "{width}: {line}");
        }
    }
}

#[test]
fn rates_are_left_out_until_there_is_one() {
    let mut now = row(0, 0);
    assert!(line(&now, 80, None).contains("↓ 0 B/s"), "nothing has moved, which is a rate");
    now.downloaded = 16 << 10;
    let first = line(&now, 80, None);
    assert_eq!(first, "debian.iso    1%  123 MiB/7.47 GiB  123 peers");
    let sum = Row::sum("2 torrents", &[&now, &row(0, 0)]);
    assert!(!line(&sum, 80, None).contains("B/s"), "one of them is not known");
    now.over(16 << 10, 0);
    let sum = Row::sum("2 torrents", &[&now, &row(0, 0)]);
    assert!(line(&sum, 80, None).contains("↓ 0 B/s"), "what has ended has no rate to wait for");
}

#[test]
fn eighty_columns_have_room_for_all() {
    let line = line(&row(12 << 20, 3 << 20), 80, None);
    let wanted =
        "debian.iso    1%  123 MiB/7.47 GiB  ↓ 12.0 MiB/s  ↑ 3.00 MiB/s  123 peers  ETA 10m27s";
    assert_eq!(line, wanted.replace("  ↑ 3.00 MiB/s", ""));
}

#[test]
fn where_peers_came_from_is_told_where_there_is_room() {
    let now = row(12 << 20, 3 << 20);
    let at = |width| one(&now, width);
    assert!(at(200).ends_with("  (tracker 100, dht 20, pex 3)"), "{}", at(200));
    assert!(at(usize::MAX).ends_with("  (tracker 100, dht 20, pex 3)"));
    assert_eq!(at(100), line(&now, 100, None));
    for width in 80..200 {
        let line = line(&now, width, None);
        assert!(at(width) == line || measure_text_width(&at(width)) <= width, "{width}");
    }
    assert_eq!(with_sources("line".into(), &BTreeMap::new(), 99), "line");
}

#[test]
fn a_bar_does_not_come_and_go() {
    let bar = |now: (u64, u64), width| {
        line(&named("name", now.0, now.1), width, None).matches(['█', '░']).count()
    };
    for width in 30..200 {
        assert_eq!(bar((0, 0), width), bar((99 << 20, 99 << 20), width), "{width}");
    }
    assert_eq!(bar((0, 0), 80), 0);
    assert!(bar((0, 0), 120) > 20);
}

#[test]
fn several_torrents_have_a_line_each_as_far_as_the_terminal_is_high() {
    let mut rows: Vec<Row> = (0..7).map(|n| named(&format!("torrent {n}"), n << 20, 0)).collect();
    rows[2].stage = Stage::Checking { done: 1, total: 3 };
    rows[3].stage = Stage::Metadata(Some(Metadata { bytes: 0, total: 0, sources: 0 }));
    rows[6].over(9, 9);
    let all: Vec<&Row> = rows.iter().collect();
    for width in [40, 80, 160] {
        for height in 0..20 {
            let block = block("7 torrents", &all, width, height);
            let lines: Vec<&str> = block.lines().collect();
            assert!(lines.len() <= height.max(1), "{height}: {block}");
            assert!(lines.iter().all(|line| measure_text_width(line) <= width), "{block}");
            assert!(lines[lines.len() - 1].starts_with("7 torrents"), "{block}");
            let shown = block.matches("torrent ").count();
            let more =
                lines.iter().find_map(|line| line.strip_prefix("and ")?.strip_suffix(" more"));
            let more: usize = more.map_or(0, |more| more.parse().unwrap());
            assert!(height < 2 || shown + more == 6, "{height}: {block}");
            // What has ended is in the sum alone.
            assert!(!block.contains("torrent 6"), "{block}");
            assert!(height < 4 || block.contains("torrent 5"), "{block}");
        }
    }
    let block = block("7 torrents", &all, 80, 20);
    assert!(block.contains("torrent 2   checking files 33%\n"), "{block}");
    assert!(block.contains("torrent 3   waiting for the metadata"), "{block}");
}

#[test]
fn strangers_names_cannot_break_a_line() {
    let row = named("a\nb\u{1b}[2J", 1, 1);
    let (line, block) = (one(&row, 80), block("all", &[&row], 80, 9));
    assert!(!line.contains(['\n', '\u{1b}']), "{line:?}");
    assert!(block.lines().count() == 2 && !block.contains('\u{1b}'), "{block:?}");
}

#[test]
fn no_share_is_told_while_a_size_is_unknown() {
    let known = row(1 << 20, 0);
    let mut magnet = Row::new("a magnet", 0);
    for stage in [Stage::Opening, Stage::Metadata(None)] {
        magnet.stage = stage;
        for width in [80, 120, usize::MAX] {
            let sum = line(&Row::sum("2 torrents", &[&known, &magnet]), width, None);
            assert!(sum.contains("  ?  123 MiB/?  ↓ 1.00 MiB/s"), "{sum}");
            assert!(!sum.contains('%') && !sum.contains("ETA") && !sum.contains('░'), "{sum}");
        }
    }
    // One that failed before its size was known is not waited for.
    magnet.over(0, 0);
    let sum = line(&Row::sum("2 torrents", &[&known, &magnet]), 80, None);
    assert!(sum.contains("1%  123 MiB/7.47 GiB"), "{sum}");
}
