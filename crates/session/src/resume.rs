//! Resume state: which pieces are known to be whole and synced on disk, so that the next run need
//! not hash them. Never claims what is not synced, and never believes what the files contradict.
//!
//! One small file a torrent and target folder, in the folder the user's system keeps such state in.
//! It is a canonical bencoded dictionary followed by the SHA-1 of it; whatever fails that check, or
//! belongs to another torrent, folder or version, is ignored, and a full check follows. Writing goes
//! to a new file that is synced and then renamed over the old one, on a thread of its own.

pub(crate) mod fuzz;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bencode::Value;
use crossbeam_channel::Sender;
use metainfo::{InfoHash, Layout, PieceSet};
use storage::{FileStamp, Spec};

/// Raised whenever the meaning of the file changes; an older one is ignored.
const VERSION: i64 = 1;

/// SHA-1 at the end of the file.
const DIGEST_LEN: usize = 20;

/// The longest resume file that is read: the bitfield of the largest torrent is 256 KiB, the stamps
/// of a million files 28 MiB.
const MAX_LEN: u64 = 32 << 20;

/// After a run that could not say good-bye, files may have been written this long after the last
/// save by that run itself: the time between saves, and as much again for a slow disk.
const SLACK: Duration = Duration::from_secs(10);

/// What is saved.
pub(crate) struct State {
    /// Pieces that are whole and synced.
    pub(crate) synced: PieceSet,
    /// How the files looked when they were closed; empty while they are open.
    pub(crate) stamps: Vec<Option<FileStamp>>,
    /// When this was written, since 1970.
    pub(crate) saved: Duration,
}

/// Where the resume state of one torrent in one target folder lives.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    info_hash: InfoHash,
    root: PathBuf,
}

impl State {
    /// The state of a torrent whose `synced` pieces survive a power cut, as of now.
    pub(crate) fn now(synced: PieceSet, stamps: Vec<Option<FileStamp>>) -> Self {
        let saved = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { synced, stamps, saved }
    }
}

impl Place {
    /// The place below `folder` for a torrent whose files are below `root`.
    pub(crate) fn new(folder: &Path, info_hash: InfoHash, root: &Path) -> io::Result<Self> {
        // The folder may not exist before the first run.
        let root = fs::canonicalize(root).or_else(|_| std::path::absolute(root))?;
        let digest = piecehash::sha1(&[root.as_os_str().as_bytes()]);
        // Shown as an info-hash is, only because that is how hashes are written in hex.
        let name = format!("{info_hash}-{:.16}.resume", InfoHash::from(digest).to_string());
        Ok(Self { path: folder.join(name), info_hash, root })
    }

    /// The pieces that need no hashing: those that an earlier run synced, in files that have not
    /// been touched since. Empty if there is no resume state that can be believed.
    pub(crate) fn trusted(&self, spec: &Spec) -> PieceSet {
        let layout = spec.layout();
        let none = PieceSet::new_empty(layout.piece_count());
        let state = match self.load(layout) {
            Ok(Some(state)) => state,
            Ok(None) => return none,
            Err(error) => {
                log::info!("{}: {error}; checking all files", self.path.display());
                return none;
            }
        };
        believe(state, &storage::stamps(spec), spec)
    }

    /// Takes back what is claimed beyond the `trusted` pieces, before any file is made or changed. A
    /// claim that no file fits today might fit one that is made anew and whose bytes a power cut takes.
    pub(crate) fn withdraw(&self, trusted: &PieceSet, layout: &Layout) {
        // One that cannot be read claims nothing, tomorrow neither.
        let Ok(Some(state)) = self.load(layout) else { return };
        if state.synced.iter().all(|piece| trusted.contains(piece)) {
            return;
        }
        let state = State { synced: trusted.clone(), ..state };
        save(&self.path, &self.encode(&state));
    }

    /// Which files are as a run of ours left them, whether or not their pieces are whole: those that look
    /// as they did at its end, and all if it had no end.
    pub(crate) fn ours(&self, spec: &Spec) -> Vec<bool> {
        let now = storage::stamps(spec);
        match self.load(spec.layout()) {
            Ok(Some(state)) if state.stamps.is_empty() => vec![true; now.len()],
            Ok(Some(state)) => {
                now.iter().zip(&state.stamps).map(|(now, then)| now == then).collect()
            }
            _ => vec![false; now.len()],
        }
    }

