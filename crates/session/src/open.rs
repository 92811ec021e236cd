//! Opening a torrent, on a thread of its own because it reads and allocates: its files are made and
//! locked, what is there already is verified, then its task starts.
//!
//! What is found out about the pieces holds for files that look as they did before that: how they look is
//! taken first, held against how they look afterwards, and handed on with the pieces.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use metainfo::{Layout, PieceIndex, PieceSet};
use storage::{Allocation, Before, FileStamp, FileState, Progress, Spec, Verified, Writer};
use tokio::runtime;
use tokio::sync::mpsc;

use crate::config::Serve;
use crate::durable::Durable;
use crate::error::{Error, ErrorKind};
use crate::event::{self, Event};
use crate::mail::Mail;
use crate::resume::{Place, State};
use crate::start::{Opened, Start};

/// A torrent that is being opened.
pub(crate) struct Opening {
    pub(crate) start: Start,
    pub(crate) layout: Layout,
    /// The files under the names of the torrent.
    pub(crate) spec: Spec,
    /// Where the resume state is, if any is kept.
    pub(crate) place: Option<Place>,
    pub(crate) sequential: bool,
    pub(crate) verify: bool,
    pub(crate) serve: Option<Serve>,
    pub(crate) overwrite: bool,
    pub(crate) runtime: runtime::Handle,
    /// Raised when the session stops.
    pub(crate) cancel: AtomicBool,
}

/// How often files are looked at again because another program changed them meanwhile.
const ATTEMPTS: usize = 3;

/// What was found on disk.
struct Found {
    /// Pieces that an earlier run synced, in files that were not changed since.
    trusted: PieceSet,
    /// All that are whole.
    have: PieceSet,
    /// How many hold something else.
    wrong: u32,
    /// Which files earlier runs made or wrote to.
    ours: Vec<bool>,
}

/// What is known of the files before they are looked at.
struct Known {
    /// Of an earlier run.
    saved: State,
    /// Of an earlier look of this run: the pieces that are whole in files that look like this.
    looked: Option<State>,
}

impl Opening {
    /// Opens the torrent and starts its task, or reports why not.
    pub(crate) fn run(&self, mail: mpsc::UnboundedReceiver<Mail>) {
        let Start { id, shared, .. } = &self.start;
        match self.open() {
            Ok(opened) => {
                let driver = self.start.with_files(opened);
                self.runtime.spawn(driver.run(mail));
            }
            Err(error) => {
                shared.disk.close(*id);
                shared.registry.remove(*id);
                if !self.cancel.load(Ordering::Relaxed) {
                    self.start.tell(Event::Failed { torrent: *id, error });
                }
                self.start.tell(Event::Stopped { torrent: *id, downloaded: 0, uploaded: 0 });
            }
        }
    }

    /// Opens a torrent whose task runs already, since it began as a magnet.
    pub(crate) fn run_for_magnet(&self) {
        let Start { id, entry, shared, .. } = &self.start;
        let mail = match self.open() {
            Ok(opened) => Mail::Opened(Box::new(opened)),
            Err(error) => {
                shared.disk.close(*id);
                Mail::OpenFailed(error)
            }
        };
        if entry.mailbox.send(mail).is_err() {
            shared.disk.close(*id);
        }
    }

    fn open(&self) -> Result<Opened, Error> {
        let spec = self.locate()?;
        self.find(&spec).map(|found| self.opened(&spec, found))
    }

    /// The torrent with its files where they are on this disk.
    fn locate(&self) -> Result<Spec, Error> {
        let spec = storage::locate(self.spec.clone(), &self.cancel)?;
        let (path, renamed) = (spec.content(), spec.renamed().to_vec());
        self.start.tell(Event::Located { torrent: self.start.id, path, renamed });
        Ok(spec)
    }

    /// Makes and locks the files and tells which pieces are whole.
    fn find(&self, spec: &Spec) -> Result<Found, Error> {
        let saved = self.place.as_ref().map(|place| place.load(&self.layout));
        let saved = saved.unwrap_or_else(|| State::nothing(&self.layout));
        let mut known = Known { saved, looked: None };
        for _ in 1..ATTEMPTS {
            match self.look(spec, &mut known) {
                Err(Changed::Meanwhile(error)) => log::info!("{error}; looking again"),
                Err(Changed::No(error)) => return Err(error),
                Ok(found) => return Ok(found),
            }
        }
        self.look(spec, &mut known).map_err(|error| match error {
            Changed::Meanwhile(error) => error.into(),
            Changed::No(error) => error,
        })
    }

    fn look(&self, spec: &Spec, known: &mut Known) -> Result<Found, Changed> {
        match self.serve {
            Some(serve) => self.look_to_serve(serve, spec, known),
            None => self.look_to_fetch(spec, known),
        }
    }

