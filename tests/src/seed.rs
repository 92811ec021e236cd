//! A scripted seed for any number of connections, which writes down what it sent.
//!
//! Owns a listener and a thread a connection. Never announces itself: the test tells the tracker or
//! the program under test where it is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::Result;
use crate::extended::{self, Heard};
use crate::peer::{Handshake, Listener, Peer};
use crate::torrent::Torrent;

/// Changes a block, given its piece and offset, before it is sent.
pub type Spoil = Box<dyn Fn(u32, u32, &mut Vec<u8>) + Send + Sync>;

/// A seed, up until it is dropped.
pub struct Seed {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    torrent: Torrent,
    name: String,
    spoil: Spoil,
    /// What it gives as the metadata; `None` if it speaks no extension.
    metadata: Option<Vec<u8>>,
    /// Blocks sent so far, by piece.
    sent: Mutex<BTreeMap<u32, usize>>,
    /// Whether it has given any of its metadata, and who waits for that.
    gave: (Mutex<bool>, Condvar),
    closed: Mutex<bool>,
}

impl Seed {
    /// An honest seed on a free port of 127.0.0.1.
    pub fn start(torrent: &Torrent, name: &str) -> Result<Self> {
        Self::spoiling(torrent, name, Box::new(|_, _, _| {}))
    }

    /// A seed whose blocks are not always what the torrent wants.
    pub fn spoiling(torrent: &Torrent, name: &str, spoil: Spoil) -> Result<Self> {
        Self::start_as(Listener::bind()?, (torrent, name), spoil, None)
    }

    /// A seed that also gives metadata, which may be anything.
    pub fn giving(torrent: &Torrent, name: &str, metadata: &[u8]) -> Result<Self> {
        Self::giving_on(Listener::bind()?, torrent, name, metadata)
    }

    /// The same at a place that was chosen.
    pub fn giving_on(
        listener: Listener,
        torrent: &Torrent,
        name: &str,
        metadata: &[u8],
    ) -> Result<Self> {
        let honest = Box::new(|_, _, _: &mut Vec<u8>| {});
        Self::start_as(listener, (torrent, name), honest, Some(metadata.to_vec()))
    }

    fn start_as(
        listener: Listener,
        (torrent, name): (&Torrent, &str),
        spoil: Spoil,
        metadata: Option<Vec<u8>>,
    ) -> Result<Self> {
        let addr = listener.addr()?;
        let shared = Arc::new(Shared {
            torrent: torrent.clone(),
            name: name.to_owned(),
            spoil,
            metadata,
            sent: Mutex::default(),
            gave: Default::default(),
            closed: Mutex::default(),
        });
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &for_thread));
        Ok(Self { addr, shared })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many blocks of each piece it sent, over all connections.
    pub fn sent(&self) -> BTreeMap<u32, usize> {
        self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has given some of its metadata.
    pub fn wait_gave(&self, patience: Duration) -> Result<()> {
        let (gave, waiting) = &self.shared.gave;
        let gave = gave.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = waiting.wait_timeout_while(gave, patience, |gave| !*gave);
        match outcome.unwrap_or_else(PoisonError::into_inner) {
            (gave, _) if *gave => Ok(()),
            _ => Err(format!("nobody asked {} for its metadata", self.shared.name).into()),
        }
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        *self.shared.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        // Wakes the thread that accepts, so that it sees the flag and frees the port.
        drop(Peer::dial_raw(self.addr));
    }
}

fn accept(listener: &Listener, shared: &Arc<Shared>) {
    while let Ok(peer) = listener.accept_raw() {
        if *shared.closed.lock().unwrap_or_else(PoisonError::into_inner) {
            return;
        }
        let shared = Arc::clone(shared);
        // A connection that fails is the affair of the program under test.
        thread::spawn(move || drop(serve(peer, &shared)));
    }
}

fn serve(mut peer: Peer, shared: &Shared) -> Result<u64> {
    peer.read_handshake()?;
    let ours = Handshake::new(shared.torrent.info_hash(), &shared.name);
    let ours = if shared.metadata.is_some() { extended::speaking(ours) } else { ours };
    peer.send_raw(&ours.encode())?;
    if let Some(metadata) = &shared.metadata {
        peer.send(&extended::handshake(Some(metadata.len())))?;
    }
    let mut heard = Heard::default();
    let spoil = |piece, offset, data: &mut Vec<u8>| {
        let mut sent = shared.sent.lock().unwrap_or_else(PoisonError::into_inner);
        *sent.entry(piece).or_default() += 1;
        (shared.spoil)(piece, offset, data);
    };
    peer.serve_and(&shared.torrent, spoil, |peer, message| match &shared.metadata {
        Some(metadata) => {
            if heard.answer(peer, message, metadata)? {
                let (gave, waiting) = &shared.gave;
                *gave.lock().unwrap_or_else(PoisonError::into_inner) = true;
                waiting.notify_all();
            }
            Ok(())
        }
        None => Ok(()),
    })
}
