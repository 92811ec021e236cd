//! Following torrents until each is done or stopped: when to leave, what to tell, how it ended.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, select, tick};
use metainfo::{Magnet, Metainfo};
use serde_json::json;
use session::{AddOptions, Event, Session, TorrentId};

use super::events::Events;
use super::failure;
use super::hook::Hook;
use super::transfer::{Transfer, When};
use super::wish::Wish;
use crate::exit::Failure;
use crate::progress::{self, Progress};
use crate::{source, text};

/// Stopping takes as long as trackers and the disk are given, and a little for the tasks to end.
const STOP_DEADLINE: Duration = Duration::from_millis(4500);

/// All torrents of one call.
pub(super) struct Run {
    session: Session,
    events: Receiver<Event>,
    transfers: Vec<Transfer>,
    progress: Progress,
    json: Events,
    hook: Hook,
    seeding: When,
    /// When to be gone, once the user wants to leave.
    leave_at: Option<Instant>,
}

impl Run {
    /// A run of `torrents` torrents, the first of which is called `name`.
    pub(super) fn new(
        (session, events): (Session, Receiver<Event>),
        name: &str,
        torrents: usize,
        quiet: bool,
    ) -> Self {
        let several = format!("{torrents} torrents");
        let progress = Progress::new(if torrents == 1 { name } else { &several }, quiet);
        progress.note(&format!("listening on {}", session.listen_addr()));
        let (json, hook) = (Events::new(false), Hook::new(None));
        let transfers = Vec::new();
        Self {
            session,
            events,
            transfers,
            progress,
            json,
            hook,
            seeding: When::AtOnce,
            leave_at: None,
        }
    }

    /// Writes events on stdout instead of a last line a torrent, if `json`.
    pub(super) fn telling(mut self, json: bool) -> Self {
        self.json = Events::new(json);
        self
    }

    /// Runs `program` for each torrent that is complete.
    pub(super) fn running(mut self, program: Option<PathBuf>) -> Self {
        self.hook = Hook::new(program);
        self
    }

    /// Leaves a complete torrent at such a time.
    pub(super) fn leaving(mut self, seeding: When) -> Self {
        self.seeding = seeding;
        self
    }

    /// Adds a torrent.
    pub(super) fn add(&mut self, torrent: &Metainfo, options: AddOptions) -> Result<(), Failure> {
        let dir = options.dir.clone();
        let id = self.session.add(torrent, options).map_err(|error| failure(&error))?;
        let transfer = Transfer::new(id, torrent, dir);
        let path = transfer.path();
        self.json.tell(
            &transfer.info_hash,
            "added",
            json!({ "name": transfer.name, "path": path, "total_length": torrent.total_len() }),
        );
        self.transfers.push(transfer);
        Ok(())
    }

    /// Adds a magnet; its download begins when its torrent is known, which may be now.
    pub(super) fn add_magnet(&mut self, magnet: Magnet, wish: Wish) -> Result<(), Failure> {
        if let Some(file) = self.session.kept_metadata(&magnet) {
            let torrent = self.understand(&magnet, &file)?;
            wish.save(&torrent, &file)?;
            let mut options = wish.options(&torrent, Some(&magnet))?;
            options
                .peers
                .extend(magnet.peers.iter().filter_map(|peer| peer.parse::<SocketAddr>().ok()));
            return self.add(&torrent, options);
        }
        let peers = wish.peers();
        let id = self.session.add_magnet(magnet.clone(), peers).map_err(|error| failure(&error))?;
        let transfer = Transfer::of_magnet(id, magnet, wish);
        let facts = json!({ "name": transfer.name, "path": null, "total_length": null });
        self.json.tell(&transfer.info_hash, "added", facts);
        self.transfers.push(transfer);
        Ok(())
    }

