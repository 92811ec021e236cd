//! What the user is told of each event of a torrent, when it happens: a line for people, an object for
//! programs. When to leave is decided in [`super::run`].

use session::Event;

use super::events::Fact;
use super::failure;
use super::run::{Run, torrent_of};
use super::transfer::When;
use crate::progress::Stage;
use crate::{outlet, renamed, text};

/// Files that are named; of more, how many there are.
const MAX_NAMED: usize = 20;

impl Run {
    /// Tells an event, and does what it asks for.
    pub(super) fn take(&mut self, event: Event) {
        let Some(id) = torrent_of(&event) else { return };
        let Some(at) = self.transfers.iter().position(|transfer| transfer.id == id) else { return };
        let several = self.is_of_several();
        let Some(transfer) = self.transfers.get_mut(at) else { return };
        let (json, torrent) = (self.orders.json, Some(transfer.info_hash.as_str()));
        let name = transfer.shown();
        let warn = |message: String| {
            let whose = if several { format!("{name}: ") } else { String::new() };
            self.progress.note(&format!("warning: {whose}{message}"));
            json.tell(torrent, &Fact::Warning { message: &message });
        };
        match event {
            Event::Metadata { file, .. } => {
                if let Err(failure) = self.begin(at, &file) {
                    self.fail(at, &failure);
                }
            }
            Event::Checking { done, total, .. } => {
                json.tell(torrent, &Fact::Checking { done, total });
                transfer.row.stage = Stage::Checking { done, total };
                self.show();
            }
            Event::Located { path, renamed, .. } => {
                renamed::lines(&renamed).into_iter().for_each(warn);
                transfer.path = path;
            }
            Event::Unjudged { files, .. } => {
                for file in files.iter().take(MAX_NAMED) {
                    warn(format!(
                        "{}: too small to be judged alone; taken for the torrent's, as what is beside it is",
                        text::path(file)
                    ));
                }
                let more = files.len().saturating_sub(MAX_NAMED);
                if more > 0 {
                    warn(format!("and so are {} more", text::count(more, "file")));
                }
            }
            Event::Ready { have, total, wrong, have_bytes, total_bytes, .. } => {
                if wrong > 0 {
                    warn(match wrong {
                        1 => "1 piece on disk is wrong and is fetched again".into(),
                        _ => format!("{wrong} pieces on disk are wrong and are fetched again"),
                    });
                }
                json.tell(torrent, &Fact::Ready { have, total });
                if have < total && have > 0 {
                    let are = if have == 1 { "is" } else { "are" };
                    self.progress
                        .note(&format!("{name}: {have} of {total} pieces {are} here already"));
                }
                transfer.ready(have_bytes, total_bytes);
                transfer.part = self.orders.wish.takes_parts().then_some(have);
                if have == total {
                    self.completed(at);
                }
            }
            Event::Piece { piece, .. } => {
                json.tell(torrent, &Fact::Piece { piece: piece.get() });
            }
            Event::Peer { addr, change, .. } => {
                log::info!("{name}: {addr} {}", super::peer::words(&change));
                if let Some(fact) = super::events::peer(addr, &change) {
                    json.tell(torrent, &fact);
                }
            }
            Event::Complete { .. } => self.completed(at),
            Event::Failed { error, .. } => {
                transfer.failed = true;
                self.verdict.failed(&transfer.info_hash, &failure(&error).of(&name));
            }
            Event::Stopped { downloaded, uploaded, .. } => {
                transfer.stopped(downloaded, uploaded);
                if let Some(failure) = transfer.unfinished() {
                    self.verdict.failed(&transfer.info_hash, &failure);
                }
            }
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

    /// A torrent is complete: that is its result.
    fn completed(&mut self, at: usize) {
        let Some(transfer) = self.transfers.get_mut(at) else { return };
        if transfer.complete.is_some() {
            return;
        }
        transfer.completed();
        let fact = Fact::Complete { path: &transfer.path_text(), length: transfer.row.total };
        self.orders.json.tell(Some(&transfer.info_hash), &fact);
        let seeding = !matches!(self.orders.seeding, When::AtOnce);
        if !self.orders.json.are_on() {
            let line = transfer.completion(seeding);
            outlet::stdout().line_in_order(line);
        }
        self.orders.hook.run(&transfer.facts());
        if !seeding {
            self.leave(at);
        }
    }
}
