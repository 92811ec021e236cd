//! What the disk threads do when nothing goes wrong.
//! Faults are next door.

use std::fs::{self, File};

use metainfo::{PieceIndex, PieceSet};
use proptest::prelude::*;
use storage::{Allocation, Backend, Checked, Config, Done, ErrorKind, Job, TorrentId, What};

use crate::support::{Fixture, T, Threads, on_both};

#[test]
fn a_torrent_arrives_and_is_read_back() {
    on_both(|backend| {
        let fixture = Fixture::new(49_152, &[100_000, 0, 5, -3_000, 70_000, 0]);
        let threads = Threads::start(backend);
        assert!(threads.disk.open(T, &fixture.spec).unwrap().fresh);
        threads.download(&fixture, fixture.layout().pieces().rev());
        for piece in fixture.layout().pieces() {
            assert!(threads.read(&fixture, piece) == fixture.piece(piece), "piece {piece}");
        }
        assert!(threads.close(T).is_empty());
        fixture.assert_files();
        assert!(!threads.disk.open(T, &fixture.spec).unwrap().fresh);
    });
}

#[test]
fn a_bad_piece_tells_its_blocks_apart_and_is_not_written() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[200_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        let piece = PieceIndex::new(1);
        let mut jobs = fixture.arrive(T, piece);
        if let Job::Write { data, .. } = &mut jobs[2] {
            data[77] ^= 1;
        }
        threads.disk.submit(jobs);
        let done = threads.next();
        let Done::Checked { outcome: Checked::Bad { blocks }, .. } = done else {
            panic!("{done:?}")
        };
        let bytes = fixture.piece(piece);
        let good = bytes.chunks(16_384).map(|block| piecehash::sha1(&[block]));
        let wrong: Vec<usize> =
            good.zip(&blocks).enumerate().filter(|(_, (a, b))| a != *b).map(|(n, _)| n).collect();
        assert_eq!((blocks.len(), wrong), (4, vec![2]));
        assert!(std::fs::read(fixture.path(0)).unwrap().iter().all(|byte| *byte == 0));
        threads.download(&fixture, fixture.layout().pieces());
        threads.close(T);
        fixture.assert_files();
    });
}

#[test]
fn a_good_piece_tells_its_blocks_when_asked() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[200_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        let piece = PieceIndex::new(3);
        let mut jobs = fixture.arrive(T, piece);
        if let Some(Job::Check { digests, .. }) = jobs.last_mut() {
            *digests = true;
        }
        threads.disk.submit(jobs);
        let done = threads.next();
        let Done::Checked { outcome: Checked::Good { blocks }, .. } = done else {
            panic!("{done:?}")
        };
        assert_eq!(blocks, [piecehash::sha1(&[fixture.piece(piece)])]);
    });
}

#[test]
fn beyond_the_budget_pieces_go_to_disk_and_are_hashed_from_there() {
    on_both(|backend| {
        let fixture = Fixture::new(131_072, &[300_000, -20_000, 400_000]);
        let mut config = Config::default();
        config.backend = backend;
        config.hold_budget = 50_000;
        config.threads = 1;
        let threads = Threads::with(config);
        threads.disk.open(T, &fixture.spec).unwrap();
        // A block of each piece in turn, so that no piece is whole before all are begun.
        let mut arriving: Vec<_> =
            fixture.layout().pieces().map(|piece| fixture.arrive(T, piece).into_iter()).collect();
        let mut count = 0;
        while !arriving.is_empty() {
            let jobs = arriving.iter_mut().filter_map(Iterator::next).collect();
            threads.disk.submit(jobs);
            arriving.retain(|piece| piece.len() > 0);
            count += 1;
        }
        assert!(count > 2);
        for done in threads.take(fixture.layout().piece_count() as usize) {
            assert!(
                matches!(done, Done::Checked { outcome: Checked::Good { .. }, .. }),
                "{done:?}"
            );
        }
        threads.close(T);
        fixture.assert_files();
    });
}

