//! Peers that are named as `host:port`: from the names to addresses. A list of names makes a few
//! look-ups at a time, since each holds a thread for as long as the system's resolver likes.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use egress::{Class, Word, may_contact};
use metainfo::InfoHash;
use swarm::Source;
use tokio::runtime;

use crate::descriptors;
use crate::mail::{Entry, Mail};

/// Look-ups of one list at a time.
const AT_ONCE: usize = 4;

/// Names of one list that are looked up; a magnet may have thousands.
const MOST: usize = 64;

/// Finds the addresses of such peers, and tells the task of their torrent.
pub(crate) fn find_peers(
    peers: &[String],
    source: Source,
    entry: &Entry,
    runtime: &runtime::Handle,
) {
    let (literal, mut names): (VecDeque<String>, VecDeque<String>) =
        peers.iter().cloned().partition(|peer| peer.parse::<SocketAddr>().is_ok());
    if names.len() > MOST {
        log::warn!("of {} peers that have names, only {MOST} are looked up", names.len());
        names.truncate(MOST);
    }
    for peer in literal {
        found(entry, source, &peer, peer.parse().into_iter().collect());
    }
    look_up_all(names, runtime, |name| async move { descriptors::look_up(&name).await }, {
        let entry = entry.clone();
        move |name: &str, answer: io::Result<Vec<SocketAddr>>| match answer {
            Ok(addrs) => found(&entry, source, name, addrs),
            Err(error) => log::warn!("peer {name:?}: {error}"),
        }
    });
}

/// Looks the names up, a few at a time, in their order.
fn look_up_all<L, T>(
    names: VecDeque<String>,
    runtime: &runtime::Handle,
    look_up: impl Fn(String) -> L + Clone + Send + Sync + 'static,
    answered: impl Fn(&str, T) + Clone + Send + Sync + 'static,
) where
    L: Future<Output = T> + Send,
    T: Send,
{
    let lanes = names.len().min(AT_ONCE);
    let names = Arc::new(Mutex::new(names));
    for _ in 0..lanes {
        let (names, look_up, answered) = (names.clone(), look_up.clone(), answered.clone());
        runtime.spawn(async move {
            // A queue of names cannot be left half changed by a panic.
            let next = || names.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            while let Some(name) = next() {
                let answer = look_up(name.clone()).await;
                answered(&name, answer);
            }
        });
    }
}

fn found(entry: &Entry, source: Source, peer: &str, mut addrs: Vec<SocketAddr>) {
    addrs.retain(|addr| match may_name(source, entry.info_hash, *addr) {
        Ok(()) => true,
        Err(why) => {
            log::warn!("peer {peer:?} is left out: {addr}: {why}");
            false
        }
    });
    // A torrent that has ended wants no more peers.
    let _ = entry.mailbox.send(Mail::Found { addrs, source });
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn thousands_of_names_make_a_few_look_ups_at_a_time() {
        let names: VecDeque<String> = (0..1_000).map(|n| format!("n{n}.example:1")).collect();
        let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let look_up = {
            let (under_way, most) = (under_way.clone(), most.clone());
            move |_| {
                let (under_way, most) = (under_way.clone(), most.clone());
                async move {
                    let now = under_way.fetch_add(1, Ordering::Relaxed) + 1;
                    most.fetch_max(now, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    under_way.fetch_sub(1, Ordering::Relaxed);
                }
            }
        };
        let (done, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let answered = move |_: &str, ()| done.send(()).unwrap();
        look_up_all(names, &runtime::Handle::current(), look_up, answered);
        for _ in 0..1_000 {
            answers.recv().await.unwrap();
        }
        assert_eq!(most.load(Ordering::Relaxed), AT_ONCE);
    }

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
