//! The words a driver and a [`Torrent`](crate::Torrent) exchange: inputs, actions, disk jobs, events.
//! Plain data; nothing here decides anything or touches a socket, a file or a clock.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use egress::{Class, Trials, Word};
use metainfo::{Block, InfoHash, Layout, PieceIndex, PieceSet};
use wire::{Message, Payload, PeerId, Reserved};

use crate::close::CloseReason;
use crate::limit::Limit;
use crate::limits;

/// Names one connection. The driver allocates it and never uses a value twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub u64);

/// What a torrent is told once, when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our own peer id; a peer that shows it is ourselves.
    pub peer_id: PeerId,
    /// The torrent's info-hash, from which it follows which pieces a peer is allowed fast (BEP 6);
    /// `None` allows none.
    pub info_hash: Option<InfoHash>,
    /// The info dictionary, for peers that ask for it (BEP 9); `None` gives them nothing.
    pub info: Option<Arc<[u8]>>,
    /// The extensions that our handshake names. Each is spoken with peers that name it too.
    pub reserved: Reserved,
    /// Our name and version, as peers that speak extended messages are told (BEP 10); `None` tells
    /// nothing.
    pub client: Option<String>,
    /// Tell peers of each other, and take in what they tell (BEP 11). Private torrents never do.
    pub pex: bool,
    /// Peers are found by trackers only, and by the user (BEP 27).
    pub private: bool,
    /// The TCP port we listen on, as they are told; `None` tells nothing.
    pub listen_port: Option<u16>,
    /// Addresses we listen on, as far as they are known; never dialed.
    pub own_addrs: Vec<SocketAddr>,
    /// The pieces to fetch; `None` is all of them. Pieces that are here are served either way.
    pub wanted: Option<PieceSet>,
    /// Begin pieces from the first to the last, and not the rarest first: for whoever reads along,
    /// at the swarm's expense.
    pub sequential: bool,
    /// Most connections of this torrent, both directions together.
    pub max_peers: usize,
    /// Most dials of this torrent that are neither connected nor failed yet.
    pub max_half_open: usize,
    /// Peers unchoked for what they give (or, when we seed, in turn), beside the optimistic one.
    pub unchoke_slots: usize,
    /// Which ports of a host were dialed in vain; all torrents of a session share it.
    pub trials: Trials,
    /// Most payload bytes we ask for a second; `None` is no limit.
    pub download_limit: Option<Limit>,
    /// Most bytes we serve a second: blocks, metadata and what else strangers make us answer; `None`
    /// is no limit.
    pub upload_limit: Option<Limit>,
}

impl Config {
    /// The usual limits, for a client that calls itself `peer_id`.
    pub fn new(peer_id: PeerId) -> Self {
        Self {
            peer_id,
            info_hash: None,
            reserved: Reserved::NONE.with_extended().with_fast(),
            info: None,
            client: None,
            pex: true,
            private: false,
            listen_port: None,
            own_addrs: Vec::new(),
            wanted: None,
            sequential: false,
            max_peers: limits::MAX_PEERS,
            max_half_open: limits::MAX_HALF_OPEN,
            unchoke_slots: limits::UNCHOKE_SLOTS,
            trials: Trials::new(),
            download_limit: None,
            upload_limit: None,
        }
    }
}

/// What is known of a torrent when it starts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Phase {
    /// Its info-hash alone, as a magnet URI has it: the metadata is fetched from peers (BEP 9) and given
    /// out in [`Event::Metadata`]; [`Input::Begin`] answers it. Peers are kept, and what they said of
    /// their pieces.
    Metadata(InfoHash),
    /// Its geometry, and the pieces that are verified on disk already. Those that are padding alone
    /// are among them if they have the hash of zeros; they are never fetched.
    Pieces(Layout, PieceSet),
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// We did, after [`Action::Dial`]; its address is one that can be dialed again.
    Dialed,
    /// The peer did; its port says nothing about where it listens.
    Incoming,
}

/// Where addresses came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// The user named them.
    Given,
    /// A tracker's reply.
    Tracker,
    /// The local network (BEP 14).
    Local,
    /// The magnet that the user named (`x.pe`).
    Magnet,
    /// The DHT (BEP 5).
    Dht,
    /// The peer itself, which had connected to us.
    Incoming,
    /// Another peer (BEP 11).
    Pex,
}