    fn look_to_fetch(&self, spec: &Spec, known: &mut Known) -> Result<Found, Changed> {
        let stamps = storage::stamps(spec, &self.cancel)?;
        let before = Before::look(spec, &self.cancel)?;
        let trusted = self.trusted(spec, known, &stamps);
        let (have, wrong) = if before.is_empty() {
            let checked = self.hash(spec, &trusted, self.padding())?;
            (checked.whole, 0)
        } else {
            self.check_what_is_there(spec, (&before, &stamps), known, &trusted)?
        };
        self.still(spec, known, &stamps, &have)?;
        before.refuse_doubles(&have)?;
        let ours = written(&known.saved, &stamps);
        let opened = self.start.shared.disk.open_known(self.start.id, spec, &stamps)?;
        if spec.allocation() == Allocation::Sparse {
            storage::check_room(spec, &have)?;
        }
        if let Some(place) = self.place.as_ref().filter(|_| !have.is_full()) {
            let made = opened.ours.iter().zip(&ours).map(|(made, ours)| *made || *ours);
            place.begin(&trusted, opened.stamps, made.collect());
        }
        Ok(Found { trusted, have, wrong, ours })
    }

    /// The same where nothing is fetched: nothing is made, and enough has to be there.
    fn look_to_serve(
        &self,
        serve: Serve,
        spec: &Spec,
        known: &mut Known,
    ) -> Result<Found, Changed> {
        let stamps = storage::stamps(spec, &self.cancel)?;
        let trusted = self.trusted(spec, known, &stamps);
        let checked = self.hash(spec, &trusted, self.to_fetch(spec))?;
        let have = checked.whole;
        let wanted = spec.wanted_pieces().cloned();
        let wanted = wanted.unwrap_or_else(|| PieceSet::new_full(have.len()));
        let has_bytes = |piece: &PieceIndex| self.layout.piece_content_len(*piece) > 0;
        let total = wanted.iter().filter(has_bytes).count();
        let whole = wanted.iter().filter(has_bytes).filter(|piece| have.contains(*piece)).count();
        // A torrent without bytes is whole in any case.
        if whole < total && (serve == Serve::Whole || whole == 0) {
            let count = |n| u32::try_from(n).unwrap_or(u32::MAX);
            // What could not be looked at is why, and fetching would not help.
            let unreadable = checked.files.into_iter().find_map(|state| match state {
                FileState::Unreadable(error) => Some(error),
                _ => None,
            });
            let incomplete = ErrorKind::Incomplete { have: count(whole), total: count(total) };
            return Err(unreadable.map_or_else(|| incomplete.into(), Error::from).into());
        }
        if serve == Serve::Whole {
            let before = Before::look(spec, &self.cancel)?;
            let whole = before.refuse_longer().and_then(|()| before.refuse_missing());
            whole.map_err(|error| Error::from(ErrorKind::NotWhole(error)))?;
        }
        self.still(spec, known, &stamps, &have)?;
        self.start.shared.disk.open_known(self.start.id, spec, &stamps)?;
        let ours = written(&known.saved, &stamps);
        Ok(Found { trusted, have, wrong: 0, ours })
    }

    /// The pieces that need no hashing. Of what an earlier run claims the rest is taken back, before any
    /// file is made or changed.
    fn trusted(&self, spec: &Spec, known: &Known, stamps: &[Option<FileStamp>]) -> PieceSet {
        let mut trusted = if self.verify {
            PieceSet::new_empty(self.layout.piece_count())
        } else {
            known.saved.trusted(stamps, spec)
        };
        if let Some(place) = &self.place {
            place.withdraw(&known.saved, &trusted);
        }
        if let Some(looked) = &known.looked {
            add(&mut trusted, &looked.trusted(stamps, spec));
        }
        trusted
    }

    /// Makes sure that the files look as they did before their pieces were hashed. What is known of those
    /// that do is not found out again.
    fn still(
        &self,
        spec: &Spec,
        known: &mut Known,
        before: &[Option<FileStamp>],
        have: &PieceSet,
    ) -> Result<(), Changed> {
        let now = storage::stamps(spec, &self.cancel)?;
        let Some(index) = before.iter().zip(&now).position(|(before, now)| before != now) else {
            return Ok(());
        };
        let (synced, stamps) = (have.clone(), before.to_vec());
        let ours = vec![false; stamps.len()];
        known.looked = Some(State { synced, stamps, ours, ended: true });
        Err(Changed::Meanwhile(storage::Error::changed_meanwhile(spec, index)))
    }

    /// Refuses files that are not the torrent's, unless they are to be overwritten. Else gives the pieces
    /// that are whole, and how many of the wanted ones hold something else.
    fn check_what_is_there(
        &self,
        spec: &Spec,
        (before, stamps): (&Before, &[Option<FileStamp>]),
        known: &Known,
        trusted: &PieceSet,
    ) -> Result<(PieceSet, u32), Changed> {
        if !self.overwrite {
            before.refuse_longer()?;
        }
        let wanted = self.to_fetch(spec);
        let mut checked = self.hash(spec, trusted, wanted.clone())?;
        let wrong = checked.wrong.count();
        if !self.overwrite {
            let ours = known.saved.ours(stamps);
            let more = before.to_judge(&checked, &ours, &wanted);
            if !more.is_empty() {
                // All but those that are known by now.
                let known = checked.whole.clone();
                let also = self.hash(spec, &known, more)?;
                checked.whole = also.whole;
                add(&mut checked.wrong, &also.wrong);
                add(&mut checked.zeros, &also.zeros);
            }
            let files = before.refuse_foreign(&checked, &ours, &self.cancel)?;
            if !files.is_empty() {
                self.start.tell(Event::Unjudged { torrent: self.start.id, files });
            }
        }
        Ok((checked.whole, wrong))
    }

