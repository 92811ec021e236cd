//! The magnet under test, its metadata, and who of its peers lies. It checks what the torrent says,
//! and decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metainfo::InfoHash;
use swarm::{
    Action, CloseReason, Config, Control, Event, Input, Origin, PeerKey, Phase, Torrent, limits,
};
use wire::extension::{Extension, HANDSHAKE_ID, Handshake, Metadata, Pex};
use wire::limits::METADATA_PIECE_LEN;
use wire::{Message, PeerId, Reserved};

/// Under which numbers the peers take messages.
const THEIR_METADATA: u8 = 3;
const THEIR_PEX: u8 = 5;

/// More peers than this come only from scripts that do nothing else.
const MOST_PEERS: usize = 24;

/// A peer that answers forgets what it was asked longest ago, as clients do.
const OWED: usize = 8;

/// How long an honest peer may take, whatever lies were told: each of them costs a turn or two, and
/// rests grow to five minutes.
const ENOUGH: Duration = Duration::from_hours(2);

/// The metadata, and its hash.
type Truth = (Vec<u8>, InfoHash);

/// Metadata of one piece, of exactly one, of a byte more, and of several.
fn truth(which: u8) -> &'static Truth {
    static TRUTHS: OnceLock<Vec<Truth>> = OnceLock::new();
    let make = || {
        let lens = [50, METADATA_PIECE_LEN, METADATA_PIECE_LEN + 1, 3 * METADATA_PIECE_LEN + 700];
        // Never 0, and not the same in any two pieces.
        let bytes = |len| (1..=251_u8).cycle().take(len).collect::<Vec<u8>>();
        lens.map(|len| (bytes(len), InfoHash::of(&bytes(len)))).to_vec()
    };
    let truths = TRUTHS.get_or_init(make);
    &truths[usize::from(which) % truths.len()]
}

pub(super) struct Lab {
    torrent: Torrent,
    truth: &'static Truth,
    now: Instant,
    peers: BTreeMap<PeerKey, Peer>,
    keys: u64,
    known: bool,
    /// Just now it turns out that the torrent is private: everybody came by themselves, so all go.
    turns_private: bool,
}

struct Peer {
    honest: bool,
    id: PeerId,
    /// The length that it says the metadata has.
    offered: Option<u32>,
    /// What it was asked for and may still give.
    owes: VecDeque<u32>,
    /// How often it asked for each piece and got no answer.
    asks: BTreeMap<u32, usize>,
}

impl Lab {
    pub(super) fn new(which: u8) -> Self {
        let truth = truth(which);
        let mut config = Config::new(PeerId([200; 20]));
        config.info_hash = Some(truth.1);
        config.listen_port = Some(6_881);
        let torrent = Torrent::new(config, Phase::Metadata(truth.1), u64::from(which));
        let now = Instant::now();
        let peers = BTreeMap::new();
        Self { torrent, truth, now, peers, keys: 0, known: false, turns_private: false }
    }

