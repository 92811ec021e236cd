//! Torrent files: whatever is accepted has safe paths, a geometry without gaps, one hash a piece,
//! and survives being edited.

use std::collections::BTreeSet;

use metainfo::{Edit, File, FileKind, Layout, Magnet, Metainfo};

/// Longer walks than this only repeat themselves.
const MOST_PIECES: usize = 2_000;

/// Reads a torrent and looks at all it says.
pub fn run(data: &[u8]) {
    let torrent = match Metainfo::from_bytes(data) {
        Ok(torrent) => torrent,
        Err(error) => return assert!(!error.to_string().contains(char::is_control), "{error}"),
    };
    paths(&torrent);
    if let Some(layout) = torrent.layout() {
        geometry(layout, torrent.files());
    }
    for piece in (0..torrent.piece_count()).take(MOST_PIECES) {
        assert!(torrent.expected(metainfo::PieceIndex::new(piece)).is_some());
    }
    let beyond = metainfo::PieceIndex::new(torrent.piece_count());
    assert!(torrent.expected(beyond).is_none());
    for warning in torrent.warnings() {
        assert!(!warning.contains(char::is_control), "{warning}");
    }

    let followed =
        Metainfo::from_bytes(&[data, b"\0\0more"].concat()).expect("what follows is ignored");
    assert_eq!(followed.info_bytes(), torrent.info_bytes());
    assert_eq!(followed.files(), torrent.files());

    let magnet = Magnet::of(&torrent).to_string();
    if magnet.len() <= metainfo::MAX_MAGNET_LEN {
        let magnet: Magnet = magnet.parse().expect("ours");
        assert_eq!(magnet.info_hash, torrent.info_hash());
    }

    let comment = Edit { comment: Some("other".into()), ..Edit::default() };
    let edited = comment.apply(data).expect("what was read can be edited");
    assert!(!edited.info_changed);
    let again = Metainfo::from_bytes(&edited.bytes).expect("ours");
    assert_eq!(again.comment(), Some("other"));
    assert_eq!(again.info_hash(), torrent.info_hash());
    assert_eq!(again.info_hash_v2(), torrent.info_hash_v2());
    assert_eq!(again.tiers(), torrent.tiers());
}

fn paths(torrent: &Metainfo) {
    let mut seen = BTreeSet::new();
    for file in torrent.files().iter().filter(|file| file.kind() == FileKind::Regular) {
        let path = file.path_bytes();
        let shown = metainfo::sanitise_name(path);
        assert!(!shown.contains(char::is_control), "shown with controls: {shown:?}");
        assert!(seen.insert(path), "twice: {shown}");
        assert!(!path.contains(&0), "{shown}");
        for component in path.split(|byte| *byte == b'/') {
            assert!(![&b""[..], b".", b".."].contains(&component), "{shown}");
            assert!(component.len() <= metainfo::MAX_COMPONENT_LEN, "{shown}");
        }
    }
    for path in &seen {
        let folders = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (slash, _) in folders {
            assert!(!seen.contains(&path[..slash]), "{}", metainfo::sanitise_name(path));
        }
    }
}

/// Files lie end to end, and each piece's spans are just its bytes.
fn geometry(layout: &Layout, files: &[File]) {
    assert_eq!(layout.file_count(), files.len());
    let mut end = 0;
    for (index, file) in files.iter().enumerate() {
        assert_eq!(layout.file_len(index), file.length());
        assert_eq!(layout.file_offset(index), end);
        end += file.length();
    }
    assert_eq!(layout.total_len(), end);
    let content = files.iter().filter(|file| file.kind() != FileKind::Padding);
    assert_eq!(layout.content_len(), content.map(File::length).sum::<u64>());
    assert!(layout.piece_count() <= metainfo::MAX_PIECES);
    let mut bytes = 0;
    for piece in layout.pieces().take(MOST_PIECES) {
        let len = u64::from(layout.piece_len(piece));
        let spans: u64 = layout.piece_spans(piece).map(|span| span.len).sum();
        assert_eq!(spans, len);
        bytes += len;
        assert!(layout.piece_content_len(piece) <= layout.piece_len(piece));
        let mut last = None;
        for block in layout.blocks(piece).take(MOST_PIECES) {
            let number = layout.block_number(block);
            assert!(number > last, "{block:?}");
            assert!(layout.padding_in(block).all(|part| part.end < block.len() as usize));
            last = number;
        }
    }
    assert!(bytes == end || layout.piece_count() as usize > MOST_PIECES);
}
