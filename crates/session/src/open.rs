//! Opening a torrent, on a thread of its own because it reads and allocates: its files are made and
//! locked, what is there already is verified, then its task starts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use metainfo::{Layout, PieceIndex, PieceSet};
use storage::{Allocation, Before, FileState, Progress, Spec};
use tokio::runtime;
use tokio::sync::mpsc;

use crate::config::Serve;
use crate::durable::Durable;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, State};
use crate::mail::Mail;
use crate::resume::Place;
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

/// What was found on disk.
struct Found {
    /// Pieces that an earlier run synced and nobody touched since.
    trusted: PieceSet,
    /// All that are whole.
    have: PieceSet,
    /// How many hold something else.
    wrong: u32,
}

/// What hashing found.
struct Checked {
    /// The pieces that are whole.
    have: PieceSet,
    /// Those that hold something else.
    wrong: PieceSet,
    /// Why a file could not be looked at, if one could not.
    unreadable: Option<storage::Error>,
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
        // Opening may change how the files look, so what is believed of them comes first.
        let trusted = match &self.place {
            Some(place) if !self.verify => place.trusted(spec),
            _ => PieceSet::new_empty(self.layout.piece_count()),
        };
        if let Some(place) = &self.place {
            place.withdraw(&trusted, &self.layout);
        }
        if let Some(serve) = self.serve {
            return self.find_to_serve(serve, spec, trusted);
        }
        let before = Before::look(spec, &self.cancel)?;
        let Checked { have, wrong, .. } = if before.is_empty() {
            self.check_padding(spec, &trusted)?
        } else {
            self.check_what_is_there(spec, &before, &trusted)?
        };
        self.start.shared.disk.open(self.start.id, spec)?;
        if spec.allocation() == Allocation::Sparse {
            storage::check_room(spec, &have)?;
        }
        if let Some(place) = self.place.as_ref().filter(|_| !have.is_full()) {
            place.begin(&trusted);
        }
        Ok(Found { trusted, have, wrong: wrong.count() })
    }

    /// The same where nothing is fetched: nothing is made, and enough has to be there.
    fn find_to_serve(&self, serve: Serve, spec: &Spec, trusted: PieceSet) -> Result<Found, Error> {
        let Checked { have, unreadable, .. } = self.check(spec, &trusted)?;
        let wanted = spec.wanted_pieces().cloned();
        let wanted = wanted.unwrap_or_else(|| PieceSet::new_full(have.len()));
        let has_bytes = |piece: &PieceIndex| self.layout.piece_content_len(*piece) > 0;
        let total = wanted.iter().filter(has_bytes).count();
        let whole = wanted.iter().filter(has_bytes).filter(|piece| have.contains(*piece)).count();
        // A torrent without bytes is whole in any case.
        if whole < total && (serve == Serve::Whole || whole == 0) {
            let count = |n| u32::try_from(n).unwrap_or(u32::MAX);
            // What could not be looked at is why, and fetching would not help.
            let incomplete = ErrorKind::Incomplete { have: count(whole), total: count(total) };
            return Err(unreadable.map_or_else(|| incomplete.into(), Error::from));
        }
        if serve == Serve::Whole {
            let before = Before::look(spec, &self.cancel)?;
            before.refuse_longer().map_err(ErrorKind::NotWhole)?;
        }
        self.start.shared.disk.open(self.start.id, spec)?;
        Ok(Found { trusted, have, wrong: 0 })
    }

    /// Refuses files that are not the torrent's, unless they are to be overwritten. Else as
    /// [`check`](Self::check).
    fn check_what_is_there(
        &self,
        spec: &Spec,
        before: &Before,
        trusted: &PieceSet,
    ) -> Result<Checked, Error> {
        if !self.overwrite {
            before.refuse_longer()?;
        }
        let checked = self.check(spec, trusted)?;
        if !self.overwrite {
            let ours = self.place.as_ref().map(|place| place.ours(spec)).unwrap_or_default();
            before.refuse_foreign((&checked.have, &checked.wrong), &ours, &self.cancel)?;
        }
        Ok(checked)
    }

    /// Hashes the pieces that are not trusted, see [`hash`](Self::hash).
    fn check(&self, spec: &Spec, trusted: &PieceSet) -> Result<Checked, Error> {
        let wanted = spec.wanted_pieces().cloned();
        let mut unknown = wanted.unwrap_or_else(|| PieceSet::new_full(trusted.len()));
        for piece in self.layout.padding_pieces() {
            unknown.insert(piece);
        }
        self.hash(spec, trusted, unknown)
    }

    /// The same for the pieces that are padding alone, where nothing else can be on disk yet.
    fn check_padding(&self, spec: &Spec, trusted: &PieceSet) -> Result<Checked, Error> {
        let mut padding = PieceSet::new_empty(trusted.len());
        for piece in self.layout.padding_pieces() {
            padding.insert(piece);
        }
        self.hash(spec, trusted, padding)
    }

    /// Hashes those of the pieces that are not trusted and gives all that are whole, with the trusted.
    fn hash(
        &self,
        spec: &Spec,
        trusted: &PieceSet,
        mut unknown: PieceSet,
    ) -> Result<Checked, Error> {
        for piece in trusted.iter() {
            unknown.remove(piece);
        }
        if unknown.is_empty() {
            return Ok(Checked { have: trusted.clone(), wrong: unknown, unreadable: None });
        }
        let progress = |Progress { checked, total, .. }| {
            let torrent = self.start.id;
            self.start.tell(Event::Checking { torrent, done: checked, total });
        };
        let mut options = storage::Options::default();
        options.backend = self.start.config.backend;
        options.pieces = Some(&unknown);
        let found = storage::verify(spec, &options, &progress, &self.cancel)?;
        let unreadable = found.files.into_iter().find_map(|state| match state {
            FileState::Unreadable(error) => Some(error),
            _ => None,
        });
        let mut have = found.whole;
        for piece in trusted.iter() {
            have.insert(piece);
        }
        Ok(Checked { have, wrong: found.wrong, unreadable })
    }

    fn opened(&self, spec: &Spec, Found { trusted, have, wrong }: Found) -> Opened {
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
            let files = (place, spec.clone());
            Durable::new(files, (trusted, &have), shared, mailbox, Instant::now())
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
            state: if found == total { State::Seeding } else { State::Downloading },
            durable,
            peers: self.start.peers.clone(),
            ready: Event::Ready { torrent, have: found, total, wrong, have_bytes, total_bytes },
            have,
        }
    }
}