#[test]
fn a_bad_piece_that_went_to_disk_tells_its_blocks_apart_too() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[65_536]);
        let mut config = Config::default();
        config.backend = backend;
        config.hold_budget = 20_000;
        let threads = Threads::with(config);
        threads.disk.open(T, &fixture.spec).unwrap();
        let mut jobs = fixture.arrive(T, PieceIndex::new(0));
        if let Job::Write { data, .. } = &mut jobs[0] {
            data[0] ^= 1;
        }
        threads.disk.submit(jobs);
        let done = threads.next();
        let Done::Checked { outcome: Checked::Bad { blocks }, .. } = done else {
            panic!("{done:?}")
        };
        let good = fixture.bytes.chunks(16_384).map(|block| piecehash::sha1(&[block]));
        assert_eq!(
            good.zip(blocks).map(|(a, b)| a == b).collect::<Vec<_>>(),
            [false, true, true, true]
        );
    });
}

#[test]
fn a_check_without_blocks_looks_at_the_files() {
    on_both(|backend| {
        let fixture = Fixture::new(32_768, &[50_000, 50_000]);
        fixture.write_files();
        let threads = Threads::start(backend);
        assert!(!threads.disk.open(T, &fixture.spec).unwrap().fresh);
        let pieces = fixture.layout().pieces();
        threads
            .disk
            .submit(pieces.map(|piece| Job::Check { torrent: T, piece, digests: false }).collect());
        for done in threads.take(fixture.layout().piece_count() as usize) {
            assert!(
                matches!(done, Done::Checked { outcome: Checked::Good { .. }, .. }),
                "{done:?}"
            );
        }
        // As do the blocks of a piece that were discarded.
        let mut jobs = fixture.arrive(T, PieceIndex::new(0));
        for job in &mut jobs {
            if let Job::Write { data, .. } = job {
                data.fill(0);
            }
        }
        jobs.insert(2, Job::Discard { torrent: T, piece: PieceIndex::new(0) });
        threads.disk.submit(jobs);
        let done = threads.next();
        assert!(matches!(done, Done::Checked { outcome: Checked::Good { .. }, .. }), "{done:?}");
    });
}

