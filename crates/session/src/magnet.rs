//! The life of a torrent that began as a magnet, until its files are open: what its task does with the
//! metadata, and where that is kept for the next time. Fetching it is `swarm`'s.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egress::{Class, Word, may_contact};
use metainfo::{InfoHash, MAX_TORRENT_LEN, Magnet, Metainfo};
use swarm::{Begin, Input, Source};
use tokio::runtime;

use crate::descriptors;
use crate::driver::{Driver, Files};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, State};
use crate::mail::{Entry, Mail};
use crate::start::Opened;

/// What trackers are told is left while nobody knows (BEP 3 has no word for that): a block, as libtorrent
/// does. Not 0, or we would pass for a seed.
pub(crate) const LEFT: u64 = 16 * 1024;

/// How long trackers are given to hear `stopped` of a torrent of which nothing was begun. They are told so
/// that they send nobody here; the user has no data that this would wait for.
pub(crate) const GOODBYE: Duration = Duration::from_secs(1);

impl Driver {
    /// The metadata is here: it is kept for the next time, then the user is told, who may leave at once.
    pub(crate) fn metadata(&mut self, now: Instant, info: &[u8]) {
        let Some(magnet) = &self.magnet else { return };
        match (magnet.torrent_file(info), &self.state_dir) {
            (Ok(file), Some(folder)) => {
                let path = place(folder, self.entry.info_hash);
                let mailbox = self.entry.mailbox.clone();
                self.shared.saver.keep(path, file.clone(), move || {
                    // A torrent that has ended is no longer asked what to do with it.
                    let _ = mailbox.send(Mail::Kept(file));
                });
            }
            (Ok(file), None) => self.kept(file),
            (Err(error), _) => self.fail(now, ErrorKind::Metadata(error)),
        }
    }

    /// The user is told the metadata, and decides.
    pub(crate) fn kept(&self, file: Vec<u8>) {
        if self.state != State::Stopping {
            self.tell(Event::Metadata { torrent: self.id, file });
        }
    }

    /// The files are open: the download begins.
    pub(crate) fn begin(&mut self, now: Instant, opened: Opened) {
        self.files = Files::Open;
        self.durable = opened.durable;
        if self.state == State::Stopping {
            self.shared.disk.close(self.id);
            return;
        }
        self.magnet = None;
        self.layout = opened.layout.clone();
        self.total_bytes = opened.total_bytes;
        self.state = opened.state;
        self.tell(opened.ready);
        let Opened { layout, have, wanted, sequential, peers, .. } = opened;
        let begin = Box::new(Begin { layout, have, wanted, sequential });
        self.swarm.handle(now, Input::Begin(begin));
        self.swarm.handle(now, Input::Found { addrs: peers, source: Source::Given });
    }

    /// The files could not be opened.
    pub(crate) fn open_failed(&mut self, now: Instant, error: Error) {
        self.files = Files::None;
        self.work.files_closed |= self.state == State::Stopping;
        self.fail(now, error);
    }
}

/// Where metadata is kept: a torrent file, as useful to a user as to us.
fn place(folder: &Path, info_hash: InfoHash) -> PathBuf {
    folder.join(format!("{info_hash}.torrent"))
}

/// The torrent file of a magnet whose metadata was kept by an earlier run.
pub(crate) fn kept(folder: &Path, magnet: &Magnet) -> Option<Vec<u8>> {
    let path = place(folder, magnet.info_hash?);
    let most = u64::try_from(MAX_TORRENT_LEN).unwrap_or(u64::MAX);
    let bytes = match storage::read_regular(&path, most) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            log::warn!("{}: {error}", path.display());
            return None;
        }
    };
    // With the trackers of this URI, which may be others; and held against its info-hash again.
    let torrent = Metainfo::from_bytes(&bytes);
    torrent
        .and_then(|torrent| magnet.torrent_file(torrent.info_bytes()))
        .inspect_err(|error| log::warn!("{}: {error}", path.display()))
        .ok()
}

/// Finds the addresses of peers that are named as `host:port`, and tells the task of their torrent.
pub(crate) fn find_peers(
    peers: &[String],
    source: Source,
    entry: &Entry,
    runtime: &runtime::Handle,
) {
    for peer in peers {
        let (peer, mailbox) = (peer.clone(), entry.mailbox.clone());
        let info_hash = entry.info_hash;
        runtime.spawn(async move {
            match descriptors::look_up(&peer).await {
                Ok(mut addrs) => {
                    addrs.retain(|addr| match may_name(source, info_hash, *addr) {
                        Ok(()) => true,
                        Err(why) => {
                            log::warn!("peer {peer:?} is left out: {addr}: {why}");
                            false
                        }
                    });
                    let found = Mail::Found { addrs, source };
                    // A torrent that has ended wants no more peers.
                    let _ = mailbox.send(found);
                }
                Err(error) => log::warn!("peer {peer:?}: {error}"),
            }
        });
    }
}

/// Whether the user or a magnet may name this peer. Whoever writes a magnet chooses its info-hash, which
/// is part of the handshake: with a line break in it, it could be a command to a service of ours that
/// reads lines.
fn may_name(source: Source, info_hash: InfoHash, addr: SocketAddr) -> Result<(), String> {
    if source != Source::Magnet {
        return may_contact(Word::User, addr).map_err(|why| why.to_string());
    }
    may_contact(Word::Magnet, addr).map_err(|why| why.to_string())?;
    if Class::of(addr.ip()).is_near() && info_hash.as_bytes().contains(&b'\n') {
        let why = "an address of this machine or its network, and the info-hash has a line break; \
                   --peer may name it";
        return Err(why.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(source: Source, hash: u8, addr: &str) -> bool {
        may_name(source, InfoHash::from([hash; 20]), addr.parse().unwrap()).is_ok()
    }

    #[test]
    fn a_magnet_sends_no_command_to_a_service_next_to_us() {
        for near in ["127.0.0.1:6379", "192.168.1.2:6379", "[fd00::1]:6379", "169.254.1.1:6379"] {
            assert!(named(Source::Magnet, b'x', near), "{near}");
            assert!(!named(Source::Magnet, b'\n', near), "{near}");
            assert!(named(Source::Given, b'\n', near), "{near}");
        }
        assert!(named(Source::Magnet, b'\n', "9.9.9.9:6379"));
    }

    #[test]
    fn a_magnet_names_no_other_service_and_nobody_nowhere() {
        for addr in ["9.9.9.9:25", "192.168.1.2:22", "127.0.0.1:53", "224.0.0.1:6881", "9.9.9.9:0"]
        {
            assert!(!named(Source::Magnet, b'x', addr), "{addr}");
        }
        assert!(named(Source::Given, b'x', "192.168.1.2:22"), "the user may");
        assert!(!named(Source::Given, b'x', "224.0.0.1:6881"));
    }
}
