//! `pieces-cli download` and `pieces-cli seed`: runs one torrent in a session until it is done or
//! the user stops it. Decides when to leave, and with which exit code; everything else is the
//! session's.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, select, tick};
use metainfo::Metainfo;
use session::{
    AddOptions, Allocation, Config, DEFAULT_PORTS, ErrorKind, Event, Session, TorrentId,
};

use crate::args::{Download, Network, Seed, Target};
use crate::exit::{Code, Failure};
use crate::progress::{self, Progress};
use crate::{output, source, text};

/// Stopping takes as long as trackers and the disk are given, and a little for the tasks to end.
const STOP_DEADLINE: Duration = Duration::from_millis(4500);

/// Runs `download`.
pub(crate) fn download(args: &Download, quiet: bool) -> Result<(), Failure> {
    let torrent = source::torrent(&args.torrent)?;
    let mut options = options(&args.target, &args.network);
    if args.sparse {
        options.allocation = Allocation::Sparse;
    }
    let config = Config { sync_on_stop: args.sync, ..config(&args.network) };
    run(&torrent, options, config, args.seed, quiet)
}

/// Runs `seed`.
pub(crate) fn seed(args: &Seed, quiet: bool) -> Result<(), Failure> {
    let torrent = source::torrent(&args.torrent)?;
    let mut options = options(&args.target, &args.network);
    options.require_complete = true;
    run(&torrent, options, config(&args.network), true, quiet)
}

fn options(target: &Target, network: &Network) -> AddOptions {
    AddOptions {
        dir: target.dir.clone(),
        peers: network.peers.clone(),
        verify: target.verify,
        ..AddOptions::default()
    }
}

fn config(network: &Network) -> Config {
    Config {
        ports: network.port.map_or(DEFAULT_PORTS, |port| port..=port),
        bind: network.bind,
        state_dir: state_dir(),
        ..Config::default()
    }
}

/// Where resume state is kept: `pieces` below the XDG state folder. `None` for a user without a home.
fn state_dir() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME");
    let state = state.or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("pieces"))
}

fn run(
    torrent: &Metainfo,
    options: AddOptions,
    config: Config,
    keep_seeding: bool,
    quiet: bool,
) -> Result<(), Failure> {
    let signals = signals()?;
    let (session, events) = Session::start(config).map_err(|error| failure(&error))?;
    let mut run = Run {
        name: text::escape(torrent.name()).into_owned(),
        total: torrent.total_len(),
        progress: Progress::new(torrent.name(), quiet),
        started: Instant::now(),
        at_start: 0,
        complete: false,
        keep_seeding,
        stopping: false,
        outcome: None,
    };
    run.listening(session.listen_addr());
    let id = session.add(torrent, options).map_err(|error| failure(&error))?;
    run.until_over(&session, id, &events, &signals);
    run.finish()
}

/// One torrent on its way.
struct Run {
    name: String,
    total: u64,
    progress: Progress,
    started: Instant,
    /// Bytes that were there already.
    at_start: u64,
    complete: bool,
    keep_seeding: bool,
    stopping: bool,
    outcome: Option<Failure>,
}

impl Run {
    fn listening(&self, addr: SocketAddr) {
        self.progress.note(&format!("listening on {addr}"));
    }

    /// Follows the session until the torrent has ended, or did not end in time.
    fn until_over(
        &mut self,
        session: &Session,
        id: TorrentId,
        events: &Receiver<Event>,
        signals: &Receiver<()>,
    ) {
        let ticks = tick(progress::TICK);
        let mut give_up = crossbeam_channel::never();
        loop {
            select! {
                recv(events) -> event => match event {
                    Ok(Event::Stopped { .. }) | Err(_) => return,
                    Ok(event) => self.take(session, id, event),
                },
                recv(signals) -> _ => {
                    if self.stopping {
                        return;
                    }
                    self.progress.note("stopping; once more to leave at once");
                    if !self.complete {
                        let message = format!("stopped before {} was complete", self.name);
                        self.outcome = Some(Failure::new(Code::Unfinished, message));
                    }
                    session.stop();
                    self.stopping = true;
                    give_up = at(Instant::now() + STOP_DEADLINE);
                }
                recv(ticks) -> _ => {
                    if let Some(now) = session.snapshot(id) {
                        self.progress.update(&now);
                    }
                }
                recv(give_up) -> _ => return,
            }
        }
    }

