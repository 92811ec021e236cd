//! A local HTTP tracker (BEP 3, 7, 23) on plain threads, which remembers every announce.
//!
//! Owns a listening socket, who is in which swarm, and the record of what was said to it. Never
//! checks who may announce what: tests do, on the record.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::{PATIENCE, Result};

mod query;
mod reply;

/// What a client said in one announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// Which torrent.
    pub info_hash: [u8; 20],
    /// Who.
    pub peer_id: [u8; 20],
    /// Where it can be dialed: the address it announced from with the port it gave.
    pub addr: SocketAddr,
    /// `started`, `completed`, `stopped`; empty in a periodic announce.
    pub event: String,
    /// Bytes it says are still missing.
    pub left: u64,
    /// Bytes it says it sent.
    pub uploaded: u64,
    /// Bytes it says it received.
    pub downloaded: u64,
    /// `numwant`, if it gave one.
    pub num_want: Option<u32>,
    /// The query as it came, still percent-encoded.
    pub query: String,
    /// The request's `User-Agent`.
    pub user_agent: String,
}

/// How the tracker answers announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The peers of the swarm as strings of 6 bytes (18 in `peers6`).
    Compact,
    /// The peers of the swarm as a list of dictionaries.
    Dictionaries,
    /// This `failure reason` and nothing else.
    Failure(String),
    /// These bytes, whatever they are, instead of an HTTP response.
    Raw(Vec<u8>),
    /// No answer at all: the connection stays open and silent until the tracker is dropped.
    Silence,
}

/// A tracker, up until it is dropped.
#[derive(Debug)]
pub struct Tracker {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    announces: Vec<Announce>,
    /// Bytes left of everyone in a swarm.
    members: BTreeMap<([u8; 20], SocketAddr), u64>,
    answer: Answer,
    interval: Duration,
    warning: Option<String>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracker {
    /// Starts on a free port of 127.0.0.1.
    pub fn start() -> Result<Self> {
        Self::start_on((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts on an address; port 0 is any free one.
    pub fn start_on(addr: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                announces: Vec::new(),
                members: BTreeMap::new(),
                answer: Answer::Compact,
                interval: Duration::from_mins(30),
                warning: None,
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &for_thread));
        Ok(Self { addr, shared })
    }

    /// What belongs into a torrent's `announce`.
    pub fn url(&self) -> String {
        format!("http://{}/announce", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes how announces are answered.
    pub fn set_answer(&self, answer: Answer) {
        self.shared.lock().answer = answer;
    }

    /// Changes the interval in the replies (whole seconds).
    pub fn set_interval(&self, interval: Duration) {
        self.shared.lock().interval = interval;
    }

    /// Adds a `warning message` to the replies.
    pub fn set_warning(&self, warning: &str) {
        self.shared.lock().warning = Some(warning.to_owned());
    }

    /// Puts somebody into a swarm who did not announce.
    pub fn add_peer(&self, info_hash: [u8; 20], addr: SocketAddr) {
        self.shared.lock().members.insert((info_hash, addr), 0);
    }

    /// All announces so far, the oldest first.
    pub fn announces(&self) -> Vec<Announce> {
        self.shared.lock().announces.clone()
    }

    /// How many seeds and how many others are in a swarm.
    pub fn swarm(&self, info_hash: [u8; 20]) -> (usize, usize) {
        let state = self.shared.lock();
        let of_swarm = state.members.iter().filter(|((hash, _), _)| *hash == info_hash);
        let (seeds, others): (Vec<_>, Vec<_>) = of_swarm.partition(|(_, left)| **left == 0);
        (seeds.len(), others.len())
    }

    /// Waits until `pick` finds what it looks for in all announces so far. The error lists them.
    pub fn wait_for<T>(
        &self,
        patience: Duration,
        mut pick: impl FnMut(&[Announce]) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = pick(&state.announces) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen = format!("{:#?}", state.announces);
                return Err(format!("the tracker waited in vain; announces: {seen}").into());
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for an announce with this event from anybody and returns the first.
    pub fn wait_event(&self, event: &str) -> Result<Announce> {
        self.wait_for(PATIENCE, |all| all.iter().find(|a| a.event == event).cloned())
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        // Wakes the thread that accepts, so that it sees the flag and frees the port.
        drop(TcpStream::connect_timeout(&self.addr, Duration::from_secs(1)));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, from)) = listener.accept() {
        if shared.lock().closed {
            return;
        }
        let shared = Arc::clone(shared);
        // A client that hangs up in the middle is the client's affair.
        thread::spawn(move || drop(converse(stream, from.ip(), &shared)));
    }
}

/// One request, one answer, hang up.
fn converse(stream: TcpStream, from: IpAddr, shared: &Shared) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut user_agent = String::new();
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("user-agent")
        {
            value.trim().clone_into(&mut user_agent);
        }
    }
    let mut stream = reader.into_inner();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let announce = match query::announce(path, from) {
        Ok(announce) => Announce { user_agent, ..announce },
        Err(error) => return Ok(stream.write_all(&reply::failure(&error.to_string()))?),
    };
    match record(announce, shared) {
        Some(answer) => stream.write_all(&answer)?,
        None => stay_silent(shared),
    }
    Ok(())
}

/// Writes an announce down, updates the swarm and makes the answer; `None` is silence.
fn record(announce: Announce, shared: &Shared) -> Option<Vec<u8>> {
    let mut guard = shared.lock();
    let state = &mut *guard;
    let me = (announce.info_hash, announce.addr);
    if announce.event == "stopped" {
        state.members.remove(&me);
    } else {
        state.members.insert(me, announce.left);
    }
    let wanted = announce.num_want.map_or(50, |n| n as usize);
    let of_swarm = state.members.keys().filter(|key| key.0 == me.0 && key.1 != me.1);
    let peers: Vec<SocketAddr> = of_swarm.map(|key| key.1).take(wanted).collect();
    let seeds = state.members.iter().filter(|(key, left)| key.0 == me.0 && **left == 0).count();
    let all = state.members.keys().filter(|key| key.0 == me.0).count();
    state.announces.push(announce);
    shared.changed.notify_all();
    let swarm = reply::Swarm {
        peers: &peers,
        seeds,
        others: all - seeds,
        interval: state.interval,
        warning: state.warning.as_deref(),
    };
    match &state.answer {
        Answer::Compact => Some(reply::compact(&swarm)),
        Answer::Dictionaries => Some(reply::dictionaries(&swarm)),
        Answer::Failure(reason) => Some(reply::failure(reason)),
        Answer::Raw(bytes) => Some(bytes.clone()),
        Answer::Silence => None,
    }
}

fn stay_silent(shared: &Shared) {
    let mut state = shared.lock();
    while !state.closed {
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}
