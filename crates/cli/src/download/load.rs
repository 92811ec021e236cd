//! Reading the arguments of a call while the torrents that were read first already run: a URL, a
//! pipe or stdin that is slow holds only itself up. Never adds a torrent.

use std::path::{Path, PathBuf};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::exit::{Code, Failure};
use crate::source::{self, Source};
use crate::{dash, fetch, text};

/// Torrents that are read and not yet added. Each may be large, and reading is faster than adding.
const READ_AHEAD: usize = 4;

/// How many slow arguments are read at once.
const MAX_AT_ONCE: usize = 4;

/// An argument as it stands in messages is cut to this many characters: enough for a magnet URI's
/// info-hash.
const MAX_SHOWN: usize = 60;

/// An argument that was read, or could not be.
pub(super) struct Loaded {
    /// Which argument, counted from 0.
    pub(super) at: usize,
    pub(super) source: Result<Source, Failure>,
}

/// The arguments of a call, being read.
pub(super) struct Loader {
    loaded: Receiver<Loaded>,
    /// As they stand in messages.
    names: Vec<String>,
    /// Those that were not handed out yet.
    pending: Vec<bool>,
}

impl Loader {
    /// Begins to read. Files come in their order, what may be slow whenever it is here.
    pub(super) fn start(arguments: &[PathBuf]) -> Result<Self, Failure> {
        let names = arguments.iter().map(|argument| shown(argument)).collect();
        let pending = vec![true; arguments.len()];
        let (sender, loaded) = bounded(READ_AHEAD);
        let numbered = arguments.iter().cloned().enumerate();
        let (slow, quick): (Vec<_>, Vec<_>) = numbered.partition(|(_, path)| may_be_slow(path));
        let readers = slow.len().min(MAX_AT_ONCE);
        read(quick, 1, &sender)?;
        read(slow, readers, &sender)?;
        Ok(Self { loaded, names, pending })
    }

    /// Where arguments come from; it ends after the last one.
    pub(super) fn receiver(&self) -> Receiver<Loaded> {
        self.loaded.clone()
    }

    /// How many arguments there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// What an argument is called in messages.
    pub(super) fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", String::as_str)
    }

    /// An argument was taken from the receiver.
    pub(super) fn took(&mut self, at: usize) {
        if let Some(pending) = self.pending.get_mut(at) {
            *pending = false;
        }
    }

    /// Whether arguments are still to come.
    pub(super) fn is_reading(&self) -> bool {
        self.pending.contains(&true)
    }

    /// Waits for no more arguments, and gives a failure for each that was still to come.
    pub(super) fn give_up(&mut self) -> Vec<Failure> {
        let pending = self.pending.iter_mut().zip(&self.names);
        let pending = pending.filter_map(|(pending, name)| std::mem::take(pending).then_some(name));
        let unread =
            |name| Failure::new(Code::Unfinished, format!("stopped before {name} was read"));
        pending.map(unread).collect()
    }
}

/// Reads these arguments with so many threads.
fn read(
    arguments: Vec<(usize, PathBuf)>,
    threads: usize,
    loaded: &Sender<Loaded>,
) -> Result<(), Failure> {
    let (queue, waiting) = unbounded();
    for argument in arguments {
        // The other end is here.
        let _ = queue.send(argument);
    }
    for _ in 0..threads {
        let (waiting, loaded) = (waiting.clone(), loaded.clone());
        let reader = thread::Builder::new().name("arguments".into()).spawn(move || {
            for (at, path) in waiting {
                let source = source::any(&path).map_err(|failure| named(failure, &path));
                // Who went away wants no more of them.
                if loaded.send(Loaded { at, source }).is_err() {
                    break;
                }
            }
        });
        reader.map_err(|error| {
            Failure::new(Code::Other, format!("cannot start a thread to read arguments: {error}"))
        })?;
    }
    Ok(())
}

/// The failure with the argument it is of. That of a file names it already.
fn named(failure: Failure, argument: &Path) -> Failure {
    if source::magnet_uri(argument).is_some() { failure.of(&shown(argument)) } else { failure }
}

/// Whether another program or a server decides how long reading it takes.
fn may_be_slow(argument: &Path) -> bool {
    let is_url = || argument.to_str().is_some_and(fetch::is_url);
    dash::is(argument)
        || is_url()
        || argument.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// An argument for messages.
fn shown(argument: &Path) -> String {
    let shown = dash::input(argument);
    match shown.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) if source::magnet_uri(argument).is_some() => {
            format!("{}…", text::escape(shown.split_at(end).0))
        }
        _ => shown,
    }
}
