//! Reads at once: which blocks go together, that their bytes are right, and what is left.

use std::fs;
use std::path::Path;

use metainfo::{Layout, PieceIndex};

use super::*;
use crate::disk::Config;
use crate::job::TorrentId;
use crate::paths::Access;
use crate::spec::{FileSpec, Spec};

const BLOCK: usize = 16_384;
const PIECE: u32 = 65_536;

type Jobs = Vec<Job<Vec<u8>>>;
type Answers = Vec<Done<Vec<u8>>>;

/// Files of these lengths, end to end; the second one is padding.
const LENS: [u64; 3] = [300_000, 20_000, 300_000];

fn byte(position: usize) -> u8 {
    if (300_000..320_000).contains(&position) { 0 } else { position.to_le_bytes()[0] | 1 }
}

/// The torrent in a folder, and whether the file system can tell what is in its cache: this one is in
/// it, being written just now.
fn torrent(folder: &Path, disk: &Disk<Vec<u8>>, id: TorrentId) -> (Layout, bool) {
    let mut start = 0;
    for (number, len) in (0..).zip(LENS.map(|len| usize::try_from(len).unwrap())) {
        if number != 1 {
            let bytes: Vec<u8> = (start..start + len).map(byte).collect();
            fs::write(folder.join(format!("{number}")), bytes).unwrap();
        }
        start += len;
    }
    let layout = Layout::new(PIECE, &LENS).unwrap();
    let file = |number: usize| FileSpec { path: format!("{number}").into(), on_disk: number != 1 };
    let hashes = vec![[0; 20]; layout.piece_count() as usize];
    let files = (0..3).map(file).collect();
    let spec = Spec::from_parts(folder, files, layout.clone(), hashes).unwrap();
    disk.open(id, &spec).unwrap();
    let torrent = disk.torrent(id).unwrap();
    let mut whole = vec![0; 300_000];
    let mut tells = true;
    for file in [0, 2] {
        let open = torrent.files.open(file, Access::Read).unwrap();
        tells &= sys::read_cached(&open.file, 0, &mut [IoSliceMut::new(&mut whole)]) == 300_000;
    }
    if !tells {
        eprintln!("the file system can't tell what is in its cache: only what is left is checked");
    }
    (layout, tells)
}

/// Reads at once what can be, from files that a disk thread has looked up lately; again, if that was
/// too long ago before all was read. Gives the answers and what was left.
fn at_once(
    disk: &Disk<Vec<u8>>,
    looked_up: &[(TorrentId, usize)],
    jobs: impl Fn() -> Jobs,
) -> (Answers, Jobs) {
    let files = || looked_up.iter().map(|(id, file)| (disk.torrent(*id).unwrap(), *file));
    loop {
        for (torrent, file) in files() {
            Batch::new().open(&torrent, file).unwrap();
        }
        let mut jobs = jobs();
        let done = disk.read_cached(&mut jobs);
        if files().all(|(torrent, file)| torrent.watch.looked_lately(file)) {
            return (done, jobs);
        }
    }
}

fn disk() -> Disk<Vec<u8>> {
    Disk::start(Config::default(), |_| {}).unwrap()
}

fn read(id: TorrentId, layout: &Layout, ticket: u64, number: u32) -> Job<Vec<u8>> {
    let per_piece = PIECE / u32::try_from(BLOCK).unwrap();
    let block = layout.block(PieceIndex::new(number / per_piece), number % per_piece).unwrap();
    Job::Read { torrent: id, ticket, block, into: vec![0xee; block.len() as usize] }
}

/// The torrent, the ticket and the range of what a job reads.
fn key(layout: &Layout, job: &Job<Vec<u8>>) -> (u64, u64, Range<u64>) {
    let Job::Read { torrent, ticket, block, .. } = job else { panic!("{job:?}") };
    (torrent.0, *ticket, layout.range_of(*block))
}

