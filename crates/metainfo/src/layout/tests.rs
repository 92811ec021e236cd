//! Layout, both ways: every byte is in one block and one file, and the two agree.

use proptest::prelude::*;

use super::*;

mod padding;

fn span(file: usize, offset: u64, len: u64) -> FileSpan {
    FileSpan { file, offset, len }
}

#[test]
fn the_last_block_may_be_short() {
    let layout = Layout::new(49_152, &[135_168]).unwrap();
    assert_eq!(layout.piece_count(), 3);
    assert_eq!(layout.total_len(), 135_168);
    let lens: Vec<_> = layout.pieces().map(|p| layout.piece_len(p)).collect();
    assert_eq!(lens, [49_152, 49_152, 36_864]);
    let last = layout.block(PieceIndex::new(2), 2).unwrap();
    assert_eq!((last.offset(), last.len()), (32_768, 4_096));
    assert_eq!(layout.block(PieceIndex::new(2), 3), None);
    assert_eq!(layout.spans(last).collect::<Vec<_>>(), [span(0, 131_072, 4_096)]);
}

#[test]
fn files_and_empty_files() {
    let layout = Layout::new(10, &[0, 5, 0, 0, 12, 3, 0]).unwrap();
    assert_eq!(layout.piece_count(), 2);
    let first: Vec<_> = layout.piece_spans(PieceIndex::new(0)).collect();
    assert_eq!(first, [span(1, 0, 5), span(4, 0, 5)]);
    let second: Vec<_> = layout.piece_spans(PieceIndex::new(1)).collect();
    assert_eq!(second, [span(4, 5, 7), span(5, 0, 3)]);
    let pieces: Vec<_> = (0..8).map(|file| layout.file_pieces(file)).collect();
    assert_eq!(pieces, [0..0, 0..1, 0..0, 0..0, 0..2, 1..2, 0..0, 0..0]);
    assert_eq!(layout.file_len(4), 12);
    assert_eq!(layout.file_len(7), 0);
    assert_eq!(layout.file_offset(5), 17);
    assert_eq!(layout.file_offset(99), 20);
}

#[test]
fn nothing_at_all() {
    for files in [&[][..], &[0, 0]] {
        let layout = Layout::new(16_384, files).unwrap();
        assert_eq!((layout.piece_count(), layout.total_len()), (0, 0));
        assert_eq!(layout.pieces().count(), 0);
        assert_eq!(layout.piece(0), None);
        assert_eq!(layout.piece_spans(PieceIndex::new(0)).count(), 0);
    }
}

#[test]
fn only_ranges_inside_a_piece_are_blocks() {
    let layout = Layout::new(49_152, &[135_168]).unwrap();
    assert!(layout.range(0, 0, 16_384).is_some());
    assert!(layout.range(0, 1, MAX_REQUEST_LEN).is_some());
    assert!(layout.range(2, 36_863, 1).is_some());
    for (piece, offset, len) in [
        (3, 0, 1),
        (u32::MAX, 0, 1),
        (0, 0, 0),
        (0, 49_152, 0),
        (0, 0, MAX_REQUEST_LEN + 1),
        (0, 49_152, 1),
        (0, 32_768, 16_385),
        (2, 32_768, 4_097),
        (0, u32::MAX, 1),
        (0, 1, u32::MAX),
    ] {
        assert_eq!(layout.range(piece, offset, len), None, "{piece} {offset} {len}");
    }
    let odd = layout.range(2, 32_768, 4_095).unwrap();
    assert_eq!(layout.block_number(odd), None);
    let even = layout.range(2, 32_768, 4_096).unwrap();
    assert_eq!(layout.block_number(even), Some(2));
}