impl Source {
    /// Whether peers of a private torrent may come from here (BEP 27): from its trackers, and from the
    /// user, who named the magnet too.
    pub fn is_of_private(self) -> bool {
        matches!(self, Self::Given | Self::Tracker | Self::Magnet)
    }

    /// On whose word their addresses are dialed, as far as can be told here: who found them has asked
    /// already whether whoever named them may.
    pub(crate) fn word(self) -> Word {
        match self {
            Self::Given => Word::User,
            Self::Tracker => Word::Tracker(Class::Loopback),
            Self::Local => Word::Neighbour,
            Self::Magnet => Word::Magnet,
            Self::Dht => Word::Dht(Class::Loopback),
            Self::Incoming => Word::Itself,
            Self::Pex => Word::Pex(Class::Loopback),
        }
    }
}

/// Orders from outside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Control {
    /// New speed limits; `None` lifts one.
    Limits {
        /// What we ask of peers.
        download: Option<Limit>,
        /// What we serve.
        upload: Option<Limit>,
    },
    /// The torrent is private, which a magnet does not tell (BEP 27): peers are found by trackers only
    /// from now on, and those that were found otherwise are closed and forgotten.
    Private,
    /// Close every connection and dial nobody; pieces that are being checked are still taken in.
    Pause,
    /// Undo [`Control::Pause`], and try the disk again after [`DiskDone::WriteFailed`].
    Resume,
}

/// What happened outside. Hand each to [`Torrent::handle`](crate::Torrent::handle).
#[derive(Debug)]
pub enum Input {
    /// A handshake was completed, both ways, for this torrent.
    Connected {
        /// The driver's name of the connection.
        peer: PeerKey,
        /// The remote end. Of a dialed connection: the address in [`Action::Dial`].
        addr: SocketAddr,
        /// Who opened it.
        origin: Origin,
        /// The peer id of its handshake.
        peer_id: PeerId,
        /// Which extensions its handshake names.
        reserved: Reserved,
    },
    /// A dial ended without a handshake: refused, timed out, wrong info-hash.
    DialFailed {
        /// The address in [`Action::Dial`].
        addr: SocketAddr,
    },
    /// A peer's message, in the order of its connection.
    Message {
        /// Who sent it.
        peer: PeerKey,
        /// The message: its shape was checked by the codec, its numbers are checked here.
        message: Message,
    },
    /// Payload bytes of `Piece` messages reached the socket. Every byte of payload handed out in
    /// [`Action::Send`] must be reported once, here or as [`Input::Dropped`]; it is the credit that
    /// lets the next block be read.
    Drained {
        /// Whose queue.
        peer: PeerKey,
        /// How many payload bytes.
        bytes: u32,
    },
    /// Payload bytes of `Piece` messages were taken out of the outgoing queue, unsent, because of
    /// a choke or a cancel.
    Dropped {
        /// Whose queue.
        peer: PeerKey,
        /// How many payload bytes.
        bytes: u32,
    },
    /// The connection is gone and nothing more comes from it. Not needed after
    /// [`Action::Close`], and harmless there.
    Closed {
        /// The connection.
        peer: PeerKey,
    },
    /// The disk finished a job.
    Disk(DiskDone),
    /// Addresses of peers were learned.
    Found {
        /// Where to dial; duplicates and our own are dropped here.
        addrs: Vec<SocketAddr>,
        /// Where they came from.
        source: Source,
    },
    /// The files of a torrent that began with [`Phase::Metadata`] are open.
    Begin(Box<Begin>),
    /// An order from outside.
    Control(Control),
}

/// What a torrent that began without it is told once its metadata was understood and its files are open.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Its geometry.
    pub layout: Layout,
    /// The pieces that are verified on disk already.
    pub have: PieceSet,
    /// As in [`Config::wanted`].
    pub wanted: Option<PieceSet>,
    /// As in [`Config::sequential`].
    pub sequential: bool,
}