#[test]
fn what_two_peers_ask_for_is_read_across_pieces_files_and_torrents() {
    let (disk, folders) = (disk(), [0; 2].map(|_| tempfile::tempdir().unwrap()));
    let ids = [TorrentId(1), TorrentId(2)];
    let (layout, first) = torrent(folders[0].path(), &disk, ids[0]);
    let (_, second) = torrent(folders[1].path(), &disk, ids[1]);
    // Block 18 has bytes of the first file and of the padding, block 19 of that and of the last file.
    let blocks = [14, 15, 16, 17, 18, 19, 20, 21, 3, 37];
    let jobs = || -> Jobs {
        let both = blocks.map(|n| [read(ids[0], &layout, 9, n), read(ids[1], &layout, 2, n)]);
        both.into_iter().flatten().collect()
    };
    let asked: Vec<_> = jobs().iter().map(|job| key(&layout, job)).collect();
    let (done, left) = at_once(&disk, &[(ids[0], 0), (ids[0], 2), (ids[1], 0), (ids[1], 2)], jobs);
    let mut got = Vec::new();
    for done in done {
        let Done::Read { torrent, ticket, block, data } = done else { panic!("{done:?}") };
        let range = layout.range_of(block);
        let right = (range.start..range.end).map(|at| byte(usize::try_from(at).unwrap()));
        assert!(data.iter().copied().eq(right), "{block:?}");
        got.push((torrent.0, ticket, range));
    }
    if first && second {
        assert_eq!(got, asked);
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn what_is_not_cached_is_left_as_it_came_and_stops_nobody_else() {
    let (disk, folders) = (disk(), [0; 2].map(|_| tempfile::tempdir().unwrap()));
    let ids = [TorrentId(1), TorrentId(2)];
    let (layout, _) = torrent(folders[0].path(), &disk, ids[0]);
    let (_, tells) = torrent(folders[1].path(), &disk, ids[1]);
    // Of a torrent that nobody opened, nothing can be read at once.
    let missing = TorrentId(3);
    // Nothing can be read at once of a file that was cut, and then nothing else of who asked for it.
    let cut = fs::File::options().write(true).open(folders[0].path().join("2")).unwrap();
    cut.set_len(100).unwrap();
    let order = [(ids[0], 1, 30), (ids[1], 5, 30), (missing, 0, 2), (ids[0], 1, 2), (ids[1], 5, 2)];
    let jobs = || {
        let read = |(id, ticket, number)| read(id, &layout, ticket, number);
        let mut jobs: Vec<_> = order.into_iter().map(read).collect();
        jobs.insert(2, Job::Discard { torrent: ids[1], piece: PieceIndex::new(0) });
        jobs
    };
    let (done, left) = at_once(&disk, &[(ids[0], 0), (ids[1], 0), (ids[1], 2)], jobs);
    let who = |job: &Job<Vec<u8>>| match job {
        Job::Read { torrent, ticket, .. } => (torrent.0, *ticket),
        _ => (0, 0),
    };
    if tells {
        assert_eq!(done.len(), 2, "{done:?}");
        assert_eq!(left.iter().map(who).collect::<Vec<_>>(), [(0, 0), (1, 1), (3, 0), (1, 1)]);
    }
}

#[test]
fn a_run_is_of_one_peer_and_one_torrent_and_not_longer_than_a_peers_buffer() {
    let (disk, folders) = (disk(), [0; 2].map(|_| tempfile::tempdir().unwrap()));
    let opened = [1, 2].map(|id| {
        torrent(folders[id - 1].path(), &disk, TorrentId(id as u64));
        disk.torrent(TorrentId(id as u64)).unwrap()
    });
    let lens = |blocks: &[(usize, u64, u64)]| -> Vec<usize> {
        let block = |(job, &(torrent, ticket, number)): (usize, &(usize, u64, u64))| Wanted {
            job,
            ticket,
            torrent: Arc::clone(&opened[torrent]),
            piece: PieceIndex::new(0),
            range: number * 16_384..(number + 1) * 16_384,
            into: &mut [],
            read: false,
        };
        let mut wanted: Vec<_> = blocks.iter().enumerate().map(block).collect();
        runs(&mut wanted).map(|run| run.len()).collect()
    };
    assert_eq!(lens(&[(0, 1, 0), (0, 1, 1), (0, 1, 3), (0, 1, 4)]), [2, 2]);
    assert_eq!(lens(&[(0, 1, 0), (0, 2, 7), (0, 1, 1), (0, 2, 8), (0, 1, 2)]), [3, 2]);
    assert_eq!(lens(&[(0, 1, 0), (1, 1, 1), (0, 2, 2)]), [1, 1, 1]);
    let long: Vec<_> = (0..130).map(|number| (0, 1, number)).collect();
    assert_eq!(lens(&long), [64, 64, 2]);
}

#[test]
fn a_run_ends_where_its_file_was_cut_and_none_of_it_is_believed() {
    let (disk, folder) = (disk(), tempfile::tempdir().unwrap());
    let (_, tells) = torrent(folder.path(), &disk, TorrentId(1));
    let torrent = disk.torrent(TorrentId(1)).unwrap();
    for (cut, whole) in [(None, 4), (Some(40_000), 2)] {
        let mut batch = Batch::new();
        batch.open(&torrent, 0).unwrap();
        if let Some(len) = cut {
            let file = fs::File::options().write(true).open(folder.path().join("0")).unwrap();
            file.set_len(len).unwrap();
        }
        let mut buffers = vec![vec![0; BLOCK]; 4];
        let wanted = |(job, into): (usize, _)| {
            let (torrent, len) = (Arc::clone(&torrent), BLOCK as u64);
            let range = job as u64 * len..(job as u64 + 1) * len;
            let piece = PieceIndex::new(0);
            Wanted { job, ticket: 0, torrent, piece, range, into, read: false }
        };
        let buffers = buffers.iter_mut().map(|buffer| &mut buffer[..]);
        let mut run: Vec<_> = buffers.enumerate().map(wanted).collect();
        let filled = fill(&mut batch, &mut run);
        if tells {
            assert_eq!(filled, whole);
        }
        for block in run.iter().take(filled) {
            let start = usize::try_from(block.range.start).unwrap();
            assert!(block.into.iter().copied().eq((start..start + BLOCK).map(byte)));
        }
        assert_eq!(batch.settle().is_empty(), cut.is_none());
    }
}
