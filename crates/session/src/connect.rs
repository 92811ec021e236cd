//! Making connections, in both directions: dialing, listening, shaking hands, starting the task that
//! runs a peer. Never decides whom to dial or whom to keep.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metainfo::Layout;
use swarm::{Origin, PeerKey};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use wire::Reserved;
use wire::mse::Noise;
use wire::net::{CloseReason, Handle, Stream, channel};

use crate::descriptors::{self, ConnectionPlace, Places};
use crate::dialects::{Dialect, Plan, is_refusal};
use crate::mail::{Entry, Mail, RESERVED};
use crate::shared::Shared;

/// Incoming handshakes under way: strangers hold no more descriptors than this before they name a
/// torrent of ours.
const MAX_INCOMING: usize = 100;

/// How long a handshake may take while others wait for its place: a round trip to anywhere takes
/// less.
const PLACE_PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait before accepting again after an error, so that one that stays costs nothing.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A peer that wants another kind of handshake hangs up after a round trip. What took longer was no
/// such refusal, and has held a place among the half-open for long enough.
const REFUSAL: Duration = Duration::from_secs(3);

/// Connects to `addr` and shakes hands; the torrent hears of it either way.
pub(crate) fn dial(addr: SocketAddr, entry: Entry, shared: &Arc<Shared>) {
    let shared = shared.clone();
    tokio::spawn(async move {
        let mail = match try_dial(addr, &entry, &shared).await {
            Ok((stream, place, theirs)) => {
                Mail::Connected { stream, place, addr, origin: Origin::Dialed, theirs }
            }
            Err(reason) => Mail::DialFailed { addr, reason },
        };
        // A torrent that has ended wants no more peers.
        let _ = entry.mailbox.send(mail);
    });
}

async fn try_dial(
    addr: SocketAddr,
    entry: &Entry,
    shared: &Shared,
) -> Result<(Stream<TcpStream>, ConnectionPlace, wire::Handshake), String> {
    let _permit = shared.dials.acquire().await.map_err(|closed| closed.to_string())?;
    let place = shared.connections.take().await.ok_or("the session ends")?;
    let Plan { first, second } = shared.dialects.plan(addr);
    let begun = Instant::now();
    let mut dialect = first;
    let mut reached = try_dialect(addr, dialect, entry, shared).await?;
    // In the same place, so that a peer of the other kind costs no more room than others do.
    if let (Err(reason), Some(second)) = (&reached, second)
        && is_refusal(*reason)
        && begun.elapsed() < REFUSAL
    {
        log::debug!("{addr}: {reason}; once more, {second:?}");
        dialect = second;
        reached = try_dialect(addr, dialect, entry, shared).await?;
    }
    match reached {
        Ok((stream, theirs)) => {
            shared.dialects.worked(addr, dialect);
            Ok((stream, place, theirs))
        }
        Err(reason) => {
            shared.dialects.failed(addr, dialect, reason);
            Err(reason.to_string())
        }
    }
}

/// Connects, and shakes hands like this. An error without an inner one: the address was not reached.
async fn try_dialect(
    addr: SocketAddr,
    dialect: Dialect,
    entry: &Entry,
    shared: &Shared,
) -> Result<Result<(Stream<TcpStream>, wire::Handshake), CloseReason>, String> {
    // That we have no descriptor is no fault of the peer's.
    let connect = || wire::net::connect(addr, shared.bind);
    let connected = descriptors::patiently(connect, || !entry.mailbox.is_closed()).await;
    let stream = connected.map_err(|error| format!("cannot connect: {error}"))?;
    let ours = entry.handshake();
    Ok(match dialect {
        Dialect::Plain => {
            let mut stream = Stream::plain(stream);
            let theirs = wire::net::outgoing(&mut stream, ours).await;
            theirs.map(|theirs| (stream, theirs))
        }
        Dialect::Encrypted(allowed) => {
            let noise = noise().map_err(|error| format!("no random numbers: {error}"))?;
            wire::net::outgoing_encrypted(stream, ours, allowed, &noise).await
        }
    })
}

/// What an encryption handshake needs of chance.
fn noise() -> std::io::Result<Noise> {
    Noise::draw(getrandom::fill).map_err(|error| std::io::Error::other(error.to_string()))
}