    /// The metadata of a magnet is here: the download begins.
    fn begin(&mut self, at: usize, file: &[u8]) -> Result<(), Failure> {
        let Some(transfer) = self.transfers.get_mut(at) else { return Ok(()) };
        let Some(waiting) = transfer.magnet.take() else { return Ok(()) };
        let (magnet, wish) = *waiting;
        let id = transfer.id;
        let torrent = self.understand(&magnet, file)?;
        let Some(transfer) = self.transfers.get_mut(at) else { return Ok(()) };
        transfer.known(&torrent);
        let (path, length) = (transfer.path(), torrent.total_len());
        let facts = json!({ "name": transfer.name, "path": path, "total_length": length });
        self.json.tell(&transfer.info_hash, "metadata", facts);
        let (name, size) = (text::escape(&transfer.name), text::bytes(length));
        let pieces = torrent.piece_count();
        self.progress.note(&format!("{name}: the metadata is here, {size} in {pieces} pieces"));
        if self.transfers.len() == 1 {
            self.progress.rename(torrent.name());
        }
        wish.save(&torrent, file)?;
        let options = wish.options(&torrent, Some(&magnet))?;
        self.session.begin(id, &torrent, options).map_err(|error| failure(&error))
    }

    /// The torrent that a magnet led to.
    fn understand(&self, magnet: &Magnet, file: &[u8]) -> Result<Metainfo, Failure> {
        let name = source::magnet_name(magnet);
        let name = text::escape(&name);
        let torrent = Metainfo::from_bytes(file)
            .map_err(|error| Failure::new(source::code(&error), format!("{name}: {error}")))?;
        for warning in torrent.warnings() {
            self.progress.note(&format!("warning: {name}: {warning}"));
        }
        Ok(torrent)
    }

    /// Follows the session until all torrents have ended, or did not end in time.
    pub(super) fn until_over(&mut self, signals: &Receiver<()>) {
        let ticks = tick(progress::TICK);
        let mut give_up = crossbeam_channel::never();
        let events = self.events.clone();
        while self.transfers.iter().any(|transfer| !transfer.ended) {
            select! {
                recv(events) -> event => match event {
                    Ok(event) => self.take(event),
                    Err(_) => return,
                },
                recv(signals) -> _ => {
                    let now = Instant::now();
                    self.progress.note("stopping; once more to leave at once");
                    self.stop_all();
                    self.leave_at = Some(now + STOP_DEADLINE);
                    give_up = at(now + STOP_DEADLINE);
                }
                recv(ticks) -> _ => self.tick(),
                recv(give_up) -> _ => return,
            }
        }
    }

    fn stop_all(&mut self) {
        for transfer in &mut self.transfers {
            transfer.interrupted = true;
        }
        self.session.stop();
    }

    /// Looks at how things stand.
    fn tick(&mut self) {
        let now = Instant::now();
        let mut all = Vec::new();
        for transfer in self.transfers.iter_mut().filter(|transfer| !transfer.ended) {
            let Some(snapshot) = self.session.snapshot(transfer.id) else { continue };
            if let Some(stall) = transfer.watch.look(now, &snapshot) {
                let words = super::stall::words(&stall);
                self.progress.note(&format!("{}: stalled: {words}", text::escape(&transfer.name)));
                let facts = json!({ "reason": super::stall::word(&stall), "message": words });
                self.json.tell(&transfer.info_hash, "stalled", facts);
            }
            if transfer.may_leave(&self.seeding, now, &snapshot) {
                transfer.leaving = true;
                self.session.stop_one(transfer.id);
            }
            all.push(snapshot);
        }
        self.progress.update(&all);
    }

