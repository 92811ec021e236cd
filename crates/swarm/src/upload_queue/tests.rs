//! Which request goes first, and that none waits for long.

use std::time::Duration;

use metainfo::{BLOCK_LEN, Layout};

use super::*;

const PIECE_LEN: u64 = 4 * BLOCK_LEN as u64;

struct Fixture {
    queue: UploadQueue,
    layout: Layout,
    now: Instant,
}

impl Fixture {
    fn new() -> Self {
        let layout = Layout::new(4 * BLOCK_LEN, &[500 * PIECE_LEN]).expect("a small torrent");
        Self { queue: UploadQueue::default(), layout, now: Instant::now() }
    }

    /// Requests all blocks of a piece that so many others have.
    fn ask(&mut self, piece: u32, copies: u32) {
        let piece = PieceIndex::new(piece);
        for block in self.layout.blocks(piece) {
            assert!(self.queue.push(self.now, block));
        }
        self.queue.counted(self.now, piece, copies);
    }

    /// Serves a block and gives its piece.
    fn serve(&mut self) -> u32 {
        let (_, block) = self.queue.next(self.now).expect("a request");
        self.queue.start(block, PIECE_LEN);
        block.piece().get()
    }

    fn serve_all(&mut self) -> Vec<u32> {
        let served = (0..self.queue.len()).map(|_| self.serve()).collect();
        assert_eq!((self.queue.len(), self.queue.front()), (0, None));
        served
    }
}

#[test]
fn the_rarest_piece_goes_first_and_is_finished_before_the_next() {
    let mut fixture = Fixture::new();
    fixture.ask(3, 2);
    fixture.ask(1, 0);
    fixture.ask(2, 1);
    fixture.ask(4, 1);
    let order = [[1; 4], [2; 4], [4; 4], [3; 4]].concat();
    assert_eq!(fixture.serve_all(), order);
}

#[test]
fn a_piece_that_another_peer_is_sent_meanwhile_waits() {
    let mut fixture = Fixture::new();
    fixture.ask(1, 0);
    fixture.ask(2, 0);
    fixture.queue.one_more(PieceIndex::new(1));
    assert_eq!(fixture.serve_all(), [[2; 4], [1; 4]].concat());
}

#[test]
fn what_was_deferred_is_served_in_time_though_rarer_requests_keep_coming() {
    let mut fixture = Fixture::new();
    fixture.ask(0, 5);
    let mut served = Vec::new();
    for piece in 1..400 {
        fixture.ask(piece, 0);
        served.push((fixture.now, fixture.serve()));
        fixture.now += Duration::from_millis(50);
    }
    let (_, deferred): (Vec<_>, Vec<_>) = served.iter().partition(|(_, piece)| *piece != 0);
    assert_eq!(deferred.len(), 4);
    let waited = deferred.iter().map(|(at, _)| at.duration_since(served[0].0)).max();
    assert!(waited.expect("four") < DEFER_LAST + Duration::from_secs(1), "{waited:?}");
}

#[test]
fn who_asks_for_a_piece_again_and_again_goes_behind() {
    let mut fixture = Fixture::new();
    fixture.ask(1, 0);
    fixture.serve_all();
    fixture.ask(1, 0);
    fixture.ask(2, 0);
    assert_eq!(fixture.serve_all(), [[2; 4], [1; 4]].concat());
    // It lost the piece: as any other.
    fixture.queue.announced(PieceIndex::new(1));
    assert!(!fixture.queue.is_given(PieceIndex::new(1)));
    fixture.ask(1, 0);
    fixture.ask(2, 0);
    assert_eq!(fixture.serve_all(), [[1; 4], [2; 4]].concat());
}

#[test]
fn what_is_remembered_of_a_peer_has_a_bound() {
    let mut fixture = Fixture::new();
    for piece in 0..500 {
        fixture.ask(piece, 0);
        fixture.serve_all();
    }
    assert_eq!(fixture.queue.given.len(), GIVEN_KEPT);
    for piece in 0..500 {
        fixture.ask(piece, 0);
    }
    let block = fixture.layout.blocks(PieceIndex::new(0)).next().expect("a block");
    assert!(!fixture.queue.push(fixture.now, block), "{MAX_QUEUE} requests are kept");
}

#[test]
fn counts_are_asked_for_anew_after_a_while() {
    let mut fixture = Fixture::new();
    fixture.ask(7, 0);
    assert_eq!(fixture.queue.uncounted(fixture.now), None);
    fixture.now += COPIES_HOLD;
    assert_eq!(fixture.queue.uncounted(fixture.now), Some(PieceIndex::new(7)));
}