/// Accepts connections until the session ends.
pub(crate) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut under_way = UnderWay::default();
    loop {
        // Without a place the rest waits in the system's queue, which costs no descriptor.
        let Some(place) = under_way.place(&shared.connections).await else { return };
        match listener.accept().await {
            Ok((stream, addr)) => {
                let shared = shared.clone();
                let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
                if under_way.count() >= MAX_INCOMING {
                    under_way.give_way().await;
                }
                let task = tokio::spawn(async move { receive(stream, place, addr, &shared).await });
                under_way.0.push(Incoming::new(swarm::host(addr.ip()), task));
            }
            // The newcomer waits in the system's queue.
            Err(error) if storage::ran_out(&error) => descriptors::make_room(error).await,
            Err(error) => {
                log::debug!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A handshake with a peer that came to us.
struct Incoming {
    /// Whose share of the places it uses: its address, or of IPv6 the first of its network.
    ip: IpAddr,
    begun: tokio::time::Instant,
    task: JoinHandle<()>,
}

impl Incoming {
    fn new(ip: IpAddr, task: JoinHandle<()>) -> Self {
        Self { ip, begun: tokio::time::Instant::now(), task }
    }
}

/// Incoming handshakes, the oldest first.
#[derive(Default)]
struct UnderWay(Vec<Incoming>);

impl UnderWay {
    /// A place for one more; `None` when the session ends. A stranger who says nothing must not hold
    /// one that others wait for.
    async fn place(&mut self, places: &Places) -> Option<ConnectionPlace> {
        // Kept through all waits, so that nobody who comes later gets a place earlier.
        let mut place = pin!(places.take_incoming());
        let mut patience = Duration::ZERO;
        loop {
            if let Ok(place) = tokio::time::timeout(patience, &mut place).await {
                return place;
            }
            patience = self.patience();
            if patience.is_zero() {
                self.give_way().await;
            }
        }
    }

    /// How long until one of them has to give way.
    fn patience(&mut self) -> Duration {
        let next = self.next().and_then(|at| self.0.get(at));
        let had = next.map_or(Duration::ZERO, |incoming| incoming.begun.elapsed());
        PLACE_PATIENCE.saturating_sub(had)
    }

    fn count(&mut self) -> usize {
        self.0.retain(|incoming| !incoming.task.is_finished());
        self.0.len()
    }

    /// The one that has to give way first, the oldest of the address that has most of them: whoever
    /// opens many connections and says nothing crowds out nobody but himself.
    fn next(&mut self) -> Option<usize> {
        self.count();
        let mut counts = HashMap::<IpAddr, usize>::new();
        for incoming in &self.0 {
            *counts.entry(incoming.ip).or_default() += 1;
        }
        let most = counts.values().max();
        self.0.iter().position(|incoming| counts.get(&incoming.ip) == most)
    }

    /// Ends that one; its place is free then.
    async fn give_way(&mut self) {
        let Some(at) = self.next() else { return };
        let Incoming { ip, task, .. } = self.0.remove(at);
        log::debug!("{ip}: its unfinished handshake gives way to a newcomer");
        task.abort();
        // That it was ended, or came to its end just before, is all one.
        drop(task.await);
    }
}

/// Shakes hands with a peer that came to us and passes it to the torrent it asks for.
async fn receive(stream: TcpStream, place: ConnectionPlace, addr: SocketAddr, shared: &Shared) {
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("{addr}: cannot set TCP_NODELAY: {error}");
        return;
    }
    let mut wanted = None;
    let find = |disguise| shared.registry.by_disguise(disguise);
    let resolve = |info_hash| {
        wanted = shared.registry.by_hash(info_hash);
        wanted.as_ref().map(Entry::handshake)
    };
    let encryption = shared.dialects.encryption();
    match wire::net::incoming_either(stream, encryption, noise, find, resolve).await {
        Ok((stream, theirs)) => {
            if let Some(entry) = wanted {
                let origin = Origin::Incoming;
                let _ = entry.mailbox.send(Mail::Connected { stream, place, addr, origin, theirs });
            }
        }
        Err(reason) => log::debug!("{addr}: incoming handshake: {reason}"),
    }
}

/// Starts the task that runs a connection. Its batches, and its end, go to the torrent's mailbox.
pub(crate) fn spawn(
    peer: PeerKey,
    (stream, place): (Stream<TcpStream>, ConnectionPlace),
    theirs: Reserved,
    entry: &Entry,
    shared: &Shared,
    layout: &Layout,
) -> Handle {
    let (handle, inbox) = channel();
    let mut config = wire::net::Config::new(shared.downloads.clone());
    // Of a magnet the number of pieces may not be known; then the codec's own limit holds.
    let bytes = layout.piece_count().div_ceil(8);
    if let Some(limit) = usize::try_from(bytes).ok().filter(|bytes| *bytes > 0) {
        config.bitfield_limit = limit;
    }
    config.fast = theirs.has_fast() && RESERVED.has_fast();
    let mailbox = entry.mailbox.clone();
    tokio::spawn(async move {
        let sink = |batch| match mailbox.send(Mail::Peer { peer, batch }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let reason = wire::net::run(stream, inbox, sink, config).await;
        drop(place);
        let _ = mailbox.send(Mail::Closed { peer, reason });
    });
    handle
}

#[cfg(test)]
mod tests;
