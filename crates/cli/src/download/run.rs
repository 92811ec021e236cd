//! Following torrents until each is done or stopped: what to add, when to leave, how it ended. What
//! is told of a torrent's events is in [`super::tell`].

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, never, select, tick};
use metainfo::{InfoHash, Magnet, Metainfo};
use session::{AddOptions, Event, Session, TorrentId};

use super::events::{Events, Fact};
use super::failure;
use super::hook::Hook;
use super::load::{Loaded, Loader};
use super::summary;
use super::transfer::{Transfer, When};
use super::verdict::Verdict;
use super::wish::Wish;
use crate::exit::Failure;
use crate::inner_folder;
use crate::progress::{self, Progress, Row};
use crate::source::{self, Source};
use crate::text;

/// Stopping takes as long as trackers and the disk are given, and a little for the tasks to end.
const STOP_DEADLINE: Duration = Duration::from_millis(4500);

/// How often programs are told how fast a torrent goes. A little less than the second it stands for, as it
/// is looked at with [`progress::TICK`].
const FIGURES: Duration = Duration::from_millis(900);

/// What a call is to do with its torrents.
pub(super) struct Orders {
    /// What is wanted of each torrent.
    pub(super) wish: Wish,
    /// When to leave those that are complete.
    pub(super) seeding: When,
    /// Where events go.
    pub(super) json: Events,
    /// What is run for each torrent that is complete.
    pub(super) hook: Hook,
    /// Say nothing but results and errors.
    pub(super) quiet: bool,
}

/// All torrents of one call.
pub(super) struct Run {
    session: Session,
    events: Receiver<Event>,
    loader: Loader,
    pub(super) transfers: Vec<Transfer>,
    pub(super) progress: Progress,
    pub(super) verdict: Verdict,
    pub(super) orders: Orders,
    /// When programs are told figures again.
    next_figures: Instant,
    /// When to be gone, once the user wants to leave.
    leave_at: Option<Instant>,
}

impl Run {
    /// A run of the arguments that `loader` reads.
    pub(super) fn new(
        (session, events): (Session, Receiver<Event>),
        loader: Loader,
        verdict: Verdict,
        orders: Orders,
    ) -> Self {
        let progress = Progress::new(orders.quiet);
        progress.note(&format!("listening on {}", session.listen_addr()));
        let (transfers, leave_at, next_figures) = (Vec::new(), None, Instant::now());
        Self {
            session,
            events,
            loader,
            transfers,
            progress,
            verdict,
            orders,
            next_figures,
            leave_at,
        }
    }

    /// Whether the call names several torrents, so that each line has to say which one it is of.
    pub(super) fn is_of_several(&self) -> bool {
        self.loader.len() > 1
    }

    /// An argument was read: its torrent is added, or what is wrong with it told. The others go on.
    pub(super) fn load(&mut self, Loaded { at, source }: Loaded) {
        self.loader.took(at);
        let argument = self.loader.name(at).to_owned();
        let added = source.and_then(|source| match source {
            Source::Torrent(torrent) => {
                let options = self.orders.wish.options(&torrent, None);
                let options = options.map_err(|failure| failure.of(&argument))?;
                self.add(&argument, &torrent, options)
            }
            Source::Magnet(magnet) => self.add_magnet(&argument, *magnet),
        });
        if let Err(failure) = added {
            self.verdict.refused(&failure);
        }
    }

    /// Adds a torrent.
    fn add(
        &mut self,
        argument: &str,
        torrent: &Metainfo,
        options: AddOptions,
    ) -> Result<(), Failure> {
        let sources = (torrent.tiers().to_vec(), options.magnet_peers.as_slice());
        if self.is_known(argument, torrent.info_hash(), sources) {
            return Ok(());
        }
        let dir = options.dir.clone();
        let hint = inner_folder::hint(&dir, torrent);
        let id = self.session.add(torrent, options);
        let id = id.map_err(|error| failure(&error).of(argument))?;
        let transfer = Transfer::new(id, argument, torrent, dir);
        let path = transfer.path_text();
        let total_length = Some(torrent.total_len());
        let fact = Fact::Added { name: &transfer.row.name, path: Some(&path), total_length };
        self.orders.json.tell(Some(&transfer.info_hash), &fact);
        if let Some(hint) = hint {
            self.warn(&transfer.info_hash, &format!("{argument}: {hint}"));
        }
        self.transfers.push(transfer);
        Ok(())
    }

