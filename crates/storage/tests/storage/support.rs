//! Torrents of random bytes, and disk threads whose answers can be waited for.
//! No assertions about behaviour live here.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use metainfo::{Layout, PieceIndex, PieceSet};
use storage::{Backend, Checked, Config, Disk, Done, FileSpec, FileStamp, Job, Spec, TorrentId};

/// The torrent of most tests.
pub(crate) const T: TorrentId = TorrentId(7);

/// Longer than anything here takes on a machine in trouble.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the end of a torrent tells: of its files, of its pieces, and what was answered meanwhile.
pub(crate) type End = (Vec<Option<FileStamp>>, PieceSet, Vec<Done<Vec<u8>>>);

/// The numbers of the pieces in a set.
pub(crate) fn numbers(pieces: &PieceSet) -> Vec<u32> {
    pieces.iter().map(PieceIndex::get).collect()
}

/// Runs the test with each back end.
pub(crate) fn on_both(test: impl Fn(Backend)) {
    for backend in [Backend::Mapped, Backend::Positional] {
        test(backend);
    }
}

/// A torrent's bytes, its geometry, and a folder for its files.
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) bytes: Vec<u8>,
    pub(crate) spec: Spec,
}

impl Fixture {
    /// Files `0`, `sub/1`, `2`, `sub/3`... of these lengths; a negative length is padding.
    pub(crate) fn new(piece_length: u32, lengths: &[i64]) -> Self {
        Self::with_zeros(piece_length, lengths, 0..0)
    }

    /// The same with zeros in this part of its bytes.
    pub(crate) fn with_zeros(piece_length: u32, lengths: &[i64], zeros: Range<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let real: Vec<u64> = lengths.iter().map(|length| length.unsigned_abs()).collect();
        let layout = Layout::new(piece_length, &real).unwrap();
        let layout = layout.with_padding(|file| lengths[file] < 0);
        let mut bytes = random(layout.total_len());
        bytes[zeros].fill(0);
        let mut files = Vec::new();
        let mut end = 0;
        for (index, length) in lengths.iter().enumerate() {
            let start = end;
            end += usize::try_from(length.unsigned_abs()).unwrap();
            if *length < 0 {
                bytes[start..end].fill(0);
            }
            let path = if index % 2 == 0 { format!("{index}") } else { format!("sub/{index}") };
            files.push(FileSpec { path: path.into(), on_disk: *length >= 0 });
        }
        let hashes = layout.pieces().map(|piece| piecehash::sha1(&[slice(&layout, &bytes, piece)]));
        let expected = hashes.collect();
        let spec = Spec::from_parts(folder.path().join("target"), files, layout, expected).unwrap();
        Self { folder, bytes, spec }
    }

    pub(crate) fn layout(&self) -> &Layout {
        self.spec.layout()
    }

    pub(crate) fn piece(&self, piece: PieceIndex) -> &[u8] {
        slice(self.layout(), &self.bytes, piece)
    }

    pub(crate) fn path(&self, file: usize) -> PathBuf {
        self.spec.root().join(&self.spec.files()[file].path)
    }

    /// The bytes a file has to have.
    pub(crate) fn file(&self, file: usize) -> &[u8] {
        let start = usize::try_from(self.layout().file_offset(file)).unwrap();
        &self.bytes[start..start + usize::try_from(self.layout().file_len(file)).unwrap()]
    }