#[test]
fn a_sync_names_the_pieces_it_made_durable() {
    on_both(|backend| {
        let fixture = Fixture::new(32_768, &[50_000, 0, 50_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        let pieces: Vec<PieceIndex> = fixture.layout().pieces().collect();
        threads.download(&fixture, pieces[..3].iter().copied());
        threads.disk.submit(vec![Job::Sync { torrent: T }]);
        let done = threads.next();
        let Done::Synced { torrent: T, pieces: mut synced, .. } = done else { panic!("{done:?}") };
        synced.sort_unstable();
        assert_eq!(synced, pieces[..3]);
        threads.download(&fixture, pieces[3..].iter().copied());
        threads.disk.submit(vec![Job::Sync { torrent: T }, Job::Sync { torrent: T }]);
        let done = threads.next();
        assert!(matches!(&done, Done::Synced { pieces: synced, .. } if synced == &pieces[3..]));
        let done = threads.next();
        assert!(matches!(&done, Done::Synced { pieces, .. } if pieces.is_empty()), "{done:?}");
    });
}

#[test]
fn jobs_of_a_torrent_that_is_not_open_fail() {
    on_both(|backend| {
        let fixture = Fixture::new(32_768, &[50_000]);
        let threads = Threads::start(backend);
        let mut jobs = fixture.arrive(T, PieceIndex::new(0));
        jobs.extend(fixture.reads(T, PieceIndex::new(1)));
        jobs.push(Job::Sync { torrent: T });
        threads.disk.submit(jobs);
        let failures: Vec<What> = threads
            .take(4)
            .into_iter()
            .map(|done| match done {
                Done::Failed { torrent: T, what, error } => {
                    assert_eq!(error.kind(), ErrorKind::Unsupported);
                    what
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(failures[0], What::Check { piece: PieceIndex::new(0) });
        assert!(matches!(failures[1], What::Read { ticket: 0, .. }));
        assert!(matches!(&failures[3], What::Sync { pieces } if pieces.is_empty()));
        assert!(threads.is_silent());
    });
}

#[test]
fn jobs_that_make_no_sense_fail() {
    on_both(|backend| {
        let fixture = Fixture::new(32_768, &[50_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        let layout = fixture.layout();
        let block = layout.range(0, 5, 10).unwrap();
        threads.disk.submit(vec![
            Job::Write { torrent: T, block, data: vec![0; 10] },
            Job::Write { torrent: T, block: layout.range(0, 0, 16_384).unwrap(), data: vec![0; 7] },
            Job::Read { torrent: T, ticket: 3, block, into: vec![0; 11] },
            Job::Check { torrent: T, piece: PieceIndex::new(2), digests: false },
            Job::Check { torrent: T, piece: PieceIndex::new(u32::MAX), digests: false },
        ]);
        for done in threads.take(5) {
            let Done::Failed { error, .. } = done else { panic!("{done:?}") };
            assert_eq!(error.kind(), ErrorKind::Unsupported);
        }
    });
}

#[test]
fn closing_finishes_what_was_submitted_and_refuses_the_rest() {
    on_both(|backend| {
        let fixture = Fixture::new(32_768, &[500_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        threads.disk.submit(fixture.layout().pieces().flat_map(|p| fixture.arrive(T, p)).collect());
        let answered = threads.close(T);
        assert_eq!(answered.len(), fixture.layout().piece_count() as usize);
        fixture.assert_files();
        threads.disk.close(T);
        threads.disk.close(TorrentId(99));
        threads.disk.submit(vec![Job::Sync { torrent: T }]);
        assert!(matches!(threads.next(), Done::Failed { .. }));
        threads.disk.open(T, &fixture.spec).unwrap();
    });
}

#[test]
fn dropping_the_handle_finishes_what_was_submitted() {
    on_both(|backend| {
        let fixture = Fixture::new(32_768, &[500_000]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        threads.disk.submit(fixture.layout().pieces().flat_map(|p| fixture.arrive(T, p)).collect());
        drop(threads);
        fixture.assert_files();
    });
}

#[test]
fn sparse_files_have_their_length_and_no_blocks() {
    use std::os::unix::fs::MetadataExt;

    let fixture = Fixture::new(32_768, &[5_000_000]);
    let threads = Threads::start(Backend::Positional);
    let nothing = PieceSet::new_empty(fixture.layout().piece_count());
    let sparse = fixture.spec.clone().with_allocation(Allocation::Sparse);
    threads.disk.open(T, &sparse).unwrap();
    let found = std::fs::metadata(fixture.path(0)).unwrap();
    assert_eq!((found.len(), found.blocks()), (5_000_000, 0));
    assert_eq!(storage::room(&sparse, &nothing).unwrap().needed, 5_000_000);
    threads.close(T);
    std::fs::remove_file(fixture.path(0)).unwrap();
    threads.disk.open(T, &fixture.spec).unwrap();
    let found = std::fs::metadata(fixture.path(0)).unwrap();
    assert_eq!(found.len(), 5_000_000);
    assert!(found.blocks() * 512 >= 5_000_000);
    assert_eq!(storage::room(&fixture.spec, &nothing).unwrap().needed, 0);
}

#[test]
fn many_files_need_few_descriptors() {
    on_both(|backend| {
        let fixture = Fixture::new(16_384, &vec![100; 700]);
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        threads.download(&fixture, fixture.layout().pieces());
        let ours = |entry: std::io::Result<std::fs::DirEntry>| {
            let target = std::fs::read_link(entry.ok()?.path()).ok()?;
            target.starts_with(fixture.spec.root()).then_some(())
        };
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, |all| all.filter_map(ours).count());
        assert!(open < 600, "{open} descriptors");
        for piece in fixture.layout().pieces() {
            assert!(threads.read(&fixture, piece) == fixture.piece(piece), "piece {piece}");
        }
        threads.close(T);
        fixture.assert_files();
    });
}

/// A layout of up to thirty files, some of them empty or padding, and an order of blocks.
fn layouts() -> impl Strategy<Value = (u32, Vec<i64>, u64)> {
    let file = prop_oneof![
        3 => 0_i64..40_000,
        1 => Just(0_i64),
        1 => -20_000_i64..-1,
    ];
    (1_u32..60_000, prop::collection::vec(file, 1..30), any::<u64>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn any_layout_survives_any_order((piece_length, lengths, seed) in layouts()) {
        // Tiny pieces over many bytes would only make this slow.
        let total: u64 = lengths.iter().map(|length| length.unsigned_abs()).sum();
        let piece_length = piece_length.max(u32::try_from(total / 200).unwrap_or(1)).max(1);
        on_both(|backend| {
            let fixture = Fixture::new(piece_length, &lengths);
            let mut config = Config::default();
            config.backend = backend;
            config.hold_budget = 100_000;
            config.threads = 3;
            let threads = Threads::with(config);
            threads.disk.open(T, &fixture.spec).unwrap();
            let mut pieces: Vec<_> =
                fixture.layout().pieces().map(|piece| fixture.arrive(T, piece)).collect();
            let count = pieces.len();
            let mut state = seed | 1;
            let mut pick = |bound: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                usize::try_from(state % bound as u64).unwrap()
            };
            while !pieces.is_empty() {
                let index = pick(pieces.len());
                // Blocks in any order, the check after the last of them.
                let blocks = pieces[index].len() - 1;
                let job = pieces[index].remove(if blocks > 0 { pick(blocks) } else { 0 });
                threads.disk.submit(vec![job]);
                if pieces[index].is_empty() {
                    pieces.swap_remove(index);
                }
            }
            for done in threads.take(count) {
                let good = matches!(done, Done::Checked { outcome: Checked::Good { .. }, .. });
                assert!(good, "{done:?}");
            }
            for piece in fixture.layout().pieces() {
                assert!(threads.read(&fixture, piece) == fixture.piece(piece), "piece {piece}");
            }
            threads.close(T);
            fixture.assert_files();
        });
    }
}

#[test]
fn what_is_not_wanted_takes_no_room() {
    // Pieces of 16: 0 and 1 of the first file, 2 of all three, 3 to 5 of the last, which is wanted.
    let fixture = Fixture::new(16, &[40, 3, 50]);
    let spec = fixture.spec.clone().with_selection(|file| file == 2);
    let wanted: Vec<u32> = spec.wanted_pieces().unwrap().iter().map(PieceIndex::get).collect();
    assert_eq!(wanted, [2, 3, 4, 5]);
    let threads = Threads::start(Backend::Positional);
    assert_eq!(storage::room(&spec, &PieceSet::new_empty(6)).unwrap().needed, 61);
    threads.disk.open(T, &spec).unwrap();
    let order = wanted.into_iter().map(PieceIndex::new);
    threads.download(&fixture, order);
    threads.close(T);
    assert_eq!(fs::read(fixture.path(2)).unwrap(), fixture.file(2));
    // Neighbours hold what they share with it and holes.
    let mut first = fixture.file(0).to_vec();
    first[..32].fill(0);
    assert_eq!(fs::read(fixture.path(0)).unwrap(), first);
    assert_eq!(fs::read(fixture.path(1)).unwrap(), fixture.file(1));

    let options = storage::Options::default();
    let none = |_: storage::Progress| {};
    let found = storage::verify(&fixture.spec, &options, &none, &false.into()).unwrap().whole;
    assert_eq!(found.iter().map(PieceIndex::get).collect::<Vec<_>>(), [2, 3, 4, 5]);
}

#[test]
fn what_is_cached_is_read_at_once_and_the_rest_is_left() {
    on_both(|backend| {
        let fixture = Fixture::new(65_536, &[300_000, -20_000, 300_000]);
        fixture.write_files();
        let threads = Threads::start(backend);
        threads.disk.open(T, &fixture.spec).unwrap();
        let piece = PieceIndex::new(1);
        // A disk thread has to look the file up first.
        let mut jobs = fixture.reads(T, piece);
        let count = jobs.len();
        assert!(threads.disk.read_cached(&mut jobs).is_empty());
        assert_eq!(jobs.len(), count);
        assert!(threads.read(&fixture, piece) == fixture.piece(piece));
        // Whether the system can tell what is in its cache differs; what it gives does not.
        let mut jobs = fixture.reads(T, piece);
        jobs.push(Job::Discard { torrent: T, piece: PieceIndex::new(3) });
        let done = threads.disk.read_cached(&mut jobs);
        assert_eq!(done.len() + jobs.len(), count + 1);
        for done in done {
            let Done::Read { block, data, .. } = done else { panic!("{done:?}") };
            let start = block.offset() as usize;
            assert!(data == fixture.piece(piece)[start..start + data.len()]);
        }
        assert!(jobs.iter().any(|job| matches!(job, Job::Discard { .. })));
        // A file that was cut is a disk thread's to report.
        File::options().write(true).open(fixture.path(0)).unwrap().set_len(70_000).unwrap();
        let mut jobs = fixture.reads(T, piece);
        assert!(threads.disk.read_cached(&mut jobs).is_empty());
        threads.disk.submit(jobs);
        for done in threads.take(count) {
            assert!(matches!(done, Done::Failed { .. }), "{done:?}");
        }
    });
}
