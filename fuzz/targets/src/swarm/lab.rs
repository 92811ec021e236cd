//! The world around the torrent under test: connections as their messages show them, a disk that
//! keeps a mark for each block, the clock. It checks what the torrent does, and decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use metainfo::{Block, Layout, PieceIndex, PieceSet};
use swarm::{
    Action, Checked, Config, DiskDone, DiskJob, Input, Origin, PeerKey, Phase, Torrent, limits,
};
use wire::{Message, Payload, PeerId, Request, Reserved};

use super::talk::Talk;

/// Three blocks, the last of them short.
const PIECE_LEN: u32 = 40_000;

/// The mark of right bytes.
const RIGHT: u8 = 0;

pub(super) struct Lab {
    pub(super) torrent: Torrent,
    pub(super) layout: Layout,
    pub(super) dials: VecDeque<SocketAddr>,
    now: Instant,
    open: BTreeMap<PeerKey, Open>,
    keys: u64,
    jobs: VecDeque<DiskJob>,
    written: BTreeMap<Block, u8>,
    have: PieceSet,
}

/// One connection: what was said on it, and what its peer means to answer.
struct Open {
    talk: Talk,
    /// What it was asked for and may still give.
    owes: VecDeque<Request>,
    /// Payload bytes sent to it that it has not read yet.
    credit: u32,
}

impl Lab {
    /// A torrent of one to eight pieces, of which some are here already, without padding or with.
    pub(super) fn new(shape: u8, here: u8) -> Self {
        let pieces = u32::from(shape % 8) + 1;
        // The last piece is short too.
        let total = u64::from(pieces * PIECE_LEN - 20_000);
        let layout = if shape < 128 {
            Layout::new(PIECE_LEN, &[total])
        } else {
            // Ends within a block, and a whole piece of nothing else where there are many.
            let lengths = [7_000, 9_000, 2_000, 1_000].map(|len| u64::from(pieces) * len);
            let last = total - lengths.iter().sum::<u64>();
            let lengths = [&lengths[..], &[last]].concat();
            Layout::new(PIECE_LEN, &lengths).map(|layout| layout.with_padding(|file| file % 2 == 1))
        };
        let layout = layout.expect("a small torrent");
        let mut have = PieceSet::new_empty(pieces);
        for piece in layout.padding_pieces() {
            have.insert(piece);
        }
        for piece in layout.pieces().filter(|piece| here >> piece.get() & 1 == 1) {
            have.insert(piece);
        }
        let mut config = Config::new(PeerId([7; 20]));
        config.reserved = Reserved::NONE.with_extended().with_fast();
        config.info_hash = Some([7; 20].into());
        config.own_addrs = vec![Self::addr(0)];
        config.max_peers = 6;
        config.max_half_open = 4;
        config.unchoke_slots = 2;
        config.sequential = here == 1;
        let phase = Phase::Pieces(layout.clone(), have.clone());
        Self {
            torrent: Torrent::new(config, phase, 1),
            layout,
            dials: VecDeque::new(),
            now: Instant::now(),
            open: BTreeMap::new(),
            keys: 0,
            jobs: VecDeque::new(),
            written: BTreeMap::new(),
            have,
        }
    }