    /// Writes all files, whole.
    pub(crate) fn write_files(&self) {
        for (index, file) in self.spec.files().iter().enumerate().filter(|(_, file)| file.on_disk) {
            let path = self.path(index);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, self.file(index)).unwrap();
            assert!(path.starts_with(self.spec.root()), "{file:?}");
        }
    }

    /// Asserts that all files are whole and that there are no others.
    pub(crate) fn assert_files(&self) {
        let mut expected = Vec::new();
        for (index, _) in self.spec.files().iter().enumerate().filter(|(_, file)| file.on_disk) {
            assert!(std::fs::read(self.path(index)).unwrap() == self.file(index), "file {index}");
            expected.push(self.path(index));
        }
        let mut found = Vec::new();
        list(self.spec.root(), &mut found);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    /// The jobs that bring a piece: its blocks, then the check.
    pub(crate) fn arrive(&self, torrent: TorrentId, piece: PieceIndex) -> Vec<Job<Vec<u8>>> {
        let bytes = self.piece(piece);
        let mut jobs: Vec<Job<Vec<u8>>> = self
            .layout()
            .blocks(piece)
            .map(|block| {
                let start = block.offset() as usize;
                let data = bytes[start..start + block.len() as usize].to_vec();
                Job::Write { torrent, block, data }
            })
            .collect();
        jobs.push(Job::Check { torrent, piece, digests: false });
        jobs
    }

    /// The jobs that read a piece, block by block; the ticket is the block's number.
    pub(crate) fn reads(&self, torrent: TorrentId, piece: PieceIndex) -> Vec<Job<Vec<u8>>> {
        let read = |(ticket, block): (u64, metainfo::Block)| Job::Read {
            torrent,
            ticket,
            block,
            into: vec![0; block.len() as usize],
        };
        (0..).zip(self.layout().blocks(piece)).map(read).collect()
    }
}

fn slice<'a>(layout: &Layout, bytes: &'a [u8], piece: PieceIndex) -> &'a [u8] {
    let start = piece.as_usize() * layout.piece_length() as usize;
    &bytes[start..start + layout.piece_len(piece) as usize]
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Bytes that are the same in every run.
pub(crate) fn random(len: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// Disk threads, and what they answered.
pub(crate) struct Threads {
    pub(crate) disk: Disk<Vec<u8>>,
    answers: Receiver<Done<Vec<u8>>>,
}

impl Threads {
    pub(crate) fn start(backend: Backend) -> Self {
        let mut config = Config::default();
        config.backend = backend;
        config.threads = 2;
        Self::with(config)
    }

    pub(crate) fn with(config: Config) -> Self {
        let (sender, answers) = unbounded();
        let disk = Disk::start(config, move |done| {
            assert!(!done.is_empty());
            for done in done {
                let _ = sender.send(done);
            }
        });
        Self { disk: disk.unwrap(), answers }
    }

    /// The next answer.
    pub(crate) fn next(&self) -> Done<Vec<u8>> {
        self.answers.recv_timeout(PATIENCE).expect("an answer")
    }

    /// The next answers, this many.
    pub(crate) fn take(&self, count: usize) -> Vec<Done<Vec<u8>>> {
        (0..count).map(|_| self.next()).collect()
    }

    /// Whether there is no answer now.
    pub(crate) fn is_silent(&self) -> bool {
        self.answers.is_empty()
    }

    /// Closes the torrent and waits until it is; whatever else is answered meanwhile is returned.
    pub(crate) fn close(&self, torrent: TorrentId) -> Vec<Done<Vec<u8>>> {
        self.end(torrent).2
    }

    /// The same, and how the files look, and the pieces of those that another program changed.
    pub(crate) fn end(&self, torrent: TorrentId) -> End {
        self.disk.close(torrent);
        let mut others = Vec::new();
        loop {
            match self.next() {
                Done::Closed { torrent: closed, stamps, doubtful, .. } if closed == torrent => {
                    return (stamps, doubtful, others);
                }
                other => others.push(other),
            }
        }
    }

    /// Brings all pieces in this order and asserts that each is good.
    pub(crate) fn download(&self, fixture: &Fixture, order: impl Iterator<Item = PieceIndex>) {
        let mut count = 0;
        for piece in order {
            self.disk.submit(fixture.arrive(T, piece));
            count += 1;
        }
        for done in self.take(count) {
            assert!(
                matches!(done, Done::Checked { outcome: Checked::Good { .. }, .. }),
                "{done:?}"
            );
        }
    }

    /// Reads a piece back, whole.
    pub(crate) fn read(&self, fixture: &Fixture, piece: PieceIndex) -> Vec<u8> {
        let jobs = fixture.reads(T, piece);
        let count = jobs.len();
        self.disk.submit(jobs);
        let mut bytes = vec![0; fixture.layout().piece_len(piece) as usize];
        for done in self.take(count) {
            let Done::Read { block, data, .. } = done else { panic!("{done:?}") };
            let start = block.offset() as usize;
            bytes[start..start + data.len()].copy_from_slice(&data);
        }
        bytes
    }
}