    /// The pieces that are wanted, and those that are padding alone.
    fn to_fetch(&self, spec: &Spec) -> PieceSet {
        let all = || PieceSet::new_full(self.layout.piece_count());
        let mut pieces = spec.wanted_pieces().cloned().unwrap_or_else(all);
        add(&mut pieces, &self.padding());
        pieces
    }

    fn padding(&self) -> PieceSet {
        let mut padding = PieceSet::new_empty(self.layout.piece_count());
        for piece in self.layout.padding_pieces() {
            padding.insert(piece);
        }
        padding
    }

    /// Hashes those of the pieces that are not trusted. The trusted ones are told as whole too.
    fn hash(
        &self,
        spec: &Spec,
        trusted: &PieceSet,
        mut unknown: PieceSet,
    ) -> Result<Verified, Changed> {
        for piece in trusted.iter() {
            unknown.remove(piece);
        }
        if unknown.is_empty() {
            return Ok(Verified::known(trusted.clone()));
        }
        let progress = |Progress { checked, total, .. }| {
            let torrent = self.start.id;
            self.start.tell(Event::Checking { torrent, done: checked, total });
        };
        storage::wait_for_tick();
        let mut options = storage::Options::default();
        options.backend = self.start.config.backend;
        options.pieces = Some(&unknown);
        let mut found = storage::verify(spec, &options, &progress, &self.cancel)?;
        add(&mut found.whole, trusted);
        Ok(found)
    }

    fn opened(&self, spec: &Spec, Found { trusted, have, wrong, ours }: Found) -> Opened {
        let all = || PieceSet::new_full(have.len());
        let mut wanted = spec.wanted_pieces().cloned().unwrap_or_else(all);
        if self.serve.is_some() {
            // Nothing is fetched, so what is missing is not waited for.
            let missing: Vec<_> = wanted.iter().filter(|piece| !have.contains(*piece)).collect();
            for piece in missing {
                wanted.remove(piece);
            }
        }
        // No peer can give what is said to be zeros and is not; it holds nothing of any file.
        let impossible = self.layout.padding_pieces().filter(|piece| !have.contains(*piece));
        let impossible = impossible.filter(|piece| wanted.remove(*piece)).count();
        if impossible > 0 {
            log::warn!(
                "{impossible} pieces are padding alone and have not the hash of zeros: the torrent is \
                 damaged there; its files are not, and these pieces are left out"
            );
        }
        let whole = || wanted.iter().filter(|piece| have.contains(*piece));
        let piece_len = |piece| u64::from(self.layout.piece_content_len(piece));
        let (found, total) = (u32::try_from(whole().count()).unwrap_or(u32::MAX), wanted.count());
        let have_bytes = whole().map(piece_len).sum();
        let total_bytes = wanted.iter().map(piece_len).sum();
        let durable = self.place.clone().map(|place| {
            let (shared, mailbox) = (self.start.shared.clone(), self.start.entry.mailbox.clone());
            Durable::new((place, ours), (trusted, &have), shared, mailbox, Instant::now())
        });
        let torrent = self.start.id;
        if found == total {
            // Others may seed the same data.
            self.start.shared.disk.share(torrent);
        }
        Opened {
            layout: self.layout.clone(),
            wanted: (!wanted.is_full()).then_some(wanted),
            sequential: self.sequential,
            total_bytes,
            state: if found == total { event::State::Seeding } else { event::State::Downloading },
            durable,
            peers: self.start.peers.clone(),
            ready: Event::Ready { torrent, have: found, total, wrong, have_bytes, total_bytes },
            have,
        }
    }
}

/// Why a torrent could not be opened: because another program changed a file meanwhile, or not.
enum Changed {
    Meanwhile(storage::Error),
    No(Error),
}

impl From<storage::Error> for Changed {
    fn from(error: storage::Error) -> Self {
        match error.kind() {
            storage::ErrorKind::Changed => Self::Meanwhile(error),
            _ => Self::No(error.into()),
        }
    }
}

impl From<Error> for Changed {
    fn from(error: Error) -> Self {
        Self::No(error)
    }
}

/// Which files hold what earlier runs wrote.
fn written(saved: &State, now: &[Option<FileStamp>]) -> Vec<bool> {
    saved.ours(now).into_iter().map(|writer| writer != Writer::Unknown).collect()
}

/// Adds `more` to the pieces.
fn add(pieces: &mut PieceSet, more: &PieceSet) {
    for piece in more.iter() {
        pieces.insert(piece);
    }
}
