//! One torrent and scripted peers: messages in, messages out. It answers nothing by itself.

#![allow(dead_code, reason = "each test binary uses its part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use metainfo::{Block, InfoHash, Layout, PieceIndex, PieceSet};
use swarm::{
    Action, Checked, CloseReason, Config, DiskDone, DiskJob, Event, Input, Origin, PeerKey, Phase,
    Source, Torrent,
};
use wire::{Message, Payload, PeerId, Request, Reserved};

pub(crate) const BLOCK: u32 = metainfo::BLOCK_LEN;
/// Greater than the ids of even peers and smaller than those of odd ones.
pub(crate) const OUR_ID: PeerId = PeerId([100; 20]);

pub(crate) struct Lab {
    pub(crate) torrent: Torrent,
    pub(crate) layout: Layout,
    pub(crate) now: Instant,
    /// Everything that was done since it was last looked at.
    pub(crate) actions: Vec<Action>,
    /// What the handshakes of peers that connect from now on say.
    pub(crate) reserved: Reserved,
    keys: u64,
}

impl Lab {
    /// A torrent of `pieces` pieces of four blocks.
    pub(crate) fn new(pieces: u32, complete: bool) -> Self {
        Self::with(pieces, complete, Config::new(OUR_ID))
    }

    #[allow(clippy::disallowed_methods, reason = "virtual time has to begin somewhere")]
    pub(crate) fn with(pieces: u32, complete: bool, config: Config) -> Self {
        let layout = Layout::new(4 * BLOCK, &[u64::from(pieces * 4 * BLOCK)]).expect("small");
        let have = if complete { PieceSet::new_full(pieces) } else { PieceSet::new_empty(pieces) };
        let torrent = Torrent::new(config, Phase::Pieces(layout.clone(), have), 1);
        let (actions, reserved) = (Vec::new(), Reserved::NONE);
        Self { torrent, layout, now: Instant::now(), actions, reserved, keys: 0 }
    }

    /// A magnet, which is to have `pieces` pieces of four blocks.
    pub(crate) fn magnet(hash: InfoHash, pieces: u32, config: Config) -> Self {
        let torrent = Torrent::new(config.clone(), Phase::Metadata(hash), 1);
        Self { torrent, ..Self::with(pieces, false, config) }
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.torrent.handle(self.now, input);
        self.poll();
    }

    pub(crate) fn poll(&mut self) {
        self.actions.extend(std::iter::from_fn(|| self.torrent.poll()));
    }

    /// Lets time pass; timers go off when they should.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.torrent.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.torrent.handle_timeout(self.now);
            self.poll();
        }
        self.now = end;
    }

    pub(crate) fn addr(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 6881))
    }

    pub(crate) fn id(number: u8) -> PeerId {
        PeerId([if number.is_multiple_of(2) { number } else { 100 + number }; 20])
    }

    pub(crate) fn connect_as(&mut self, number: u8, id: PeerId, origin: Origin) -> PeerKey {
        self.keys += 1;
        let peer = PeerKey(self.keys);
        let (addr, reserved) = (Self::addr(number), self.reserved);
        self.input(Input::Connected { peer, addr, origin, peer_id: id, reserved });
        peer
    }

    pub(crate) fn connect(&mut self, number: u8) -> PeerKey {
        self.connect_as(number, Self::id(number), Origin::Incoming)
    }

    /// A peer that has these pieces and unchokes us.
    pub(crate) fn giver(&mut self, number: u8, pieces: &[u32]) -> PeerKey {
        let peer = self.connect(number);
        let mut set = PieceSet::new_empty(self.layout.piece_count());
        for piece in pieces {
            set.insert(PieceIndex::new(*piece));
        }
        self.say(peer, Message::Bitfield(set.as_bytes().into()));
        self.say(peer, Message::Unchoke);
        peer
    }

    /// A peer that wants what we have and is unchoked.
    pub(crate) fn taker(&mut self, number: u8) -> PeerKey {
        let peer = self.connect(number);
        self.say(peer, Message::Interested);
        assert!(self.sent(peer).contains(&Message::Unchoke));
        peer
    }

    pub(crate) fn found(&mut self, numbers: std::ops::Range<u8>) {
        let addrs = numbers.map(Self::addr).collect();
        self.input(Input::Found { addrs, source: Source::Tracker });
    }

    pub(crate) fn say(&mut self, peer: PeerKey, message: Message) {
        self.input(Input::Message { peer, message });
    }

    pub(crate) fn request(&mut self, peer: PeerKey, piece: u32, offset: u32, len: u32) {
        self.say(peer, Message::Request(Request { piece, offset, len }));
    }

    pub(crate) fn give(&mut self, peer: PeerKey, block: Block) {
        let payload = Payload::detached(vec![0; block.len() as usize]);
        let (piece, offset) = (block.piece().get(), block.offset());
        self.say(peer, Message::Piece { piece, offset, payload });
    }

    pub(crate) fn checked(&mut self, piece: u32, good: bool) {
        let blocks = vec![[u8::from(good); 20]; 4];
        let outcome = if good { Checked::Good { blocks } } else { Checked::Bad { blocks } };
        self.input(Input::Disk(DiskDone::Checked { piece: PieceIndex::new(piece), outcome }));
    }

    /// Takes out of the actions those that `pick` wants.
    fn take<T>(&mut self, mut pick: impl FnMut(&mut Action) -> Option<T>) -> Vec<T> {
        let mut taken = Vec::new();
        self.actions.retain_mut(|action| match pick(action) {
            Some(one) => {
                taken.push(one);
                false
            }
            None => true,
        });
        taken
    }

    /// What was sent to the peer since this was asked last.
    pub(crate) fn sent(&mut self, to: PeerKey) -> Vec<Message> {
        self.take(|action| match action {
            Action::Send { peer, message } if *peer == to => {
                Some(std::mem::replace(message, Message::KeepAlive))
            }
            _ => None,
        })
    }

    /// The blocks that the peer was asked for since then; drops all else it was sent.
    pub(crate) fn asked(&mut self, peer: PeerKey) -> Vec<Block> {
        let layout = self.layout.clone();
        let block = |message| match message {
            Message::Request(r) => layout.range(r.piece, r.offset, r.len),
            _ => None,
        };
        self.sent(peer).into_iter().filter_map(block).collect()
    }

    pub(crate) fn jobs(&mut self) -> Vec<DiskJob> {
        self.take(|action| match action {
            Action::Disk(job) => {
                let nothing = DiskJob::Discard { piece: PieceIndex::new(0) };
                Some(std::mem::replace(job, nothing))
            }
            _ => None,
        })
    }

    pub(crate) fn reads(&mut self) -> Vec<Block> {
        let read = |job| match job {
            DiskJob::Read { block, .. } => Some(block),
            _ => None,
        };
        self.jobs().into_iter().filter_map(read).collect()
    }

    /// The disk has read a block for a peer.
    pub(crate) fn read(&mut self, peer: PeerKey, block: Block) {
        let payload = Payload::detached(vec![0; block.len() as usize]);
        self.input(Input::Disk(DiskDone::Read { peer, block, payload }));
    }

    pub(crate) fn closes(&mut self) -> Vec<(PeerKey, CloseReason)> {
        self.take(|action| match action {
            Action::Close { peer, reason } => Some((*peer, *reason)),
            _ => None,
        })
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.take(|action| match action {
            Action::Event(event) => Some(event.clone()),
            _ => None,
        })
    }

    pub(crate) fn dials(&mut self) -> Vec<SocketAddr> {
        self.take(|action| match action {
            Action::Dial { addr } => Some(*addr),
            _ => None,
        })
    }
}