    fn take(&mut self, event: Event) {
        let Some(id) = torrent_of(&event) else { return };
        let Some(at) = self.transfers.iter().position(|transfer| transfer.id == id) else { return };
        if let Event::Metadata { file, .. } = &event {
            if let Err(failure) = self.begin(at, file) {
                self.fail(at, failure);
            }
            return;
        }
        let Some(transfer) = self.transfers.get_mut(at) else { return };
        let (json, torrent) = (self.json, transfer.info_hash.as_str());
        let name = text::escape(&transfer.name);
        let warn = |message: String| {
            self.progress.note(&format!("warning: {message}"));
            json.tell(torrent, "warning", json!({ "message": message }));
        };
        match event {
            Event::Checking { done, total, .. } => {
                json.tell(torrent, "checking", json!({ "done": done, "total": total }));
                self.progress.checking(done, total);
            }
            Event::Ready { have, total, have_bytes, total_bytes, .. } => {
                json.tell(torrent, "ready", json!({ "have": have, "total": total }));
                if have < total && have > 0 {
                    self.progress
                        .note(&format!("{name}: {have} of {total} pieces are here already"));
                }
                transfer.ready(have_bytes, total_bytes);
                if have == total {
                    self.completed(at);
                }
            }
            Event::Piece { piece, .. } => {
                json.tell(torrent, "piece", json!({ "piece": piece.get() }));
            }
            Event::Peer { addr, change, .. } => {
                json.tell(torrent, "peer", super::events::peer(addr, &change));
            }
            Event::Complete { .. } => self.completed(at),
            Event::Failed { error, .. } => transfer.outcome = Some(failure(&error)),
            Event::Stopped { .. } => transfer.ended = true,
            Event::BadPiece { piece, .. } => {
                log::info!("{name}: piece {piece} failed its hash and is fetched again");
            }
            Event::Banned { ip, .. } => warn(format!("{ip} sent false data and is banned")),
            Event::Announced { url, peers, warning, .. } => {
                let url = text::escape(&url);
                log::info!("{name}: tracker {url}: {peers} peers");
                if let Some(warning) = warning {
                    warn(format!("tracker {url} says: {}", text::escape(&warning)));
                }
            }
            Event::TrackerFailed { url, error, .. } => {
                warn(format!("tracker {}: {}", text::escape(&url), text::escape(&error)));
            }
            _ => {}
        }
    }

    /// It can't go on, by a fault that the session does not see, unless that only comes of leaving.
    fn fail(&mut self, at: usize, failure: Failure) {
        let Some(transfer) = self.transfers.get_mut(at) else { return };
        if !transfer.interrupted {
            transfer.outcome.get_or_insert(failure);
        }
        self.session.stop_one(transfer.id);
    }

    fn completed(&mut self, at: usize) {
        let Some(transfer) = self.transfers.get_mut(at) else { return };
        if transfer.complete.is_some() {
            return;
        }
        transfer.complete = Some(Instant::now());
        let facts = json!({ "path": transfer.path(), "length": transfer.total });
        self.json.tell(&transfer.info_hash, "complete", facts);
        self.hook.run(&transfer.facts());
        if !matches!(self.seeding, When::AtOnce) {
            let name = text::escape(&transfer.name);
            self.progress.note(&format!("{name}: complete, seeding"));
        } else if self.leave_at.is_none() {
            transfer.leaving = true;
            self.session.stop_one(transfer.id);
        }
    }

    /// The last word: a line on stdout for each torrent, or why it failed. Gives the first failure.
    pub(super) fn finish(self, signals: &Receiver<()>) -> Result<(), Failure> {
        let Self { transfers, progress, json, hook, leave_at, .. } = self;
        drop(progress);
        hook.wait(signals, leave_at);
        let mut first = Ok(());
        for transfer in transfers {
            let info_hash = transfer.info_hash.clone();
            let Err(failure) = transfer.finish(!json.are_on()) else { continue };
            let facts =
                json!({ "message": failure.to_string(), "exit_code": failure.code() as u8 });
            json.tell(&info_hash, "error", facts);
            if first.is_ok() {
                first = Err(failure);
            } else {
                progress::write_line(&format!("error: {failure}"));
            }
        }
        first
    }
}

/// Which torrent an event is of.
fn torrent_of(event: &Event) -> Option<TorrentId> {
    match event {
        Event::Checking { torrent, .. }
        | Event::Metadata { torrent, .. }
        | Event::Ready { torrent, .. }
        | Event::Piece { torrent, .. }
        | Event::Peer { torrent, .. }
        | Event::BadPiece { torrent, .. }
        | Event::Banned { torrent, .. }
        | Event::Announced { torrent, .. }
        | Event::TrackerFailed { torrent, .. }
        | Event::Complete { torrent }
        | Event::Failed { torrent, .. }
        | Event::Stopped { torrent } => Some(*torrent),
        _ => None,
    }
}
