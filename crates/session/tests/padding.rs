//! Torrents with padding anywhere, downloaded by `swarm` and `storage` together, without sockets: the
//! files are as they should be, each piece has its hash, and padding is neither asked for nor written.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use metainfo::{BLOCK_LEN, Block, Layout, PieceSet};
use storage::{Disk, Done, FileSpec, Job, Spec, TorrentId};
use swarm::{Action, Config, DiskDone, DiskJob, Event, Input, Origin, PeerKey, Phase, Torrent};
use wire::{Message, Payload, PeerId, Reserved};

const ID: TorrentId = TorrentId(1);

/// Longer than a disk needs on a machine in trouble.
const PATIENCE: Duration = Duration::from_mins(1);

/// A torrent of random files and its bytes.
struct Subject {
    lengths: Vec<u64>,
    padding: Vec<bool>,
    layout: Layout,
    bytes: Vec<u8>,
}

impl Subject {
    fn new(rng: &mut fastrand::Rng) -> Self {
        let piece_length = [5_000, BLOCK_LEN, 40_000, 4 * BLOCK_LEN][rng.usize(0..4)];
        let longest = [50, u64::from(BLOCK_LEN), 200_000][rng.usize(0..3)];
        let files = rng.usize(1..20);
        let lengths: Vec<u64> = (0..files).map(|_| rng.u64(0..longest)).collect();
        let padding: Vec<bool> = (0..files).map(|_| rng.bool()).collect();
        let layout = Layout::new(piece_length, &lengths).unwrap();
        let layout = layout.with_padding(|file| padding[file]);
        let mut bytes = vec![0; usize::try_from(layout.total_len()).unwrap()];
        let mut at = 0;
        for (len, padding) in lengths.iter().zip(&padding) {
            let end = at + usize::try_from(*len).unwrap();
            if !padding {
                rng.fill(&mut bytes[at..end]);
            }
            at = end;
        }
        Self { lengths, padding, layout, bytes }
    }

    fn spec(&self, root: &Path) -> Spec {
        let file = |(index, padding): (usize, &bool)| FileSpec {
            path: format!("t/{index}").into(),
            on_disk: !padding,
        };
        let files = self.padding.iter().enumerate().map(file).collect();
        let pieces = self.bytes.chunks(self.layout.piece_length() as usize);
        let hashes = pieces.map(|piece| piecehash::sha1(&[piece])).collect();
        Spec::from_parts(root, files, self.layout.clone(), hashes).unwrap()
    }

    /// The bytes of a block as a peer sends them that fills padding with whatever it likes.
    fn block(&self, block: Block) -> Vec<u8> {
        let range = self.layout.range_of(block);
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let mut bytes = self.bytes[range].to_vec();
        for part in self.layout.padding_in(block) {
            bytes[part].fill(0xff);
        }
        bytes
    }
}

/// The torrent, its disk, and a seed that answers at once.
struct Download<'a> {
    subject: &'a Subject,
    torrent: Torrent,
    disk: Disk<Payload>,
    answers: Receiver<Done<Payload>>,
    now: Instant,
    requested: u64,
    checks: usize,
    complete: bool,
}

