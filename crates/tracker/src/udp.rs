//! UDP trackers (BEP 15): one socket and one thread for each address family, started when first
//! needed, however many trackers are asked. Never resolves names and never decides what may be
//! asked.

mod errors;
mod exchanges;
pub(crate) mod fuzz;
mod packet;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use egress::Trials;
use socket2::{Domain, Protocol, Socket, Type};

pub(crate) use self::exchanges::{Answer, Question};
use self::exchanges::{Exchanges, Output};
use crate::error::{Error, ErrorKind};
use crate::shortage::Shortage;

/// What takes the answer, on the socket's thread.
pub(crate) type Done = Box<dyn FnOnce(Result<Answer, Error>) + Send>;

/// The longest sleep. A wake-up cuts it short; this is for the one that gets lost.
const NAP: Duration = Duration::from_secs(5);
/// No datagram is larger.
const MAX_DATAGRAM: usize = 64 * 1024;

/// The sockets.
#[derive(Debug)]
pub(crate) struct Udp {
    bind: Option<IpAddr>,
    trials: Trials,
    shortage: Shortage,
    v4: Mutex<Option<Lane>>,
    v6: Mutex<Option<Lane>>,
}

/// A question on its way to the socket's thread.
struct Job {
    addrs: Vec<SocketAddr>,
    question: Question,
    deadline: Instant,
    done: Done,
}

impl Udp {
    /// `trials` is told which addresses answered.
    pub(crate) fn new(bind: Option<IpAddr>, shortage: Shortage, trials: Trials) -> Self {
        Self { bind, shortage, trials, v4: Mutex::default(), v6: Mutex::default() }
    }

    /// Asks the tracker that has these addresses. With addresses of both families it is asked by
    /// both, so that it knows both of ours (BEP 7), and the first answer counts.
    pub(crate) fn ask(
        &self,
        addrs: Vec<SocketAddr>,
        question: Question,
        deadline: Instant,
        done: Done,
    ) {
        let (v4, v6): (Vec<_>, Vec<_>) = addrs.into_iter().partition(SocketAddr::is_ipv4);
        match (v4.is_empty(), v6.is_empty()) {
            (false, false) => {
                let (first, second) = first_answer(done);
                self.send(&self.v4, v4, question.clone(), deadline, first);
                self.send(&self.v6, v6, question, deadline, second);
            }
            (_, true) => self.send(&self.v4, v4, question, deadline, done),
            (true, _) => self.send(&self.v6, v6, question, deadline, done),
        }
    }

    fn send(
        &self,
        lane: &Mutex<Option<Lane>>,
        addrs: Vec<SocketAddr>,
        question: Question,
        deadline: Instant,
        done: Done,
    ) {
        let v4 = addrs.iter().any(SocketAddr::is_ipv4);
        let any: IpAddr =
            if v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // A lane is replaced as a whole; a panic cannot leave half of one.
        let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || Lane::start(self.bind.unwrap_or(any), self.trials.clone());
        let started = lane.take().map_or_else(|| self.shortage.patiently(|| true, start), Ok);
        match started {
            Ok(started) => {
                started.send(Job { addrs, question, deadline, done });
                *lane = Some(started);
            }
            Err(e) => {
                drop(lane);
                done(Err(Error::new(ErrorKind::Connect, format!("no udp socket: {e}"))));
            }
        }
    }
}

/// Two callbacks for one: it gets the first success, or the last failure.
fn first_answer(done: Done) -> (Done, Done) {
    let state = Arc::new(Mutex::new((Some(done), 2)));
    let one = |state: Arc<Mutex<(Option<Done>, u32)>>| -> Done {
        Box::new(move |answer| {
            let mut held = state.lock().unwrap_or_else(PoisonError::into_inner);
            held.1 -= 1;
            let done = if answer.is_ok() || held.1 == 0 { held.0.take() } else { None };
            drop(held);
            if let Some(done) = done {
                done(answer);
            }
        })
    };
    (one(Arc::clone(&state)), one(state))
}

