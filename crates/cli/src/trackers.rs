//! `pieces-cli announce` and `scrape`: what each tracker of a torrent answers, and how fast. Asks
//! all of them at once, once, through `tracker`; never connects to a peer.

mod report;
mod wait;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use metainfo::{InfoHash, InfoHashV2};
use tracker::limits::MAX_TRACKERS;
use tracker::{Client, Config, Event};

use crate::args;
use crate::exit::{Code, Failure};
use crate::source::{self, Source};
use crate::{output, text};
use report::{Answer, Outcome, Report};
use wait::Wait;

/// A UDP tracker is sent four packets until then, the last of which it has 7 s to answer. A fifth
/// would be due at the end.
const UDP_TIMEOUT: Duration = Duration::from_secs(15);
/// How long trackers that answered may take over our farewell.
const FAREWELL: Duration = Duration::from_secs(5);

/// Runs `announce`: asks as a peer that has nothing yet would, without the event that begins a
/// download, and says `stopped` to whoever answered, so that no other peer is told of us.
pub(crate) fn announce(args: &args::Announce, quiet: bool) -> Result<(), Failure> {
    let subject = Subject::of(&source::any(&args.source)?);
    let client = client(args.bind)?;
    let mut random = fastrand::Rng::new();
    let ask = tracker::Announce {
        url: String::new(),
        info_hash: subject.info_hash,
        peer_id: peer_id(&mut random),
        port: args.port,
        uploaded: 0,
        downloaded: 0,
        left: subject.left,
        event: Event::Periodic,
        num_want: None,
        key: random.u32(..),
        tracker_id: None,
    };
    let (farewells, done) = unbounded();
    let outcome = subject.ask_all((args.json, quiet), |url, answer| {
        let ask = tracker::Announce { url: url.to_owned(), ..ask.clone() };
        let stop = tracker::Announce { event: Event::Stopped, ..ask.clone() };
        let farewells = farewells.clone();
        client.announce(ask, move |reply| {
            if let Ok(reply) = &reply {
                let tracker_id = reply.tracker_id.clone();
                // Nobody waits for it any more when the process is about to end.
                let _ = farewells.send(tracker::Announce { tracker_id, ..stop });
            }
            answer.give(reply.map(Outcome::Announce));
        });
    });
    drop(farewells);
    leave(&client, &done, quiet);
    outcome
}

/// Says good-bye to the trackers that know us now, and waits for that, but not for long.
fn leave(client: &Client, farewells: &Receiver<tracker::Announce>, quiet: bool) {
    let (left, heard) = unbounded();
    let farewells: Vec<tracker::Announce> = farewells.try_iter().collect();
    for (number, ask) in farewells.iter().enumerate() {
        let left = left.clone();
        client.announce(ask.clone(), move |_| {
            let _ = left.send(number);
        });
    }
    drop(left);
    let urls = farewells.iter().map(|ask| ask.url.as_str());
    let mut wait = Wait::new("saying good-bye to", urls, quiet);
    let deadline = Instant::now() + FAREWELL;
    while let Some(number) = wait.receive(&heard, Some(deadline)) {
        wait.done(number);
    }
}

/// Runs `scrape`.
pub(crate) fn scrape(args: &args::Scrape, quiet: bool) -> Result<(), Failure> {
    let subject = Subject::of(&source::any(&args.source)?);
    let client = client(args.bind)?;
    let info_hash = subject.info_hash;
    subject.ask_all((args.json, quiet), |url, answer| {
        let ask = tracker::Scrape { url: url.to_owned(), info_hashes: vec![info_hash] };
        client.scrape(ask, move |reply| {
            answer.give(reply.map(|reply| {
                let counts = reply.torrents.into_iter().find(|one| one.info_hash == info_hash);
                Outcome::Scrape(counts)
            }));
        });
    })
}

fn client(bind: Option<IpAddr>) -> Result<Client, Failure> {
    Client::start(Config { bind, udp_timeout: UDP_TIMEOUT, ..Config::default() }).map_err(|error| {
        Failure::new(Code::Other, format!("cannot start a thread to ask trackers: {error}"))
    })
}