impl Download<'_> {
    fn run(&mut self) {
        let peer = PeerKey(1);
        self.input(Input::Connected {
            peer,
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            origin: Origin::Incoming,
            peer_id: PeerId([9; 20]),
            reserved: Reserved::NONE,
        });
        let all = PieceSet::new_full(self.subject.layout.piece_count());
        self.input(Input::Message { peer, message: Message::Bitfield(all.as_bytes().into()) });
        self.input(Input::Message { peer, message: Message::Unchoke });
        while self.checks > 0 {
            let done = self.answers.recv_timeout(PATIENCE).expect("an answer of the disk");
            let Done::Checked { piece, outcome: storage::Checked::Good { .. }, .. } = done else {
                panic!("{done:?}")
            };
            self.checks -= 1;
            let outcome = swarm::Checked::Good { blocks: Vec::new() };
            self.input(Input::Disk(DiskDone::Checked { piece, outcome }));
        }
    }

    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.torrent.handle(self.now, input);
            while let Some(action) = self.torrent.poll() {
                inputs.extend(self.perform(action));
            }
        }
    }

    fn perform(&mut self, action: Action) -> Option<Input> {
        let torrent = ID;
        match action {
            Action::Send { peer, message: Message::Request(request) } => {
                let layout = &self.subject.layout;
                let block = layout.range(request.piece, request.offset, request.len).unwrap();
                let is_padding = |span: metainfo::FileSpan| self.subject.padding[span.file];
                let spans: Vec<_> = layout.spans(block).collect();
                let ends = [spans[0], spans[spans.len() - 1]];
                assert!(!ends.into_iter().any(is_padding), "{block:?}");
                let between: usize = layout.padding_in(block).map(|part| part.len()).sum();
                self.requested += u64::from(block.len()) - between as u64;
                let payload = Payload::detached(self.subject.block(block));
                let (piece, offset) = (request.piece, request.offset);
                let message = Message::Piece { piece, offset, payload };
                return Some(Input::Message { peer, message });
            }
            Action::Disk(DiskJob::Write { block, payload }) => {
                self.disk.submit(vec![Job::Write { torrent, block, data: payload }]);
            }
            Action::Disk(DiskJob::Check { piece, digests }) => {
                self.checks += 1;
                self.disk.submit(vec![Job::Check { torrent, piece, digests }]);
            }
            Action::Event(Event::Completed) => self.complete = true,
            _ => {}
        }
        None
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "virtual time has to begin somewhere")]
fn any_layout_with_padding_is_downloaded_without_asking_for_any() {
    let mut interior = 0;
    for seed in 0..150 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let subject = Subject::new(&mut rng);
        let folder = tempfile::tempdir().unwrap();
        let spec = subject.spec(folder.path());
        let (answer, answers) = unbounded();
        let mut config = storage::Config::default();
        // Some go to disk early, and are hashed from there.
        config.hold_budget = [0, 30_000, storage::HOLD_BUDGET][rng.usize(0..3)];
        let disk = Disk::start(config, move |done| {
            for done in done {
                let _ = answer.send(done);
            }
        })
        .unwrap();
        assert!(disk.open(ID, &spec).unwrap().fresh);
        let mut have = PieceSet::new_empty(subject.layout.piece_count());
        for piece in subject.layout.padding_pieces() {
            have.insert(piece);
        }
        let nothing_to_do = subject.layout.content_len() == 0;
        let phase = Phase::Pieces(subject.layout.clone(), have);
        let mut download = Download {
            subject: &subject,
            torrent: Torrent::new(Config::new(PeerId([7; 20])), phase, seed),
            disk,
            answers,
            now: Instant::now(),
            requested: 0,
            checks: 0,
            complete: nothing_to_do,
        };
        download.run();

        assert!(download.complete && download.torrent.have().is_full(), "seed {seed}");
        assert_eq!(download.requested, subject.layout.content_len(), "seed {seed}");
        interior += download.torrent.stats().downloaded - download.requested;
        drop(download);
        for (index, len) in subject.lengths.iter().enumerate() {
            let path = folder.path().join(format!("t/{index}"));
            assert_eq!(path.exists(), !subject.padding[index], "seed {seed}");
            if !subject.padding[index] {
                let start = usize::try_from(subject.layout.file_offset(index)).unwrap();
                let wanted = &subject.bytes[start..start + usize::try_from(*len).unwrap()];
                assert!(std::fs::read(&path).unwrap() == wanted, "seed {seed}, file {index}");
            }
        }
        let (options, cancel) = (storage::Options::default(), AtomicBool::new(false));
        let content = subject.layout.content_len();
        let total = |now: storage::Progress| assert_eq!(now.total, content);
        let found = storage::verify(&spec, &options, &total, &cancel).unwrap();
        assert!(found.whole.is_full(), "seed {seed}");
    }
    assert!(interior > 0, "some blocks had padding in their middle");
}
