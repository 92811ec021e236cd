//! Figures of the disk side alone: verifying what is in the page cache, and taking in a download
//! that costs nothing to receive. Prints wall and CPU seconds a GiB; says nothing about the network.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints and may stop")]

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use metainfo::Layout;
use storage::{Backend, Config, Disk, Done, FileSpec, Job, Options, Spec, TorrentId};

const TOTAL: u64 = 1 << 30;
const TORRENT: TorrentId = TorrentId(1);

fn main() {
    let folder = std::env::var_os("FIGURES_DIR").unwrap_or_else(|| std::env::temp_dir().into());
    let folder = tempfile::tempdir_in(folder).unwrap();
    let pattern: Vec<u8> =
        (0_u32..16_384).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    // Memory that a fresh machine hands out for the first time is slow: use it up once.
    drop(std::hint::black_box(vec![1_u8; 2 << 30]));
    for piece_length in [16 << 10, 256 << 10, 1 << 20, 16 << 20] {
        let layout = Layout::new(piece_length, &[TOTAL]).unwrap();
        let whole = vec![&*pattern; piece_length as usize / pattern.len()];
        let hash = piecehash::sha1(&whole);
        let expected = vec![hash; layout.piece_count() as usize];
        let file = FileSpec { path: "data".into(), on_disk: true };
        let spec = Spec::from_parts(folder.path(), vec![file], layout, expected).unwrap();
        for threads in [1, 2] {
            download(&spec, &pattern, threads);
        }
        for backend in [Backend::Positional, Backend::Mapped] {
            for threads in [1, 2] {
                let mut options = Options::default();
                options.backend = backend;
                options.threads = threads;
                let name = format!("verify {backend:?} {threads} threads, {piece_length}");
                measure(&name, || {
                    let cancel = AtomicBool::new(false);
                    let found = storage::verify(&spec, &options, &|_| (), &cancel).unwrap();
                    assert!(found.whole.is_full());
                });
            }
        }
        for backend in [Backend::Positional, Backend::Mapped] {
            seed(&spec, backend);
        }
    }
}

/// Brings all blocks in order, as one fast peer would, with buffers that go round.
fn download(spec: &Spec, pattern: &[u8], threads: usize) {
    let (buffers_out, buffers) = unbounded();
    for _ in 0..2_048 {
        let _ = buffers_out.send(pattern.to_vec());
    }
    let (sender, answers) = unbounded();
    let mut config = Config::default();
    config.threads = threads;
    let disk = Disk::start(config, move |done| {
        let _ = sender.send(done.len());
    });
    let disk: Disk<Pooled> = disk.unwrap();
    disk.open(TORRENT, spec).unwrap();
    let layout = spec.layout();
    measure(&format!("download {threads} threads, {}", layout.piece_length()), || {
        let mut expected = 0;
        let mut jobs = Vec::new();
        for piece in layout.pieces() {
            for block in layout.blocks(piece) {
                let data = Pooled(buffers.recv().unwrap(), buffers_out.clone());
                jobs.push(Job::Write { torrent: TORRENT, block, data });
                if jobs.len() >= 16 {
                    disk.submit(std::mem::take(&mut jobs));
                }
            }
            jobs.push(Job::Check { torrent: TORRENT, piece, digests: false });
            expected += 1;
        }
        disk.submit(std::mem::take(&mut jobs));
        let mut answered = 0;
        while answered < expected {
            answered += answers.recv().unwrap();
        }
    });
}

/// Reads all blocks in order, sixteen at a time, as one fast peer would ask for them.
fn seed(spec: &Spec, backend: Backend) {
    let (sender, answers) = unbounded();
    let mut config = Config::default();
    config.backend = backend;
    config.threads = 1;
    let disk = Disk::start(config, move |done| {
        let _ = sender.send(done);
    });
    let disk = disk.unwrap();
    disk.open(TORRENT, spec).unwrap();
    let layout = spec.layout();
    let mut spare: Vec<Vec<u8>> = vec![vec![0; 16_384]; 32];
    measure(&format!("seed {backend:?}, {}", layout.piece_length()), || {
        for piece in layout.pieces() {
            let mut blocks = layout.blocks(piece).peekable();
            while blocks.peek().is_some() {
                let jobs: Vec<_> = blocks
                    .by_ref()
                    .take(16)
                    .map(|block| Job::Read {
                        torrent: TORRENT,
                        ticket: 0,
                        block,
                        into: spare.pop().unwrap(),
                    })
                    .collect();
                let mut left = jobs.len();
                disk.submit(jobs);
                while left > 0 {
                    for done in answers.recv().unwrap() {
                        let Done::Read { data, .. } = done else { panic!("{done:?}") };
                        spare.push(data);
                        left -= 1;
                    }
                }
            }
        }
    });
}

/// A buffer that goes back where it came from.
struct Pooled(Vec<u8>, crossbeam_channel::Sender<Vec<u8>>);

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Pooled {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let _ = self.1.send(std::mem::take(&mut self.0));
    }
}

fn measure(name: &str, act: impl FnOnce()) {
    let (wall, cpu) = (Instant::now(), cpu());
    act();
    let after = self::cpu();
    let (user, system) = (after.0.saturating_sub(cpu.0), after.1.saturating_sub(cpu.1));
    println!(
        "{name:44} {:6.2} wall  {:6.2} user {:6.2} sys",
        wall.elapsed().as_secs_f64(),
        user.as_secs_f64(),
        system.as_secs_f64()
    );
}

/// CPU time of this process so far, in hundredths of a second: user and system.
fn cpu() -> (Duration, Duration) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let mut ticks = fields.split_whitespace().skip(11).map(|field| field.parse::<u64>().unwrap());
    let mut next = || Duration::from_millis(ticks.next().unwrap() * 10);
    (next(), next())
}