#[test]
fn the_limits_hold_at_both_sides() {
    assert_eq!(Layout::new(0, &[1]).unwrap_err().kind(), ErrorKind::BadValue);
    assert_eq!(Layout::new(MAX_PIECE_LENGTH + 1, &[1]).unwrap_err().kind(), ErrorKind::BadValue);
    assert_eq!(Layout::new(1, &[u64::MAX, 1]).unwrap_err().kind(), ErrorKind::TooLarge);
    let most = u64::from(MAX_PIECES) * u64::from(MAX_PIECE_LENGTH);
    let layout = Layout::new(MAX_PIECE_LENGTH, &[most]).unwrap();
    assert_eq!(layout.piece_len(PieceIndex::new(MAX_PIECES - 1)), MAX_PIECE_LENGTH);
    assert_eq!(layout.file_pieces(0), 0..MAX_PIECES);
    assert_eq!(Layout::new(MAX_PIECE_LENGTH, &[most, 1]).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_stranger_is_harmless() {
    let big = Layout::new(1 << 20, &[1 << 30]).unwrap();
    let block = big.block(PieceIndex::new(1_000), 63).unwrap();
    let small = Layout::new(16_384, &[20_000]).unwrap();
    assert_eq!(small.spans(block).count(), 0);
    assert_eq!(small.block_number(block), None);
    assert_eq!(small.piece_len(PieceIndex::new(u32::MAX)), 0);
    assert_eq!(small.blocks(PieceIndex::new(2)).count(), 0);
    assert_eq!(small.block(PieceIndex::new(0), u32::MAX), None);
}

fn files() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![2 => Just(0_u64), 3 => 0..50_u64, 2 => 0..100_000_u64], 0..20)
}

proptest! {
    #[test]
    fn every_byte_once(piece_length in 1..70_000_u32, files in files()) {
        let Ok(layout) = Layout::new(piece_length, &files) else {
            unreachable!("20 files of 100,000 bytes are within all limits");
        };
        // Blocks in order give the files in order, each from its first byte to its last.
        let mut next = vec![0; files.len()];
        let mut last_file = 0;
        let mut by_file: Vec<Vec<u32>> = vec![Vec::new(); files.len()];
        for piece in layout.pieces() {
            let mut in_piece = 0;
            for (number, block) in (0_u32..).zip(layout.blocks(piece)) {
                prop_assert_eq!(block.offset(), in_piece);
                prop_assert_eq!(layout.block_number(block), Some(number));
                prop_assert_eq!(layout.range(piece.get(), block.offset(), block.len()), Some(block));
                in_piece += block.len();
                let mut in_block = 0;
                for span in layout.spans(block) {
                    prop_assert!(span.len > 0 && span.file >= last_file);
                    prop_assert_eq!(span.offset, next[span.file]);
                    next[span.file] += span.len;
                    in_block += span.len;
                    last_file = span.file;
                    by_file[span.file].push(piece.get());
                }
                prop_assert_eq!(in_block, u64::from(block.len()));
            }
            prop_assert_eq!(in_piece, layout.piece_len(piece));
            prop_assert_eq!(
                layout.piece_spans(piece).map(|s| s.len).sum::<u64>(),
                u64::from(in_piece)
            );
        }
        prop_assert_eq!(&next, &files);
        let whole = (0..).zip(&files).filter(|(_, len)| **len > 0);
        let whole: Vec<_> = whole.map(|(file, len)| span(file, 0, *len)).collect();
        prop_assert_eq!(layout.spans_between(0..u64::MAX).collect::<Vec<_>>(), whole);
        // And back: a file's pieces are those whose blocks touch it.
        for (file, mut pieces) in by_file.into_iter().enumerate() {
            pieces.dedup();
            prop_assert_eq!(layout.file_pieces(file).collect::<Vec<_>>(), pieces);
        }
    }

    #[test]
    fn any_integers_are_answered(
        piece_length in any::<u32>(),
        files in prop::collection::vec(any::<u64>(), 0..4),
        piece in any::<u32>(), offset in any::<u32>(), len in any::<u32>(),
    ) {
        if let Ok(layout) = Layout::new(piece_length, &files) {
            let index = PieceIndex::new(piece);
            if let Some(block) = layout.range(piece, offset, len) {
                let total: u64 = layout.spans(block).map(|span| span.len).sum();
                prop_assert_eq!(total, u64::from(len));
            }
            prop_assert!(layout.piece_len(index) <= piece_length);
            prop_assert!(layout.block(index, offset).is_none_or(|b| b.len() <= BLOCK_LEN));
            prop_assert!(layout.piece_spans(index).count() <= files.len());
            prop_assert!(layout.file_pieces(len as usize).end <= layout.piece_count());
        }
    }
}
