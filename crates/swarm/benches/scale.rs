//! What a `have`, a block and a pick cost as torrents grow: in steps all stay flat from a thousand to a
//! million pieces; in time, as far as the caches reach. `cargo bench -p pieces-swarm`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

use std::net::SocketAddr;
use std::time::Instant;

use divan::Bencher;
use divan::counter::ItemsCount;
use metainfo::{Layout, PieceIndex, PieceSet};
use swarm::{Action, Checked, Config, DiskDone, DiskJob, Input, Origin, PeerKey, Phase, Torrent};
use wire::{Message, PeerId, Pool};

const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// How many are measured at a time, after as many as `WARM_UP`: fewer than the smallest torrent
/// has together.
const BATCH: u32 = 800;
/// The first blocks pay for the sorting that a big bitfield brings.
const WARM_UP: u32 = 50;

fn main() {
    divan::main();
}

struct Bench {
    torrent: Torrent,
    layout: Layout,
    now: Instant,
    pool: Pool,
}

impl Bench {
    #[allow(clippy::disallowed_methods, reason = "virtual time has to begin somewhere")]
    fn new(pieces: u32, piece_length: u32) -> Self {
        let total = u64::from(pieces) * u64::from(piece_length);
        let layout = Layout::new(piece_length, &[total]).expect("a valid size");
        let config = Config::new(PeerId([1; 20]));
        let phase = Phase::Pieces(layout.clone(), PieceSet::new_empty(pieces));
        let torrent = Torrent::new(config, phase, 1);
        Self { torrent, layout, now: Instant::now(), pool: Pool::new(64 << 20) }
    }

    fn connect(&mut self, number: u8, set: Option<PieceSet>) -> PeerKey {
        let peer = PeerKey(u64::from(number));
        let addr = SocketAddr::from(([10, 0, 0, number], 6881));
        let connected = Input::Connected {
            peer,
            addr,
            origin: Origin::Incoming,
            peer_id: PeerId([number; 20]),
            reserved: wire::Reserved::NONE,
        };
        self.torrent.handle(self.now, connected);
        if let Some(set) = set {
            self.tell(peer, Message::Bitfield(set.as_bytes().into()));
            self.tell(peer, Message::Unchoke);
        }
        peer
    }

    fn tell(&mut self, peer: PeerKey, message: Message) {
        self.torrent.handle(self.now, Input::Message { peer, message });
    }

    /// Answers requests until `blocks` have come; gives the torrent back so that dropping it is
    /// not measured.
    fn download(mut self, blocks: u32) -> Self {
        let mut came = 0;
        while came < blocks {
            let Some(action) = self.torrent.poll() else { break };
            match action {
                Action::Send { peer, message: Message::Request(request) } => {
                    came += 1;
                    let payload = self.pool.try_take(request.len as usize).expect("a buffer");
                    let (piece, offset) = (request.piece, request.offset);
                    self.tell(peer, Message::Piece { piece, offset, payload });
                }
                Action::Disk(DiskJob::Check { piece, .. }) => {
                    let outcome = Checked::Good { blocks: Vec::new() };
                    let done = DiskDone::Checked { piece, outcome };
                    self.torrent.handle(self.now, Input::Disk(done));
                }
                _ => {}
            }
        }
        assert_eq!(came, blocks);
        self
    }
}

/// A peer with most of the torrent comes, and the first pick sorts: grows with the torrent, once.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn bitfield_and_first_pick(bencher: Bencher<'_, '_>, pieces: u32) {
    let mut most = PieceSet::new_full(pieces);
    most.remove(PieceIndex::new(0));
    bencher.with_inputs(|| Bench::new(pieces, 16)).bench_local_values(|mut bench| {
        bench.connect(2, Some(most.clone()));
        bench.torrent.poll();
        bench
    });
}

#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn have(bencher: Bencher<'_, '_>, pieces: u32) {
    haves(bencher, pieces, |all| fastrand::Rng::with_seed(7).shuffle(all));
}

/// The steps are the same, so what the other costs more is waiting for memory that is in no cache.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn have_of_the_next_piece(bencher: Bencher<'_, '_>, pieces: u32) {
    haves(bencher, pieces, |_| ());
}

fn haves(bencher: Bencher<'_, '_>, pieces: u32, arrange: impl Fn(&mut [PieceIndex]) + Sync) {
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| {
            let mut bench = Bench::new(pieces, 16);
            let peers = [bench.connect(2, None), bench.connect(3, None)];
            let mut all: Vec<PieceIndex> = bench.layout.pieces().collect();
            arrange(&mut all);
            for peer in peers {
                bench.tell(peer, Message::Have(all[all.len() - 1].get()));
            }
            (bench, peers, all)
        })
        .bench_local_values(|(mut bench, peers, all)| {
            for piece in all.iter().take(BATCH as usize / 2) {
                for peer in peers {
                    bench.tell(peer, Message::Have(piece.get()));
                }
            }
            (bench, all)
        });
}

/// Pieces of one block: every block means a pick, a check and telling everybody.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn block_of_a_tiny_piece(bencher: Bencher<'_, '_>, pieces: u32) {
    download(bencher, pieces, 16 * 1024, &PieceSet::new_full(pieces));
}

/// Pieces of 64 blocks, as most torrents have them.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn block_of_a_usual_piece(bencher: Bencher<'_, '_>, pieces: u32) {
    download(bencher, pieces, 1024 * 1024, &PieceSet::new_full(pieces));
}

/// The peer has few pieces, wherever they are: the pick has to find them.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn block_from_a_peer_with_few_pieces(bencher: Bencher<'_, '_>, pieces: u32) {
    let mut all: Vec<u32> = (0..pieces).collect();
    fastrand::Rng::with_seed(9).shuffle(&mut all);
    let mut few = PieceSet::new_empty(pieces);
    for piece in all.into_iter().take((BATCH + 2 * WARM_UP) as usize) {
        few.insert(PieceIndex::new(piece));
    }
    download(bencher, pieces, 16 * 1024, &few);
}

fn download(bencher: Bencher<'_, '_>, pieces: u32, piece_length: u32, set: &PieceSet) {
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| {
            let mut bench = Bench::new(pieces, piece_length);
            // Half of the torrent with one more peer, so that there are rarities to sort.
            let mut half = PieceSet::new_empty(pieces);
            bench.layout.pieces().step_by(2).for_each(|piece| {
                half.insert(piece);
            });
            let other = bench.connect(2, None);
            bench.tell(other, Message::Bitfield(half.as_bytes().into()));
            bench.connect(3, Some(set.clone()));
            bench.download(WARM_UP)
        })
        .bench_local_values(|bench| bench.download(BATCH));
}