    /// Notes that a run begins that may write anything, with these pieces synced: if it has no end, what
    /// is in the files is [`ours`](Self::ours).
    pub(crate) fn begin(&self, trusted: &PieceSet) {
        save(&self.path, &self.encode(&State::now(trusted.clone(), Vec::new())));
    }

    /// The state that was saved last; `None` if there never was one.
    fn load(&self, layout: &Layout) -> Result<Option<State>, String> {
        let bytes = match fs::metadata(&self.path) {
            Ok(meta) if meta.len() > MAX_LEN => return Err("too long".into()),
            Ok(_) => {
                storage::read_regular(&self.path, MAX_LEN).map_err(|error| error.to_string())?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        self.decode(&bytes, layout).map(Some)
    }

    fn encode(&self, state: &State) -> Vec<u8> {
        let stamps: Vec<u8> = state.stamps.iter().copied().flat_map(stamp_to_bytes).collect();
        let mut bytes = bencode::encode_dict(|dict| {
            dict.bytes("info hash", self.info_hash.as_bytes());
            dict.int("pieces", i64::from(state.synced.len()));
            dict.bytes("root", self.root.as_os_str().as_bytes());
            dict.int("saved", i64::try_from(state.saved.as_secs()).unwrap_or(i64::MAX));
            dict.bytes("stamps", &stamps);
            dict.bytes("synced", state.synced.as_bytes());
            dict.int("version", VERSION);
        });
        let digest = piecehash::sha1(&[&bytes]);
        bytes.extend_from_slice(&digest);
        bytes
    }

    fn decode(&self, bytes: &[u8], layout: &Layout) -> Result<State, String> {
        let split = bytes.len().checked_sub(DIGEST_LEN).ok_or("too short")?;
        let (body, digest) = bytes.split_at_checked(split).ok_or("too short")?;
        if piecehash::sha1(&[body]) != digest {
            return Err("damaged".into());
        }
        let document = bencode::decode(body).map_err(|error| error.to_string())?;
        let root = document.root();
        let bytes_of = |key: &str| root.get(key).and_then(Value::as_bytes);
        let int_of = |key: &str| root.get(key).and_then(Value::as_int);
        if int_of("version") != Some(VERSION) {
            return Err("of another version".into());
        }
        let ours = bytes_of("info hash") == Some(self.info_hash.as_bytes())
            && bytes_of("root") == Some(self.root.as_os_str().as_bytes())
            && int_of("pieces") == Some(i64::from(layout.piece_count()));
        if !ours {
            return Err("of another torrent or folder".into());
        }
        let synced =
            PieceSet::from_wire(bytes_of("synced").ok_or("no pieces")?, layout.piece_count())
                .map_err(|error| error.to_string())?;
        let stamps = bytes_of("stamps").unwrap_or_default().chunks(STAMP_LEN);
        let stamps =
            stamps.map(stamp_from_bytes).collect::<Option<Vec<_>>>().ok_or("bad stamps")?;
        if !stamps.is_empty() && stamps.len() != layout.file_count() {
            return Err("stamps of other files".into());
        }
        let saved = int_of("saved").and_then(|secs| u64::try_from(secs).ok()).ok_or("no time")?;
        Ok(State { synced, stamps, saved: Duration::from_secs(saved) })
    }
}

/// What is left of `state` when each file is held against how it looks `now`. After a clean end every
/// file must look the same; after any other it must not have been changed later than that run can
/// have done itself.
fn believe(state: State, now: &[Option<FileStamp>], spec: &Spec) -> PieceSet {
    let State { mut synced, stamps, saved } = state;
    let layout = spec.layout();
    let latest = saved.saturating_add(SLACK);
    for (file, now) in now.iter().enumerate() {
        let on_disk = spec.files().get(file).is_some_and(|file| file.on_disk);
        let believed = match (stamps.get(file), now) {
            // Padding has nothing that could change. What is not selected is not looked at this time, so
            // neither is anything claimed of it, nor would it be read.
            _ if !on_disk => !spec.is_stored(file),
            // A file that was gone at the end and still is holds nothing.
            (_, None) => false,
            (Some(then), Some(now)) => *then == Some(*now),
            (None, Some(now)) => {
                let modified = u64::try_from(now.modified).unwrap_or(0);
                now.len == layout.file_len(file) && Duration::from_secs(modified) <= latest
            }
        };
        if !believed {
            for piece in layout.file_pieces(file).filter_map(|index| layout.piece(index)) {
                synced.remove(piece);
            }
        }
    }
    synced
}

/// A stamp in the file: whether there is one, length, seconds, nanoseconds, inode; big-endian.
const STAMP_LEN: usize = 29;

fn stamp_to_bytes(stamp: Option<FileStamp>) -> [u8; STAMP_LEN] {
    let mut bytes = [0; STAMP_LEN];
    if let Some(stamp) = stamp {
        bytes[0] = 1;
        bytes[1..9].copy_from_slice(&stamp.len.to_be_bytes());
        bytes[9..17].copy_from_slice(&stamp.modified.to_be_bytes());
        bytes[17..21].copy_from_slice(&stamp.modified_nanos.to_be_bytes());
        bytes[21..].copy_from_slice(&stamp.inode.to_be_bytes());
    }
    bytes
}

#[expect(
    clippy::option_option,
    reason = "whether it is a stamp, and whether of a file that was there"
)]
fn stamp_from_bytes(bytes: &[u8]) -> Option<Option<FileStamp>> {
    let (present, rest) = bytes.split_first()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (modified, rest) = rest.split_first_chunk()?;
    let (modified_nanos, rest) = rest.split_first_chunk()?;
    let inode = rest.try_into().ok()?;
    let stamp = FileStamp {
        len: u64::from_be_bytes(*len),
        modified: i64::from_be_bytes(*modified),
        modified_nanos: u32::from_be_bytes(*modified_nanos),
        inode: u64::from_be_bytes(inode),
    };
    Some((*present == 1).then_some(stamp))
}

