//! Padding anywhere: blocks are the other bytes, each once, and begin and end with one of them.

use proptest::prelude::*;

use super::super::*;

fn blocks(layout: &Layout, piece: u32) -> Vec<(u32, u32, u32)> {
    let piece = PieceIndex::new(piece);
    let number = |block| layout.block_number(block).unwrap();
    layout.blocks(piece).map(|b| (number(b), b.offset(), b.len())).collect()
}

#[test]
fn a_hybrids_blocks_are_its_files_bytes_alone() {
    // Three files of 10,001 to 10,003 bytes, each at the start of a piece of 256 KiB.
    let piece = 262_144_u64;
    let lengths = [10_001, piece - 10_001, 10_002, piece - 10_002, 10_002, piece - 10_002];
    let layout = Layout::new(262_144, &lengths).unwrap().with_padding(|file| file % 2 == 1);
    assert_eq!((layout.total_len(), layout.content_len()), (3 * piece, 30_005));
    assert_eq!(blocks(&layout, 0), [(0, 0, 10_001)]);
    assert_eq!(blocks(&layout, 2), [(0, 0, 10_002)]);
    let first = PieceIndex::new(0);
    assert_eq!((layout.block_count(first), layout.padding_block_count(first)), (16, 15));
    assert_eq!((layout.piece_len(first), layout.piece_content_len(first)), (262_144, 10_001));
    assert_eq!(layout.padding_pieces().count(), 0);
}

#[test]
fn blocks_keep_their_numbers_where_padding_comes_first_or_between() {
    // One piece: a block of padding, a block whose head is padding, one with some in its middle.
    let lengths = [20_000, 12_768 + 100, 50, 16_284 - 50];
    let layout = Layout::new(49_152, &lengths).unwrap().with_padding(|file| file % 2 == 0);
    let piece = PieceIndex::new(0);
    assert_eq!(layout.block(piece, 0), None);
    assert_eq!(blocks(&layout, 0), [(1, 20_000, 12_768), (2, 32_768, 16_384)]);
    let middle = layout.block(piece, 2).unwrap();
    let within = layout.padding_in(middle).map(|part| (part.start, part.end));
    assert_eq!(within.collect::<Vec<_>>(), [(100, 150)]);
    assert_eq!(layout.padding_in(layout.block(piece, 1).unwrap()).count(), 0);
    assert_eq!(layout.padding_block_count(piece), 1);
    // Peers may still ask for padding.
    assert!(layout.range(0, 0, 16_384).is_some());
    // What is not one of ours has no number.
    assert_eq!(layout.block_number(layout.range(0, 16_384, 16_384).unwrap()), None);
}

#[test]
fn pieces_of_padding_alone_are_known() {
    // Pieces of 10: content, padding over three pieces and a half, content, padding to the end.
    let lengths = [15, 20, 15, 3, 0, 8];
    let layout =
        Layout::new(10, &lengths).unwrap().with_padding(|file| matches!(file, 1 | 2 | 4 | 5));
    let alone: Vec<u32> = layout.padding_pieces().map(PieceIndex::get).collect();
    assert_eq!(alone, [2, 3, 4, 6]);
    for piece in layout.pieces() {
        let content = layout.piece_content_len(piece);
        assert_eq!(content == 0, alone.contains(&piece.get()), "{piece}");
        assert_eq!(layout.blocks(piece).count() == 0, content == 0, "{piece}");
    }
    assert_eq!(layout.content_len(), 18);
}

#[test]
fn a_torrent_of_nothing_but_padding_has_nothing_to_ask_for() {
    let layout = Layout::new(16_384, &[40_000]).unwrap().with_padding(|_| true);
    assert_eq!(layout.content_len(), 0);
    assert_eq!(layout.padding_pieces().count(), 3);
    assert_eq!(layout.blocks(PieceIndex::new(2)).count(), 0);
}

fn files() -> impl Strategy<Value = Vec<(u64, bool)>> {
    let length = prop_oneof![1 => Just(0_u64), 2 => 0..50_u64, 2 => 0..100_000_u64];
    prop::collection::vec((length, any::<bool>()), 0..20)
}

proptest! {
    #[test]
    fn every_byte_is_content_once_or_padding(piece_length in 1..70_000_u32, files in files()) {
        let lengths: Vec<u64> = files.iter().map(|file| file.0).collect();
        let is_padding = |file: usize| files[file].1;
        let plain = Layout::new(piece_length, &lengths).unwrap();
        let layout = plain.clone().with_padding(is_padding);
        let content: u64 = files.iter().filter(|file| !file.1).map(|file| file.0).sum();
        prop_assert_eq!(layout.content_len(), content);
        prop_assert_eq!(layout.total_len(), plain.total_len());
        let mut asked = vec![0; files.len()];
        let mut padding_pieces = Vec::new();
        for piece in layout.pieces() {
            let of = |padding: bool| -> u64 {
                let spans = layout.piece_spans(piece);
                spans.filter(|span| is_padding(span.file) == padding).map(|span| span.len).sum()
            };
            prop_assert_eq!(u64::from(layout.piece_content_len(piece)), of(false));
            let mut numbers = 0;
            for block in layout.blocks(piece) {
                let number = layout.block_number(block).unwrap();
                prop_assert_eq!(layout.block(piece, number), Some(block));
                let spans: Vec<FileSpan> = layout.spans(block).collect();
                // It begins and ends with what is no padding.
                let ends = [spans[0].file, spans[spans.len() - 1].file];
                prop_assert!(ends.iter().all(|file| !is_padding(*file)), "{:?}", spans);
                let mut at = 0;
                let mut between = Vec::new();
                for span in spans {
                    if is_padding(span.file) {
                        between.extend(at..at + span.len);
                    } else {
                        asked[span.file] += span.len;
                    }
                    at += span.len;
                }
                let within: Vec<u64> =
                    layout.padding_in(block).flatten().map(|byte| byte as u64).collect();
                prop_assert_eq!(within, between);
                numbers += 1;
            }
            prop_assert_eq!(numbers + layout.padding_block_count(piece), layout.block_count(piece));
            if of(false) == 0 {
                padding_pieces.push(piece);
            }
        }
        for (file, (length, padding)) in files.iter().enumerate() {
            prop_assert_eq!(asked[file], if *padding { 0 } else { *length });
        }
        prop_assert_eq!(layout.padding_pieces().collect::<Vec<_>>(), padding_pieces);
        if files.iter().all(|file| !file.1 || file.0 == 0) {
            prop_assert_eq!(layout, plain);
        }
    }
}
