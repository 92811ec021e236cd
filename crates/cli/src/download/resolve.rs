//! `pieces-cli magnet resolve`: a session that fetches the metadata of one magnet and no more.

use std::time::Instant;

use crossbeam_channel::{Receiver, at, never, select, tick};
use metainfo::{Magnet, Metainfo};
use session::{Config, Event, Session, TorrentId};

use super::stall::{self, Watch};
use super::{config, failure, signals};
use crate::args::{Limits, Resolve};
use crate::exit::{Code, Failure};
use crate::progress::{self, Progress, Row};
use crate::written::{self, Written};
use crate::{dash, output, save, source, text};

/// Runs the command.
pub(crate) fn resolve(args: &Resolve, quiet: bool) -> Result<(), Failure> {
    let magnet = source::only_magnet(&args.uri)?;
    save::check(&args.output, args.force)?;
    written::fits_stdout(&args.output, args.json)?;
    let signals = signals();
    let config: Config = config(&args.network, &Limits::default());
    let (session, events) = Session::start(config).map_err(|error| failure(&error))?;
    let name = source::magnet_name(&magnet);
    let file = match session.kept_metadata(&magnet) {
        Some(file) => file,
        None => fetch(args, magnet, (&session, &events), &signals, quiet)?,
    };
    let torrent = Metainfo::from_bytes(&file).map_err(|error| {
        Failure::new(source::code(&error), format!("{}: {error}", text::escape(&name)))
    })?;
    save::save(&args.output, &file, args.force)?;
    if dash::is(&args.output) {
        return Ok(());
    }
    if args.json {
        return output::json(&Written::new(&args.output, &torrent));
    }
    let size = text::bytes(torrent.total_len());
    let pieces = text::count(torrent.piece_count(), "piece");
    let (path, name) = (text::path(&args.output), text::escape(torrent.name()));
    output::text(|out| writeln!(out, "{path}: {name}, {size} in {pieces}"))
}

/// The torrent file, once a peer gave it.
fn fetch(
    args: &Resolve,
    magnet: Magnet,
    (session, events): (&Session, &Receiver<Event>),
    signals: &Receiver<()>,
    quiet: bool,
) -> Result<Vec<u8>, Failure> {
    let name = source::magnet_name(&magnet);
    let shown = text::escape(&name).into_owned();
    let mut progress = Progress::new(quiet);
    let mut row = Row::new(&name, 0);
    progress.note(&format!("listening on {}", session.listen_addr()));
    let peers = super::addresses(&args.network);
    let names = super::names(&args.network);
    let id = session.add_magnet(magnet, peers, &names).map_err(|error| failure(&error))?;
    let late = args
        .timeout
        .filter(|time| !time.is_zero())
        .map_or_else(never, |timeout| at(Instant::now() + timeout));
    let ticks = tick(progress::TICK);
    let mut watch = Watch::default();
    let mut outcome = None;
    loop {
        select! {
            recv(events) -> event => match event {
                Ok(Event::Metadata { file, .. }) => {
                    outcome.get_or_insert(Ok(file));
                    session.stop();
                }
                Ok(Event::Failed { error, .. }) => {
                    outcome.get_or_insert(Err(failure(&error)));
                }
                Ok(Event::Stopped { .. }) | Err(_) => break,
                Ok(event) => tell(&progress, &event),
            },
            recv(signals) -> _ => {
                let message = format!("stopped before the metadata of {shown} was here");
                if outcome.replace(Err(Failure::new(Code::Unfinished, message))).is_some() {
                    break;
                }
                session.stop();
            }
            recv(late) -> _ => {
                let why = last_word(session, id);
                let message = format!("{shown}: no metadata in time{why}");
                outcome.get_or_insert(Err(Failure::new(Code::Network, message)));
                session.stop();
            }
            recv(ticks) -> _ => {
                let Some(now) = session.snapshot(id) else { continue };
                if let Some(stall) = watch.look(Instant::now(), &now) {
                    progress.note(&format!("{shown}: stalled: {}", stall::words(&stall)));
                }
                row.look(&now);
                progress.one(&row);
            }
        }
    }
    let ended = || Err(Failure::new(Code::Other, format!("{shown} ended without its metadata")));
    outcome.unwrap_or_else(ended)
}

/// What went wrong last, for the line that ends it.
fn last_word(session: &Session, id: TorrentId) -> String {
    let stall = session.snapshot(id).and_then(|now| now.stall());
    stall.map(|stall| format!(": {}", stall::words(&stall))).unwrap_or_default()
}

fn tell(progress: &Progress, event: &Event) {
    match event {
        Event::TrackerFailed { url, error, .. } => {
            let (url, error) = (text::escape(url), text::escape(error));
            progress.note(&format!("warning: tracker {url}: {error}"));
        }
        Event::Banned { ip, .. } => {
            progress.note(&format!("warning: {ip} sent false data and is banned"));
        }
        _ => {}
    }
}
