//! Times bencode parsers at the same work, bytes in, every path and length read: `rivals FILE SECONDS`.
//! Owns the parsers' code and the clock; prints a line for each. Never decides what is parsed.

mod parsers;

use std::hint::black_box;
use std::time::{Duration, Instant};

/// What a torrent's files come to: how many, and their lengths and the bytes of their paths in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    files: u64,
    lengths: u64,
    path_bytes: u64,
}

impl Sum {
    fn add(&mut self, length: u64, path_bytes: usize) {
        self.files += 1;
        self.lengths += length;
        self.path_bytes += path_bytes as u64;
    }
}

/// What one measurement takes at least: long beside the clock's grain, short beside a time slice.
const SAMPLE: Duration = Duration::from_micros(100);

/// Takes a torrent in; `None` if it can't.
type Parser = fn(&[u8]) -> Option<Sum>;

const PARSERS: &[(&str, Parser)] = &[
    ("pieces-bencode", parsers::ours),
    ("bt_bencode", parsers::bt_bencode),
    ("librqbit-bencode", parsers::librqbit),
    ("bendy", parsers::bendy),
    ("serde_bencode", parsers::serde_bencode),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(seconds)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rivals FILE SECONDS".into());
    };
    let bytes = std::fs::read(path)?;
    let budget = Duration::from_secs_f64(seconds.parse()?);
    let expected = parsers::ours(&bytes).ok_or("not a torrent")?;
    let mut times = vec![Vec::new(); PARSERS.len()];
    for (name, parse) in PARSERS {
        let sum = parse(&bytes);
        if sum != Some(expected) {
            return Err(format!("{name} reads {sum:?}, not {expected:?}").into());
        }
    }
    let repeats = PARSERS.iter().map(|(_, parse)| repeats(|| run(*parse, &bytes)));
    let repeats: Vec<u32> = repeats.collect();
    // In turn, so that whatever else the machine does meets all of them.
    let started = Instant::now();
    while started.elapsed() < budget || times.iter().any(|times| times.len() < 7) {
        for (((_, parse), times), &repeats) in PARSERS.iter().zip(&mut times).zip(&repeats) {
            // Whoever came before has left the caches full of something else.
            run(*parse, &bytes);
            let began = Instant::now();
            for _ in 0..repeats {
                run(*parse, &bytes);
            }
            times.push(began.elapsed() / repeats);
        }
    }
    for ((name, _), mut times) in PARSERS.iter().zip(times) {
        times.sort_unstable();
        let micros = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6);
        let (least, most) = (micros(times.first()), micros(times.last()));
        println!("{name} {:.3} {least:.3} {most:.3}", micros(times.get(times.len() / 2)));
    }
    Ok(())
}

fn run(parse: Parser, bytes: &[u8]) {
    black_box(parse(black_box(bytes)));
}

/// How often to repeat what is too short for the clock.
fn repeats(act: impl Fn()) -> u32 {
    act();
    let began = Instant::now();
    act();
    let once = began.elapsed().max(Duration::from_nanos(1));
    u32::try_from(SAMPLE.as_nanos() / once.as_nanos()).unwrap_or(u32::MAX).max(1)
}