    /// Adds a magnet; its download begins when its torrent is known, which may be now.
    fn add_magnet(&mut self, argument: &str, magnet: Magnet) -> Result<(), Failure> {
        let tiers = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
        if self.is_known(argument, magnet.info_hash, (tiers, &magnet.peers)) {
            return Ok(());
        }
        let wish = self.orders.wish.clone();
        if let Some(file) = self.session.kept_metadata(&magnet) {
            let torrent = self.understand(&magnet, &file)?;
            wish.save(&torrent, &file)?;
            let options = wish.options(&torrent, Some(&magnet));
            let mut options = options.map_err(|failure| failure.of(argument))?;
            options.magnet_peers = magnet.peers;
            return self.add(argument, &torrent, options);
        }
        let id = self.session.add_magnet(magnet.clone(), wish.peers(), wish.named_peers());
        let id = id.map_err(|error| failure(&error).of(argument))?;
        let transfer = Transfer::of_magnet(id, argument, magnet, wish);
        let fact = Fact::Added { name: &transfer.row.name, path: None, total_length: None };
        self.orders.json.tell(Some(&transfer.info_hash), &fact);
        self.transfers.push(transfer);
        Ok(())
    }

    /// Whether an earlier argument is the same torrent, which is told. That is no failure: what the
    /// user wants is done, or under way. One that failed may be tried again by another argument. The
    /// trackers and peers of the other one are used too.
    fn is_known(
        &self,
        argument: &str,
        info_hash: Option<InfoHash>,
        (tiers, peers): (Vec<Vec<String>>, &[String]),
    ) -> bool {
        let Some(hash) = info_hash.map(|hash| hash.to_string()) else { return false };
        let same = |transfer: &&Transfer| transfer.info_hash == hash && !transfer.failed;
        let Some(other) = self.transfers.iter().find(same) else { return false };
        self.warn(&hash, &format!("{argument}: the same torrent as {}, skipped", other.argument));
        self.session.add_sources(other.id, tiers, peers);
        true
    }

    /// Tells of something odd that stops nothing.
    fn warn(&self, info_hash: &str, message: &str) {
        self.progress.note(&format!("warning: {message}"));
        self.orders.json.tell(Some(info_hash), &Fact::Warning { message });
    }