/// In the form that `session` uses (BEP 20), so that trackers that admit only clients they know
/// answer as they would to a download.
fn peer_id(random: &mut fastrand::Rng) -> [u8; 20] {
    let mut id = *b"-PC0100-............";
    for slot in id.iter_mut().skip(8) {
        *slot = u8::try_from(random.alphanumeric()).unwrap_or(b'0');
    }
    id
}

/// What trackers are asked about.
struct Subject {
    name: String,
    info_hash: [u8; 20],
    /// Bytes that a peer with nothing lacks.
    left: u64,
    tiers: Vec<Vec<String>>,
}

impl Subject {
    fn of(source: &Source) -> Self {
        let (name, hash, hash_v2, left, tiers) = match source {
            Source::Torrent(torrent) => (
                torrent.name(),
                torrent.info_hash(),
                torrent.info_hash_v2(),
                torrent.total_len(),
                torrent.tiers().to_vec(),
            ),
            Source::Magnet(magnet) => (
                magnet.name.as_deref().unwrap_or("the magnet URI"),
                magnet.info_hash,
                magnet.info_hash_v2,
                // Unknown, and 0 would make us a seed.
                1,
                magnet.trackers.iter().map(|url| vec![url.clone()]).collect(),
            ),
        };
        let info_hash = trackers_hash(hash, hash_v2);
        Self { name: text::escape(name).into_owned(), info_hash, left, tiers }
    }

    /// Calls `ask` for each tracker, and tells each answer: text as it comes, JSON at the end.
    fn ask_all(
        &self,
        (json, quiet): (bool, bool),
        mut ask: impl FnMut(&str, Asked),
    ) -> Result<(), Failure> {
        let name = &self.name;
        let trackers: Vec<(usize, &String)> = self
            .tiers
            .iter()
            .enumerate()
            .flat_map(|(tier, urls)| urls.iter().map(move |url| (tier, url)))
            .take(MAX_TRACKERS)
            .collect();
        if trackers.is_empty() {
            return Err(Failure::new(Code::Other, format!("{name}: names no tracker to ask")));
        }
        let (sender, answers) = unbounded();
        for (number, (_, url)) in trackers.iter().enumerate() {
            ask(url, Asked { number, at: Instant::now(), sender: sender.clone() });
        }
        drop(sender);
        let mut wait =
            Wait::new("waiting for", trackers.iter().map(|(_, url)| url.as_str()), quiet);
        let mut report = Report::new(InfoHash::from(self.info_hash), trackers);
        while let Some(answer) = wait.receive(&answers, None) {
            wait.done(answer.number);
            let told = report.add(&answer);
            if let Some(told) = told.filter(|_| !json) {
                output::text(|out| out.write_all(told.as_bytes()))?;
            }
        }
        drop(wait);
        if json {
            output::json(&report)?;
        }
        match (report.answered(), report.asked()) {
            (0, asked) => {
                let message = format!("{name}: not one tracker of {asked} gave a useful answer");
                Err(Failure::new(Code::Network, message))
            }
            (answered, asked) => {
                if !json && asked > 1 {
                    let asked = text::count(asked, "tracker");
                    output::text(|out| writeln!(out, "{answered} of {asked} answered"))?;
                }
                Ok(())
            }
        }
    }
}

/// What trackers know a torrent by: the version 1 info-hash, or the beginning of version 2's
/// (BEP 52).
fn trackers_hash(hash: Option<InfoHash>, hash_v2: Option<InfoHashV2>) -> [u8; 20] {
    match (hash, hash_v2) {
        (Some(hash), _) => *hash.as_bytes(),
        (None, Some(hash)) => hash.as_bytes().first_chunk().copied().unwrap_or_default(),
        // Sources name one of them, or they are refused.
        (None, None) => [0; 20],
    }
}

/// A question under way.
struct Asked {
    number: usize,
    at: Instant,
    sender: Sender<Answer>,
}

impl Asked {
    fn give(self, outcome: Result<Outcome, tracker::Error>) {
        let Self { number, at, sender } = self;
        // Nobody is left to listen if writing the answers failed.
        let _ = sender.send(Answer { number, took: at.elapsed(), outcome });
    }
}