/// Saves resume state on a thread of its own, since that waits for the disk.
pub(crate) struct Saver {
    jobs: Sender<Job>,
}

struct Job {
    what: What,
    then: Box<dyn FnOnce() + Send>,
}

enum What {
    State(Place, State),
    /// Bytes that are a file as they are.
    File(PathBuf, Vec<u8>),
}

impl Saver {
    /// Starts the thread; it ends with the saver, after what it was given.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, queue) = crossbeam_channel::unbounded::<Job>();
        thread::Builder::new().name("resume".into()).spawn(move || {
            for Job { what, then } in queue {
                let (path, bytes) = match what {
                    What::State(place, state) => (place.path.clone(), place.encode(&state)),
                    What::File(path, bytes) => (path, bytes),
                };
                save(&path, &bytes);
                then();
            }
        })?;
        Ok(Self { jobs })
    }

    /// Saves, then calls `then` on the saver's thread.
    pub(crate) fn save(&self, place: &Place, state: State, then: impl FnOnce() + Send + 'static) {
        self.send(Job { what: What::State(place.clone(), state), then: Box::new(then) });
    }

    /// Saves a file beside the resume state, then calls `then` on the saver's thread.
    pub(crate) fn keep(&self, path: PathBuf, bytes: Vec<u8>, then: impl FnOnce() + Send + 'static) {
        self.send(Job { what: What::File(path, bytes), then: Box::new(then) });
    }

    fn send(&self, job: Job) {
        // The thread ends only after `self`.
        let _ = self.jobs.send(job);
    }
}

/// Writes, or says that the next run will have to do without.
fn save(path: &Path, bytes: &[u8]) {
    if let Err(error) = write(path, bytes) {
        let why = storage::explain(&error);
        log::warn!("{}: cannot save this for the next start: {why}", path.display());
    }
}

/// Replaces the file at `path` so that after a power cut it is the old one or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    storage::with_descriptors(|| write_once(path, bytes))
}

fn write_once(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    remove(&new)?;
    let write = || {
        // What is made here was not there: neither a link is followed nor a FIFO waited for.
        let mut file = File::create_new(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    if let Err(error) = write() {
        remove(&new)?;
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

/// Removes what is at the path, if anything is.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