/// One socket with its thread, which ends when this is dropped.
#[derive(Debug)]
struct Lane {
    /// `None` only while being dropped.
    jobs: Option<Sender<Job>>,
    socket: Arc<UdpSocket>,
    /// Where the socket reaches itself.
    itself: SocketAddr,
}

impl Lane {
    fn start(local: IpAddr, trials: Trials) -> io::Result<Self> {
        let local = SocketAddr::new(local, 0);
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&local.into())?;
        let socket = Arc::new(UdpSocket::from(socket));
        if let Err(error) = errors::keep(&socket, local.is_ipv6()) {
            log::debug!("udp trackers: refusals are not heard: {error}");
        }
        let mut itself = socket.local_addr()?;
        if itself.ip().is_unspecified() {
            itself.set_ip(match itself {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let (jobs, incoming) = unbounded();
        let its = Arc::clone(&socket);
        thread::Builder::new()
            .name("tracker-udp".into())
            .spawn(move || serve(&its, &incoming, Exchanges::new(random, trials)))?;
        Ok(Self { jobs: Some(jobs), socket, itself })
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread ends only after this sender.
            let _ = jobs.send(job);
            self.wake();
        }
    }

    /// An empty datagram to ourselves ends the thread's wait.
    fn wake(&self) {
        if let Err(e) = self.socket.send_to(&[], self.itself) {
            log::debug!("cannot wake the udp tracker thread: {e}");
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.jobs = None;
        self.wake();
    }
}

/// Runs the conversations until nobody can ask any more.
fn serve(socket: &UdpSocket, jobs: &Receiver<Job>, mut exchanges: Exchanges<Done>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        loop {
            match jobs.try_recv() {
                Ok(Job { addrs, question, deadline, done }) => {
                    exchanges.start(Instant::now(), addrs, question, deadline, done);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        exchanges.handle_timeout(Instant::now());
        while let Some(output) = exchanges.poll() {
            match output {
                Output::Send(to, bytes) => {
                    let mut sent = socket.send_to(&bytes, to);
                    if sent.as_ref().is_err_and(is_quiet) {
                        // That an earlier one was refused, perhaps elsewhere, may be told now.
                        take_refusals(socket, &mut exchanges);
                        sent = socket.send_to(&bytes, to);
                    }
                    if let Err(e) = sent {
                        exchanges.unreachable(to, &e.to_string());
                    }
                }
                Output::Done(done, answer) => {
                    // A callback that panics must not silence all other trackers.
                    let call = std::panic::AssertUnwindSafe(move || done(answer));
                    if std::panic::catch_unwind(call).is_err() {
                        log::error!("a udp tracker's callback panicked");
                    }
                }
            }
        }
        let now = Instant::now();
        let wait = exchanges.poll_timeout().map_or(NAP, |at| at.saturating_duration_since(now));
        // A zero timeout would mean "for ever".
        let wait = wait.clamp(Duration::from_millis(1), NAP);
        let received =
            socket.set_read_timeout(Some(wait)).and_then(|()| socket.recv_from(&mut buffer));
        match received {
            Ok((len, from)) => {
                let bytes = buffer.get(..len).unwrap_or_default();
                exchanges.received(Instant::now(), from, bytes);
            }
            Err(e) if is_quiet(&e) => take_refusals(socket, &mut exchanges),
            Err(e) => {
                log::debug!("udp trackers: {e}");
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Ends the conversations with trackers that do not listen.
fn take_refusals(socket: &UdpSocket, exchanges: &mut Exchanges<Done>) {
    for addr in errors::refused(socket) {
        exchanges.unreachable(addr, "nothing listens there");
    }
}

/// Whether an error only means that nothing came, or that a datagram of ours was not wanted.
fn is_quiet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// From the system's secure source: a seeded generator's numbers could be predicted.
fn random() -> u32 {
    getrandom::u32().unwrap_or_else(|_| {
        use std::hash::{BuildHasher, RandomState};
        // Without that source, a keyed hash whose key the system chose is the next best.
        let [a, b, c, d, ..] = RandomState::new().hash_one(Instant::now()).to_ne_bytes();
        u32::from_ne_bytes([a, b, c, d])
    })
}

#[cfg(test)]
mod tests;
