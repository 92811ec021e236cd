//! A scripted host on an address of 127.0.0.0/8 of its own, so that bans by address can tell it from
//! others. Owns a listener and a thread a connection; what a connection does is the campaign's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use testkit::peer::{Handshake, Listener, Peer};
use testkit::torrent::Torrent;

use crate::Result;

/// A host, up until it is dropped.
pub(super) struct Host {
    addr: SocketAddr,
    closed: Arc<AtomicBool>,
}

impl Host {
    /// Listens on 127.0.0.`last` and hands every connection to `serve`.
    pub(super) fn start(last: u8, serve: impl Fn(Peer) + Send + Sync + 'static) -> Result<Self> {
        let listener = Listener::bind_to(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))?;
        let addr = listener.addr()?;
        let closed = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&closed);
        let serve = Arc::new(serve);
        thread::spawn(move || {
            while let Ok(peer) = listener.accept_raw() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(peer));
            }
        });
        Ok(Self { addr, closed })
    }

    /// A seed that unchokes at once and calls `spoil` before each block is sent, which may change
    /// the block, count it or wait.
    pub(super) fn seed(
        last: u8,
        torrent: &Arc<Torrent>,
        spoil: impl Fn(u32, u32, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Result<Self> {
        let torrent = Arc::clone(torrent);
        Self::start(last, move |peer| {
            // A connection that ends early is the program's affair.
            drop(shake(peer, &torrent, last).and_then(|peer| peer.serve(&torrent, &spoil)));
        })
    }

    /// A seed that tells nothing but the truth, with a pause before each block.
    pub(super) fn honest(last: u8, torrent: &Arc<Torrent>, pause: Duration) -> Result<Self> {
        Self::seed(last, torrent, move |_, _, _| thread::sleep(pause))
    }

    /// Where it listens.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, so that it sees the flag and frees the port.
        drop(TcpStream::connect_timeout(&self.addr, Duration::from_secs(1)));
    }
}

/// Shakes hands as the one that was dialed.
pub(super) fn shake(mut peer: Peer, torrent: &Torrent, last: u8) -> Result<Peer> {
    peer.read_handshake()?;
    let ours = Handshake::new(torrent.info_hash(), &format!("host {last:03}"));
    peer.send_raw(&ours.encode())?;
    Ok(peer)
}
