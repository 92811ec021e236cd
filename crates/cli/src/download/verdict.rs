//! How a call with several torrents ends: each failure is told when it happens, the worst of them is
//! the exit code. Never stops anything.

use super::events::Events;
use crate::exit::{Code, Failure};
use crate::progress;

/// The failures of a call so far.
pub(super) struct Verdict {
    worst: Code,
    json: Events,
}

impl Verdict {
    pub(super) fn new(json: Events) -> Self {
        Self { worst: Code::Done, json }
    }

    /// The torrent with this info-hash failed.
    pub(super) fn failed(&mut self, torrent: &str, failure: &Failure) {
        self.json.tell(Some(torrent), &failure.into());
        self.count(failure);
    }

    /// An argument led to no torrent. The failure names it.
    pub(super) fn refused(&mut self, failure: &Failure) {
        self.json.tell(None, &failure.into());
        self.count(failure);
    }

    fn count(&mut self, failure: &Failure) {
        progress::write_line(&format!("error: {failure}"));
        self.worst = self.worst.worse(failure.code());
    }

    /// How the call ends.
    pub(super) fn end(self) -> Result<(), Failure> {
        if self.worst == Code::Done { Ok(()) } else { Err(Failure::told(self.worst)) }
    }
}