/// What to do outside. Taken from [`Torrent::poll`](crate::Torrent::poll).
#[derive(Debug)]
pub enum Action {
    /// Queue a message to a peer. Must not block: a peer that doesn't read is the driver's to
    /// close, and what it may hold is bounded here (see [`Input::Drained`]).
    Send {
        /// To whom.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// Give the disk a job.
    Disk(DiskJob),
    /// Connect and shake hands; answered by [`Input::Connected`] or [`Input::DialFailed`].
    Dial {
        /// Where to.
        addr: SocketAddr,
    },
    /// Close a connection. Its key is forgotten here already.
    Close {
        /// The connection.
        peer: PeerKey,
        /// Why, for the log and the counters.
        reason: CloseReason,
    },
    /// Something worth telling.
    Event(Event),
}

/// Work for the disk. Jobs of one piece are done in the order they were given.
#[derive(Debug)]
pub enum DiskJob {
    /// Keep a block until its piece is checked. A block comes at most once between two
    /// `Check`/`Discard` of its piece.
    Write {
        /// Where it belongs; always one of [`Layout::blocks`].
        block: Block,
        /// Its bytes, `block.len()` of them.
        payload: Payload,
    },
    /// All blocks of the piece are written: hash it, and store it if it is good. Answered by
    /// [`DiskDone::Checked`] or [`DiskDone::WriteFailed`].
    Check {
        /// The piece.
        piece: PieceIndex,
        /// Give the digests of its blocks even if it is good, since an earlier copy failed.
        digests: bool,
    },
    /// Read a block for a peer. Answered by [`DiskDone::Read`] or [`DiskDone::ReadFailed`].
    Read {
        /// For whom.
        peer: PeerKey,
        /// Any range inside one verified piece.
        block: Block,
    },
    /// Forget the blocks written since the last `Check`: the piece will be fetched from scratch.
    Discard {
        /// The piece.
        piece: PieceIndex,
    },
}

/// The outcome of [`DiskJob::Check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The piece has the expected hash and is stored.
    Good {
        /// SHA-1 of each block by its number if the job asked for them, else empty. Any constant
        /// stands for a number that is padding alone.
        blocks: Vec<[u8; 20]>,
    },
    /// It has not, and is forgotten.
    Bad {
        /// The same: what convicts the peer that sent a wrong one.
        blocks: Vec<[u8; 20]>,
    },
    /// Its blocks were changed on disk by another program, and it is forgotten: its peers are not to
    /// blame.
    Changed,
}

/// What became of a [`DiskJob`].
#[derive(Debug)]
pub enum DiskDone {
    /// A piece was hashed.
    Checked {
        /// The piece.
        piece: PieceIndex,
        /// What came out.
        outcome: Checked,
    },
    /// A piece could not be kept or stored (disk full, I/O error): its blocks are lost and nobody
    /// is to blame. Nothing more is requested until [`Control::Resume`]; seeding goes on.
    WriteFailed {
        /// The piece.
        piece: PieceIndex,
    },
    /// A block was read.
    Read {
        /// For whom.
        peer: PeerKey,
        /// Which.
        block: Block,
        /// `block.len()` bytes.
        payload: Payload,
    },
    /// A block could not be read.
    ReadFailed {
        /// For whom.
        peer: PeerKey,
        /// Which.
        block: Block,
    },
    /// A piece that was verified is not on disk any more (file truncated, replaced): it is
    /// neither offered nor served from now on, and is downloaded again.
    Lost {
        /// The piece.
        piece: PieceIndex,
    },
}

/// What the outside may want to show or write down.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A piece was verified and stored.
    PieceVerified {
        /// The piece.
        piece: PieceIndex,
    },
    /// A piece had the wrong hash.
    PieceFailed {
        /// The piece.
        piece: PieceIndex,
        /// How many peers it came from.
        sources: usize,
    },
    /// Every wanted piece is verified and stored.
    Completed,
    /// The metadata is here: the bytes that the info-hash is of, whatever they mean.
    Metadata {
        /// The info dictionary.
        info: Arc<[u8]>,
    },
    /// A peer was proved to have sent false data.
    Banned {
        /// Its address.
        ip: IpAddr,
        /// Its peer id.
        peer_id: PeerId,
        /// True if the whole address is banned; false if only this peer id on it, since others
        /// share the address.
        whole_ip: bool,
    },
}