    pub(super) fn addr(number: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(10, 0, 0, number / 2), 6_881 + u16::from(number % 2)))
    }

    pub(super) fn input(&mut self, input: Input) {
        self.torrent.handle(self.now, input);
        while let Some(action) = self.torrent.poll() {
            self.perform(action);
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.torrent.handle_timeout(self.now);
        while let Some(action) = self.torrent.poll() {
            self.perform(action);
        }
        let next = self.torrent.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "the timer is due again at once");
    }

    pub(super) fn connect(
        &mut self,
        addr: SocketAddr,
        origin: Origin,
        peer_id: PeerId,
        reserved: Reserved,
    ) {
        self.keys += 1;
        let peer = PeerKey(self.keys);
        let talk = Talk::new(reserved.has_fast());
        self.open.insert(peer, Open { talk, owes: VecDeque::new(), credit: 0 });
        self.input(Input::Connected { peer, addr, origin, peer_id, reserved });
    }

    /// One of the connections.
    pub(super) fn peer(&self, which: u8) -> Option<PeerKey> {
        self.open.keys().copied().nth(usize::from(which) % self.open.len().max(1))
    }

    pub(super) fn closed(&mut self, peer: PeerKey) {
        self.open.remove(&peer);
        self.input(Input::Closed { peer });
    }

    pub(super) fn say(&mut self, peer: PeerKey, message: Message) {
        let Some(open) = self.open.get_mut(&peer) else { return };
        open.talk.received(&message);
        self.input(Input::Message { peer, message });
    }

    /// What a peer was asked for first, and does not mean to answer any more.
    pub(super) fn owed(&mut self, which: u8) -> Option<(PeerKey, Request)> {
        let owing = || self.open.iter().filter(|(_, open)| !open.owes.is_empty());
        let (&peer, _) = owing().nth(usize::from(which) % owing().count().max(1))?;
        Some((peer, self.open.get_mut(&peer)?.owes.pop_front()?))
    }

    /// A peer gives the block that it was asked for first, mostly the right one.
    pub(super) fn obey(&mut self, which: u8, how: u8) {
        let Some((peer, Request { piece, offset, len })) = self.owed(which) else { return };
        let mark = if how.is_multiple_of(8) { how } else { RIGHT };
        let payload = Payload::detached(vec![mark; len as usize]);
        self.say(peer, Message::Piece { piece, offset, payload });
    }

    /// A peer reads what it was sent.
    pub(super) fn drain(&mut self, which: u8) {
        let Some(peer) = self.peer(which) else { return };
        let bytes = self.open.get_mut(&peer).map_or(0, |open| std::mem::take(&mut open.credit));
        if bytes > 0 {
            let dropped = which >= 128;
            self.input(if dropped {
                Input::Dropped { peer, bytes }
            } else {
                Input::Drained { peer, bytes }
            });
        }
    }

    /// The disk forgets a piece, if it had it.
    pub(super) fn lose(&mut self, piece: PieceIndex) -> bool {
        self.have.remove(piece)
    }

    /// The disk does its next jobs, up to one that has an answer.
    pub(super) fn disk(&mut self, how: u8) {
        let fails = how >= 240;
        while let Some(job) = self.jobs.pop_front() {
            let done = match job {
                DiskJob::Write { block, payload } => {
                    let mark = payload.first().copied().expect("a block has bytes");
                    let again = self.written.insert(block, mark);
                    assert!(again.is_none(), "written twice: {block:?}");
                    continue;
                }
                DiskJob::Discard { piece } => {
                    self.written.retain(|block, _| block.piece() != piece);
                    continue;
                }
                DiskJob::Check { piece, digests } => self.checked(piece, digests, fails),
                DiskJob::Read { peer, block } if fails || !self.have.contains(block.piece()) => {
                    DiskDone::ReadFailed { peer, block }
                }
                DiskJob::Read { peer, block } => {
                    let payload = Payload::detached(vec![RIGHT; block.len() as usize]);
                    DiskDone::Read { peer, block, payload }
                }
            };
            return self.input(Input::Disk(done));
        }
    }

    fn checked(&mut self, piece: PieceIndex, digests: bool, fails: bool) -> DiskDone {
        let mut take = |number| match self.layout.block(piece, number) {
            Some(block) => self.written.remove(&block).expect("written before its check"),
            // Padding alone.
            None => RIGHT,
        };
        let numbers = 0..self.layout.block_count(piece);
        let marks: Vec<u8> = numbers.map(&mut take).collect();
        if fails {
            return DiskDone::WriteFailed { piece };
        }
        let blocks: Vec<[u8; 20]> = marks.iter().map(|mark| [*mark; 20]).collect();
        let outcome = if marks.iter().all(|mark| *mark == RIGHT) {
            self.have.insert(piece);
            Checked::Good { blocks: if digests { blocks } else { Vec::new() } }
        } else {
            Checked::Bad { blocks }
        };
        DiskDone::Checked { piece, outcome }
    }

    #[allow(clippy::match_wildcard_for_single_variants, reason = "what is new is not judged here")]
    fn perform(&mut self, action: Action) {
        match action {
            Action::Send { peer, message } => self.sent(peer, message),
            Action::Disk(job) => {
                match &job {
                    DiskJob::Write { block, payload } => {
                        assert_eq!(payload.len(), block.len() as usize);
                        assert!(self.layout.block_number(*block).is_some(), "{block:?}");
                        assert!(!self.torrent.have().contains(block.piece()), "{block:?}");
                    }
                    DiskJob::Read { peer, block } => {
                        assert!(self.open.contains_key(peer), "a read for nobody");
                        assert!(self.torrent.have().contains(block.piece()), "{block:?}");
                    }
                    _ => {}
                }
                self.jobs.push_back(job);
            }
            Action::Dial { addr } => {
                assert_ne!(addr, Self::addr(0), "our own address");
                self.dials.push_back(addr);
            }
            Action::Close { peer, .. } => {
                assert!(self.open.remove(&peer).is_some(), "closed twice");
            }
            // Events are for people.
            _ => {}
        }
    }

    fn sent(&mut self, peer: PeerKey, message: Message) {
        let open = self.open.get_mut(&peer).expect("sent to a connection that is closed");
        open.talk.sent(&message);
        match message {
            Message::Request(request) => {
                let Request { piece, offset, len } = request;
                let block = self.layout.range(piece, offset, len).expect("within the torrent");
                assert!(self.layout.block_number(block).is_some(), "a block of ours: {block:?}");
                open.owes.push_back(request);
            }
            Message::Piece { payload, .. } => {
                open.credit += u32::try_from(payload.len()).expect("a block");
            }
            Message::AllowedFast(piece) => {
                let piece = self.layout.piece(piece).expect("within the torrent");
                assert!(self.torrent.have().contains(piece), "allows what it lacks");
            }
            _ => {}
        }
    }

    /// The counters are true, and what is bounded is within its bounds.
    pub(super) fn check(&self) {
        let (stats, have) = (self.torrent.stats(), self.torrent.have());
        assert!(have.iter().all(|piece| self.have.contains(piece)), "claims what it lacks");
        let missing = have.iter_missing();
        assert_eq!(
            stats.left,
            missing.map(|p| u64::from(self.layout.piece_content_len(p))).sum::<u64>()
        );
        assert_eq!(stats.peers, self.open.len());
        assert!(stats.peers <= 6 && stats.half_open <= 4 && stats.unchoked <= 3, "{stats:?}");
        assert!(stats.upload_buffered <= 6 * limits::UPLOAD_BUFFER, "{stats:?}");
        assert!(stats.candidates <= limits::MAX_CANDIDATES);
        for peer in self.torrent.peers() {
            assert!(peer.requested <= limits::WINDOW_MAX);
            self.open.get(&peer.peer).expect("a peer without a connection").talk.check(&peer);
            assert!(peer.queued <= limits::MAX_QUEUE);
        }
    }
}