    fn take(&mut self, session: &Session, id: TorrentId, event: Event) {
        match event {
            Event::Checking { done, total, .. } => self.progress.checking(done, total),
            Event::Ready { have, total, .. } => {
                self.started = Instant::now();
                let now = session.snapshot(id);
                self.at_start = now.map_or(0, |now| now.have_bytes());
                if have == total {
                    self.completed(session);
                } else if have > 0 {
                    let note = format!("{}: {have} of {total} pieces are here already", self.name);
                    self.progress.note(&note);
                }
            }
            Event::Complete { .. } => self.completed(session),
            Event::Failed { error, .. } => {
                self.stopping = true;
                self.outcome = Some(failure(&error));
            }
            Event::BadPiece { piece, .. } => {
                log::info!("piece {piece} failed its hash and is fetched again");
            }
            Event::Banned { ip, .. } => {
                self.progress.note(&format!("warning: {ip} sent false data and is banned"));
            }
            Event::Announced { url, peers, warning, .. } => {
                let url = text::escape(&url).into_owned();
                log::info!("tracker {url}: {peers} peers");
                if let Some(warning) = warning {
                    let warning = text::escape(&warning);
                    self.progress.note(&format!("warning: tracker {url} says: {warning}"));
                }
            }
            Event::TrackerFailed { url, error, .. } => {
                let (url, error) = (text::escape(&url), text::escape(&error));
                self.progress.note(&format!("warning: tracker {url}: {error}"));
            }
            _ => {}
        }
    }

    fn completed(&mut self, session: &Session) {
        self.complete = true;
        if self.keep_seeding {
            self.progress.note(&format!("{}: complete, seeding", self.name));
        } else if !self.stopping {
            session.stop();
            self.stopping = true;
        }
    }

    /// The last word: a line on stdout, or why it failed.
    fn finish(self) -> Result<(), Failure> {
        let Self { name, total, progress, started, at_start, complete, outcome, .. } = self;
        drop(progress);
        if let Some(failure) = outcome {
            return Err(failure);
        }
        if !complete {
            return Err(Failure::new(Code::Other, format!("{name} ended before it was complete")));
        }
        let fetched = total.saturating_sub(at_start);
        let took = started.elapsed();
        output::text(|out| {
            write!(out, "{name}: complete, {}", text::bytes(total))?;
            if fetched > 0 {
                write!(out, " in {}", text::duration(took))?;
            }
            writeln!(out)
        })
    }
}

/// A message for each Ctrl-C, SIGTERM or SIGHUP.
fn signals() -> Result<Receiver<()>, Failure> {
    let (sender, receiver) = crossbeam_channel::unbounded();
    ctrlc::set_handler(move || {
        // Nobody listens any more when the process is about to end.
        let _ = sender.send(());
    })
    .map_err(|error| Failure::new(Code::Other, format!("cannot listen for signals: {error}")))?;
    Ok(receiver)
}

/// The exit code that fits what a session reports.
fn failure(error: &session::Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::Listen(..) => Code::Network,
        ErrorKind::V2Only => Code::BadTorrent,
        ErrorKind::Incomplete { .. } => Code::Checksum,
        ErrorKind::Storage(error) => match error.kind() {
            storage::ErrorKind::NotFound => Code::NotFound,
            storage::ErrorKind::Full { .. } => Code::DiskFull,
            _ => Code::Io,
        },
        _ => Code::Other,
    };
    Failure::new(code, text::escape(&error.to_string()))
}
