//! All conversations with UDP trackers from one socket (BEP 15): connecting, asking,
//! retransmitting, giving up. A state machine without I/O: datagrams and time come in, datagrams
//! and answers come out. Never touches a socket or a clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use egress::{Class, Trials};

use super::packet::{self, Packet};
use crate::error::{Error, ErrorKind};
use crate::message::{Announce, Reply, ScrapeReply};
use crate::reply;

/// Seconds between the packets that are sent before BEP 15's schedule begins. BEP 15 waits 15 s for
/// the first answer, which is far longer than a round trip: one lost packet would leave a torrent
/// without peers for that long. These end when BEP 15 would repeat for the first time, at 15 s.
const EARLY_WAITS: [u64; 4] = [1, 2, 4, 8];
/// BEP 15: the n-th retransmission follows after `15 * 2^n` seconds, so that a tracker that is down
/// or busy gets few packets...
const BEP_WAIT: Duration = Duration::from_secs(15);
/// ...with n up to 8.
const MAX_RETRANSMISSION: u32 = 8;
/// How long a client may use a connection id (BEP 15).
const CONNECTION_LIFETIME: Duration = Duration::from_mins(1);

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// An announce, and the path and query of the tracker's URL.
    Announce(Box<Announce>, String),
    Scrape(Vec<[u8; 20]>),
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Announce(Reply),
    Scrape(ScrapeReply),
}

/// What the socket's owner has to do.
#[derive(Debug)]
pub(super) enum Output<T> {
    Send(SocketAddr, Vec<u8>),
    Done(T, Result<Answer, Error>),
}

/// The conversations. `T` is what the caller wants back with the answer.
pub(super) struct Exchanges<T> {
    /// By the transaction id of the packet that awaits its answer.
    open: BTreeMap<u32, Exchange<T>>,
    connections: BTreeMap<SocketAddr, Connection>,
    output: VecDeque<Output<T>>,
    /// Transaction ids: whoever can guess them can answer in a tracker's place.
    random: Box<dyn FnMut() -> u32 + Send>,
    /// Told which addresses answered.
    trials: Trials,
}

#[derive(Clone, Copy)]
struct Connection {
    id: u64,
    until: Instant,
}

struct Exchange<T> {
    question: Question,
    /// The tracker's addresses. All are tried at once for connecting; the first that answers is
    /// then asked.
    addrs: Vec<SocketAddr>,
    stage: Stage,
    retransmissions: u32,
    next: Instant,
    deadline: Instant,
    done: T,
}

#[derive(Clone, Copy)]
enum Stage {
    Connecting,
    Asking { addr: SocketAddr, connection: Connection, cached: bool },
}

impl<T> Exchanges<T> {
    pub(super) fn new(random: impl FnMut() -> u32 + Send + 'static, trials: Trials) -> Self {
        Self {
            open: BTreeMap::new(),
            connections: BTreeMap::new(),
            output: VecDeque::new(),
            random: Box::new(random),
            trials,
        }
    }

    /// Asks a tracker that has these addresses; the answer or an error comes by `deadline`.
    pub(super) fn start(
        &mut self,
        now: Instant,
        addrs: Vec<SocketAddr>,
        question: Question,
        deadline: Instant,
        done: T,
    ) {
        self.connections.retain(|_, connection| connection.until > now);
        let known = addrs.iter().find_map(|addr| Some((*addr, *self.connections.get(addr)?)));
        let stage = match known {
            Some((addr, connection)) => Stage::Asking { addr, connection, cached: true },
            None => Stage::Connecting,
        };
        let exchange =
            Exchange { question, addrs, stage, retransmissions: 0, next: now, deadline, done };
        self.enter(now, exchange, stage);
    }

    /// A datagram arrived. What answers nothing we asked, or comes from elsewhere, is ignored.
    pub(super) fn received(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Some((transaction, packet)) = packet::decode(bytes) else { return };
        let Some(exchange) = self.open.get(&transaction) else { return };
        let expected = match exchange.stage {
            Stage::Connecting => exchange.addrs.contains(&from),
            Stage::Asking { addr, .. } => addr == from,
        };
        if !expected {
            log::debug!("a udp tracker's answer came from {from}, where nobody was asked");
            return;
        }
        let Some(mut exchange) = self.open.remove(&transaction) else { return };
        self.trials.answered(from);
        exchange.retransmissions = 0;
        match (exchange.stage, packet) {
            (Stage::Connecting, Packet::Connect { connection }) => {
                let until = now + CONNECTION_LIFETIME;
                let connection = Connection { id: connection, until };
                self.connections.insert(from, connection);
                self.enter(now, exchange, Stage::Asking { addr: from, connection, cached: false });
            }
            // The tracker may have forgotten an id that we kept, say because it was restarted.
            (Stage::Asking { cached: true, .. }, Packet::Error { .. }) => {
                self.connections.remove(&from);
                self.enter(now, exchange, Stage::Connecting);
            }
            (_, Packet::Error { message }) => {
                // Some trackers send the zero at the end of their string too.
                let message = message.split(|byte| *byte == 0).next().unwrap_or_default();
                self.finish(exchange.done, Err(Error::failure(message, None)));
            }
            (Stage::Asking { .. }, packet) => {
                let answer = read(&exchange.question, from, &packet);
                self.finish(exchange.done, answer);
            }
            (Stage::Connecting, _) => self.finish(exchange.done, Err(unexpected())),
        }
    }

