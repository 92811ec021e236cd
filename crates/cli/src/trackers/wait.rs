//! Waiting for trackers, which may take long: after a moment the user sees for which ones. Never asks
//! anything.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::progress::{Progress, TICK};
use crate::text;

/// Whoever is answered sooner than this need not know what was waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Some that are asked, and do not answer at once.
pub(super) struct Wait<'a> {
    act: &'static str,
    /// `None` once it is over.
    urls: Vec<Option<&'a str>>,
    since: Instant,
    next: Instant,
    quiet: bool,
    progress: Option<Progress>,
}

impl<'a> Wait<'a> {
    /// Begins to `act` ("waiting for") on these.
    pub(super) fn new(act: &'static str, urls: impl Iterator<Item = &'a str>, quiet: bool) -> Self {
        let since = Instant::now();
        let urls = urls.map(Some).collect();
        Self { act, urls, since, next: since + PATIENCE, quiet, progress: None }
    }

    /// What comes next; `None` if nothing will, or not before the deadline.
    pub(super) fn receive<T>(
        &mut self,
        from: &Receiver<T>,
        deadline: Option<Instant>,
    ) -> Option<T> {
        loop {
            let until = deadline.map_or(self.next, |deadline| deadline.min(self.next));
            match from.recv_deadline(until) {
                Ok(received) => return Some(received),
                Err(error) if error.is_disconnected() => return None,
                Err(_) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    return None;
                }
                Err(_) => self.show(),
            }
        }
    }

    /// One of them is over; a terminal shows nothing until it is told what came of it.
    pub(super) fn done(&mut self, number: usize) {
        if let Some(progress) = &self.progress {
            progress.hide();
        }
        if let Some(url) = self.urls.get_mut(number) {
            *url = None;
        }
    }

    fn show(&mut self) {
        self.next = Instant::now() + TICK;
        let words = words(self.act, &self.urls, self.since.elapsed());
        self.progress.get_or_insert_with(|| Progress::new(self.quiet)).waiting(&words);
    }
}

/// As in `waiting for 2 of 3 trackers, 4s: udp://a.example:80, http://b.example/announce`.
fn words(act: &str, urls: &[Option<&str>], time: Duration) -> String {
    let left: Vec<String> = urls.iter().flatten().map(|url| text::url(url)).collect();
    let count = match (left.len(), urls.len()) {
        (1, 1) => "the tracker".into(),
        (left, all) if left == all => text::count(all, "tracker"),
        (left, all) => format!("{left} of {}", text::count(all, "tracker")),
    };
    format!("{act} {count}, {}: {}", text::duration(time), left.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_waited_for_is_named_without_passwords() {
        let (a, b) = (Some("udp://a:80"), Some("http://u:secret@b/x"));
        let time = Duration::from_secs(4);
        let told = words("waiting for", &[a, None, b], time);
        assert_eq!(told, "waiting for 2 of 3 trackers, 4s: udp://a:80, http://***@b/x");
        assert_eq!(words("waiting for", &[a], time), "waiting for the tracker, 4s: udp://a:80");
    }
}