    /// Of the metadata, in bytes.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.truth.0.len()).expect("short")
    }

    /// The metadata is here.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// An address that nobody here has.
    pub(super) fn anywhere(number: u8) -> SocketAddr {
        ([20, 0, number / 8, number % 8], 6_881).into()
    }

    pub(super) fn input(&mut self, input: Input) {
        self.torrent.handle(self.now, input);
        self.settle();
    }

    /// The torrent is private. Who was let go may come again.
    pub(super) fn turn_private(&mut self) {
        self.turns_private = true;
        self.input(Input::Control(Control::Private));
        self.turns_private = false;
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.torrent.handle_timeout(self.now);
        self.settle();
        let next = self.torrent.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "the timer is due again at once");
    }

    /// A peer comes. An honest one says at once how long the metadata is.
    pub(super) fn connect(&mut self, honest: bool) {
        if self.peers.len() < MOST_PEERS {
            self.come(honest);
        }
    }

    fn come(&mut self, honest: bool) -> PeerKey {
        self.keys += 1;
        let peer = PeerKey(self.keys);
        let number = u8::try_from(self.keys % 200).expect("below 200");
        let addr = ([if honest { 30 } else { 40 }, 0, 0, number], 6_881).into();
        let mut peer_id = PeerId([number; 20]);
        if let Some(first) = peer_id.0.first_mut() {
            *first = u8::from(honest);
        }
        let (owes, asks) = (VecDeque::new(), BTreeMap::new());
        let known = Peer { honest, id: peer_id, offered: None, owes, asks };
        self.peers.insert(peer, known);
        let reserved = Reserved::NONE.with_extended().with_fast();
        let origin = Origin::Incoming;
        self.input(Input::Connected { peer, addr, origin, peer_id, reserved });
        if honest {
            self.offer(peer, self.len(), false);
        }
        peer
    }

    /// One of the peers.
    pub(super) fn peer(&self, which: u8) -> Option<PeerKey> {
        self.peers.keys().copied().nth(usize::from(which) % self.peers.len().max(1))
    }

    /// One of the liars.
    pub(super) fn liar(&self, which: u8) -> Option<PeerKey> {
        let liars = || self.peers.iter().filter(|(_, peer)| !peer.honest);
        liars().nth(usize::from(which) % liars().count().max(1)).map(|(key, _)| *key)
    }

    pub(super) fn closed(&mut self, peer: PeerKey) {
        self.peers.remove(&peer);
        self.input(Input::Closed { peer });
    }

    pub(super) fn say(&mut self, peer: PeerKey, message: Message) {
        if self.peers.contains_key(&peer) {
            self.input(Input::Message { peer, message });
        }
    }

    pub(super) fn extended(&mut self, peer: PeerKey, id: u8, payload: Box<[u8]>) {
        self.say(peer, Message::Extended { id, payload });
    }

    /// A peer says that it has the metadata, and how long it is.
    pub(super) fn offer(&mut self, peer: PeerKey, len: u32, pex: bool) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.offered = Some(len);
        let pex = if pex { format!("6:ut_pexi{THEIR_PEX}e") } else { String::new() };
        let text = format!("d1:md11:ut_metadatai{THEIR_METADATA}e{pex}e13:metadata_sizei{len}ee");
        self.extended(peer, HANDSHAKE_ID, text.into_bytes().into());
    }

    fn tell(&mut self, peer: PeerKey, message: &Metadata<'_>) {
        self.extended(peer, Extension::Metadata.local_id(), message.encode());
    }

    /// A peer that owes a piece, and the piece, which it does not owe any more.
    fn owed(&mut self, which: u8) -> Option<(PeerKey, u32)> {
        let owing = || self.peers.iter().filter(|(_, peer)| !peer.owes.is_empty());
        let (&peer, _) = owing().nth(usize::from(which) % owing().count().max(1))?;
        Some((peer, self.peers.get_mut(&peer)?.owes.pop_front()?))
    }

    /// Somebody gives the piece that was asked for first.
    pub(super) fn answer_rightly(&mut self, which: u8) {
        if let Some((peer, piece)) = self.owed(which) {
            self.give(peer, piece);
        }
    }

    fn give(&mut self, peer: PeerKey, piece: u32) {
        let (info, _) = self.truth;
        let data = info.chunks(METADATA_PIECE_LEN).nth(piece as usize);
        match data {
            Some(data) => {
                let total_size = Some(self.len());
                self.tell(peer, &Metadata::Data { piece, total_size, data });
            }
            // It said that the metadata is longer than it is.
            None => self.tell(peer, &Metadata::Reject { piece }),
        }
    }

    /// Somebody does not give what was asked for.
    pub(super) fn reject(&mut self, which: u8) {
        if let Some((peer, piece)) = self.owed(which) {
            self.tell(peer, &Metadata::Reject { piece });
        }
    }

    /// A liar gives bytes that are not those of the metadata, of the length that it claims or not.
    pub(super) fn answer_falsely(&mut self, peer: PeerKey, total_size: Option<u32>, how: u8) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let (Some(piece), Some(len)) = (known.owes.pop_front(), known.offered) else { return };
        let rest = (len as usize).saturating_sub(piece as usize * METADATA_PIECE_LEN);
        let len = rest.min(METADATA_PIECE_LEN).saturating_sub(usize::from(how == 255)).max(1);
        self.tell(peer, &Metadata::Data { piece, total_size, data: &vec![how & !1; len] });
    }

    /// Somebody asks us for the metadata: the honest ones for each piece once.
    pub(super) fn request(&mut self, which: u8) {
        let Some(peer) = self.peer(which) else { return };
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let piece = u32::from(which) % 5;
        if known.offered.is_none() || (known.honest && known.asks.contains_key(&piece)) {
            return;
        }
        *known.asks.entry(piece).or_default() += 1;
        self.tell(peer, &Metadata::Request { piece });
    }

    fn settle(&mut self) {
        while let Some(action) = self.torrent.poll() {
            match action {
                Action::Send { peer, message } => self.sent(peer, &message),
                Action::Close { peer, reason } => {
                    let peer = self.peers.remove(&peer).expect("closed twice");
                    let let_go = self.turns_private && reason == CloseReason::NotOfTracker;
                    assert!(!peer.honest || let_go, "an honest peer is closed: {reason}");
                }
                Action::Dial { addr } => {
                    self.torrent.handle(self.now, Input::DialFailed { addr });
                }
                Action::Event(Event::Metadata { info }) => {
                    assert!(!std::mem::replace(&mut self.known, true), "known twice");
                    assert_eq!(info[..], self.truth.0[..], "not the metadata");
                }
                Action::Event(Event::Banned { peer_id, .. }) => {
                    assert_eq!(peer_id.0[0], 0, "an honest peer is banned");
                }
                _ => {}
            }
        }
    }

    fn sent(&mut self, peer: PeerKey, message: &Message) {
        let peer = self.peers.get_mut(&peer).expect("sent to a connection that is closed");
        let Message::Extended { id, payload } = message else { return };
        match *id {
            HANDSHAKE_ID => {
                let size = Handshake::decode(payload).expect("ours").metadata_size;
                let right = u32::try_from(self.truth.0.len()).expect("short");
                assert_eq!(size, self.known.then_some(right));
            }
            THEIR_PEX => {
                let pex = Pex::decode(payload).expect("ours");
                assert!(pex.added.len() <= limits::PEX_CONTACTS_FIRST);
            }
            THEIR_METADATA => {
                let len = peer.offered.expect("it takes none");
                match Metadata::decode(payload).expect("ours").expect("of a known kind") {
                    Metadata::Request { piece } => {
                        let pieces = (len as usize).div_ceil(METADATA_PIECE_LEN);
                        assert!((piece as usize) < pieces, "piece {piece} of {pieces}");
                        assert!(!self.known, "asked for what is here");
                        peer.owes.push_back(piece);
                        if peer.owes.len() > OWED {
                            peer.owes.pop_front();
                        }
                    }
                    Metadata::Reject { piece } => peer.answered(piece),
                    Metadata::Data { piece, total_size, data } => {
                        peer.answered(piece);
                        assert_eq!(total_size.map(|len| len as usize), Some(self.truth.0.len()));
                        let mut pieces = self.truth.0.chunks(METADATA_PIECE_LEN);
                        assert_eq!(pieces.nth(piece as usize), Some(data));
                    }
                }
            }
            _ => panic!("a number that nobody gave out: {id}"),
        }
    }

    /// Whatever was said before, a peer that has the metadata and gives it is enough.
    pub(super) fn one_honest_peer_is_enough(&mut self) {
        let honest = self.come(true);
        let end = self.now + ENOUGH;
        while !self.known {
            while let Some(piece) = self.peers.get_mut(&honest).and_then(|p| p.owes.pop_front()) {
                self.give(honest, piece);
            }
            if self.known {
                break;
            }
            let next = self.torrent.poll_timeout().expect("it waits for nothing");
            assert!(next < end, "an honest peer was not enough: {:?}", self.torrent.stats());
            self.pass(next - self.now);
        }
    }

    /// The counters are true, and what is bounded is within its bounds.
    pub(super) fn check(&self) {
        let stats = self.torrent.stats();
        assert_eq!(stats.metadata.is_none(), self.known);
        if let Some(progress) = stats.metadata {
            assert!(progress.bytes <= progress.len && progress.len <= limits::MAX_METADATA_LEN);
            assert!(progress.sources <= self.peers.len(), "{progress:?}");
        }
        assert_eq!(stats.peers, self.peers.len());
        assert!(stats.candidates <= limits::MAX_CANDIDATES && stats.half_open == 0, "{stats:?}");
    }
}

impl Peer {
    fn answered(&mut self, piece: u32) {
        let who = self.id;
        let count = self.asks.get_mut(&piece).filter(|count| **count > 0);
        *count.unwrap_or_else(|| panic!("an answer to nothing, for {who}")) -= 1;
    }
}