    /// The socket refused to send to `addr`.
    pub(super) fn unreachable(&mut self, addr: SocketAddr, why: &str) {
        let mut lost = Vec::new();
        for (transaction, exchange) in &mut self.open {
            exchange.addrs.retain(|known| *known != addr);
            let asking =
                matches!(exchange.stage, Stage::Asking { addr: asked, .. } if asked == addr);
            if asking || exchange.addrs.is_empty() {
                lost.push(*transaction);
            }
        }
        for exchange in lost.into_iter().filter_map(|id| self.open.remove(&id)) {
            let error = Error::new(ErrorKind::Connect, format!("cannot send to {addr}: {why}"));
            self.output.push_back(Output::Done(exchange.done, Err(error)));
        }
    }

    /// Retransmits what is due, gives up what is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let due = |e: &Exchange<T>| e.next <= now || e.deadline <= now;
        let due: Vec<u32> = self.open.iter().filter(|(_, e)| due(e)).map(|(id, _)| *id).collect();
        for transaction in due {
            let Some(mut exchange) = self.open.remove(&transaction) else { continue };
            if exchange.deadline <= now {
                let what = match exchange.stage {
                    Stage::Connecting => "no answer at all in time",
                    Stage::Asking { .. } => "it connected, but gave no answer in time",
                };
                self.finish(exchange.done, Err(Error::new(ErrorKind::Timeout, what)));
                continue;
            }
            exchange.retransmissions = exchange.retransmissions.saturating_add(1);
            match exchange.stage {
                Stage::Asking { connection, .. } if connection.until <= now => {
                    self.enter(now, exchange, Stage::Connecting);
                }
                _ => self.send(now, transaction, exchange),
            }
        }
    }

    /// What the socket's owner has to do next.
    pub(super) fn poll(&mut self) -> Option<Output<T>> {
        self.output.pop_front()
    }

    /// When [`Exchanges::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.open.values().map(|exchange| exchange.next.min(exchange.deadline)).min()
    }

    /// Begins a stage, under a transaction id of its own.
    fn enter(&mut self, now: Instant, mut exchange: Exchange<T>, stage: Stage) {
        exchange.stage = stage;
        let mut transaction = (self.random)();
        while self.open.contains_key(&transaction) {
            transaction = transaction.wrapping_add((self.random)() | 1);
        }
        self.send(now, transaction, exchange);
    }

    fn send(&mut self, now: Instant, transaction: u32, mut exchange: Exchange<T>) {
        exchange.next = now + wait(exchange.retransmissions);
        match exchange.stage {
            Stage::Connecting => {
                let send = |addr| Output::Send(addr, packet::connect(transaction));
                self.output.extend(exchange.addrs.iter().copied().map(send));
            }
            Stage::Asking { addr, connection, .. } => {
                let bytes = match &exchange.question {
                    Question::Announce(ask, path) => {
                        packet::announce(connection.id, transaction, ask, path)
                    }
                    Question::Scrape(hashes) => packet::scrape(connection.id, transaction, hashes),
                };
                self.output.push_back(Output::Send(addr, bytes));
            }
        }
        self.open.insert(transaction, exchange);
    }

    fn finish(&mut self, done: T, answer: Result<Answer, Error>) {
        self.output.push_back(Output::Done(done, answer));
    }
}

/// How long the packet after so many retransmissions is waited for: packets leave after 0, 1, 3 and
/// 7 s, and then when BEP 15 says, after 15, 45, 105 s and so on.
fn wait(retransmissions: u32) -> Duration {
    let early = usize::try_from(retransmissions).ok().and_then(|n| EARLY_WAITS.get(n));
    early.map_or_else(
        || {
            let skipped = u32::try_from(EARLY_WAITS.len()).unwrap_or(u32::MAX);
            // The first of BEP 15's waits, n = 0, is the early ones together.
            let n = retransmissions.saturating_sub(skipped).saturating_add(1);
            BEP_WAIT * (1 << n.min(MAX_RETRANSMISSION))
        },
        |seconds| Duration::from_secs(*seconds),
    )
}

/// Reads the answer to a question. The peers' size follows from the family of the tracker's
/// address.
fn read(question: &Question, from: SocketAddr, packet: &Packet<'_>) -> Result<Answer, Error> {
    match (question, packet) {
        (Question::Announce(..), Packet::Announce { interval, leechers, seeders, peers }) => {
            let mut reply = Reply {
                interval: reply::interval(Some(Duration::from_secs(u64::from(*interval))), None),
                complete: Some(*seeders),
                incomplete: Some(*leechers),
                ..Reply::default()
            };
            if from.ip().to_canonical().is_ipv4() {
                reply::compact_v4(peers, &mut reply.peers);
            } else {
                reply::compact_v6(peers, &mut reply.peers);
            }
            reply::keep_named(&mut reply, Class::of(from.ip()));
            Ok(Answer::Announce(reply))
        }
        (Question::Scrape(hashes), Packet::Scrape { counts }) => {
            let torrents = hashes.iter().zip(*counts).map(|(hash, c)| packet::counts(*hash, c));
            Ok(Answer::Scrape(ScrapeReply { torrents: torrents.collect() }))
        }
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Malformed, "the answer does not fit the question")
}

#[cfg(test)]
mod tests;