    /// The metadata of a magnet is here: the download begins.
    pub(super) fn begin(&mut self, at: usize, file: &[u8]) -> Result<(), Failure> {
        let Some(transfer) = self.transfers.get_mut(at) else { return Ok(()) };
        let Some(waiting) = transfer.magnet.take() else { return Ok(()) };
        let (magnet, wish) = *waiting;
        let id = transfer.id;
        let torrent = self.understand(&magnet, file)?;
        let Some(transfer) = self.transfers.get_mut(at) else { return Ok(()) };
        transfer.known(&torrent);
        let (path, length) = (transfer.path_text(), torrent.total_len());
        let fact = Fact::Metadata { name: &transfer.row.name, path: &path, total_length: length };
        self.orders.json.tell(Some(&transfer.info_hash), &fact);
        let (name, size) = (transfer.shown(), text::bytes(length));
        let pieces = text::count(torrent.piece_count(), "piece");
        self.progress.note(&format!("{name}: the metadata is here, {size} in {pieces}"));
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
        let mut give_up = never();
        let events = self.events.clone();
        let mut arguments = self.loader.receiver();
        while self.loader.is_reading() || self.transfers.iter().any(|one| one.ended.is_none()) {
            select! {
                recv(events) -> event => match event {
                    Ok(event) => self.take(event),
                    Err(_) => return,
                },
                recv(arguments) -> loaded => match loaded {
                    Ok(loaded) => self.load(loaded),
                    Err(_) => arguments = never(),
                },
                recv(signals) -> _ => {
                    let now = Instant::now();
                    self.progress.note("stopping; once more to leave at once");
                    arguments = never();
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
        for unread in self.loader.give_up() {
            self.verdict.refused(&unread);
        }
        for transfer in &mut self.transfers {
            transfer.interrupted = true;
        }
        self.session.stop();
    }

    /// Looks at how things stand.
    fn tick(&mut self) {
        let now = Instant::now();
        for transfer in self.transfers.iter_mut().filter(|transfer| transfer.ended.is_none()) {
            let Some(snapshot) = self.session.snapshot(transfer.id) else { continue };
            if let Some(stall) = transfer.watch.look(now, &snapshot) {
                let words = super::stall::words(&stall);
                self.progress.note(&format!("{}: stalled: {words}", transfer.shown()));
                let fact = Fact::Stalled { reason: super::stall::word(&stall), message: &words };
                self.orders.json.tell(Some(&transfer.info_hash), &fact);
            }
            if transfer.may_leave(&self.orders.seeding, now, &snapshot) {
                transfer.leaving = true;
                self.session.stop_one(transfer.id);
            }
            transfer.row.look(&snapshot);
            if self.orders.json.are_on()
                && now >= self.next_figures
                && let Some(fact) = super::events::progress(&transfer.row)
            {
                self.orders.json.tell(Some(&transfer.info_hash), &fact);
            }
        }
        if now >= self.next_figures {
            self.next_figures = now + FIGURES;
        }
        self.show();
    }

    /// Shows how the torrents stand.
    pub(super) fn show(&mut self) {
        let rows: Vec<&Row> = self.transfers.iter().map(|transfer| &transfer.row).collect();
        match rows.as_slice() {
            [] => {}
            [only] => self.progress.one(only),
            rows => self.progress.several(&self.together(), rows),
        }
    }

    /// What all torrents are called together.
    fn together(&self) -> String {
        let done = self.transfers.iter().filter(|transfer| transfer.complete.is_some()).count();
        let all = text::count(self.transfers.len(), "torrent");
        if done > 0 { format!("{all}, {done} done") } else { all }
    }

    /// A torrent can't go on, by a fault that the session does not see, unless that only comes of
    /// leaving.
    pub(super) fn fail(&mut self, at: usize, failure: &Failure) {
        let Some(transfer) = self.transfers.get_mut(at) else { return };
        if !transfer.interrupted && !transfer.failed {
            transfer.failed = true;
            self.verdict.failed(&transfer.info_hash, failure);
        }
        self.session.stop_one(transfer.id);
    }

    /// A torrent needs no more of the session.
    pub(super) fn leave(&mut self, at: usize) {
        let Some(transfer) = self.transfers.get_mut(at) else { return };
        if self.leave_at.is_none() {
            transfer.leaving = true;
            self.session.stop_one(transfer.id);
        }
    }

    /// The last words: what was transferred, and what did not end in time. Gives the worst failure.
    pub(super) fn finish(self, signals: &Receiver<()>) -> Result<(), Failure> {
        let Self { transfers, progress, mut verdict, orders, leave_at, .. } = self;
        orders.hook.wait(signals, leave_at);
        for transfer in transfers.iter().filter(|transfer| transfer.ended.is_none()) {
            if let Some(failure) = transfer.unfinished() {
                verdict.failed(&transfer.info_hash, &failure);
            }
        }
        for line in summary::lines(&transfers) {
            progress.note(&line);
        }
        drop(progress);
        verdict.end()
    }
}

/// Which torrent an event is of.
pub(super) fn torrent_of(event: &Event) -> Option<TorrentId> {
    match event {
        Event::Checking { torrent, .. }
        | Event::Metadata { torrent, .. }
        | Event::Located { torrent, .. }
        | Event::Unjudged { torrent, .. }
        | Event::Ready { torrent, .. }
        | Event::Piece { torrent, .. }
        | Event::Peer { torrent, .. }
        | Event::BadPiece { torrent, .. }
        | Event::Banned { torrent, .. }
        | Event::Announced { torrent, .. }
        | Event::TrackerFailed { torrent, .. }
        | Event::Complete { torrent }
        | Event::Failed { torrent, .. }
        | Event::Stopped { torrent, .. } => Some(*torrent),
        _ => None,
    }
}
