//! Resume state: which pieces are known to be whole and synced on disk, so that the next run need
//! not hash them. Never claims what is not synced, and never believes what the files contradict.
//!
//! A piece is claimed together with how its files looked from before it was hashed until it was claimed:
//! device, inode, length and time of change, all by the file system's own account. No clock of ours
//! counts. A file that looks different has to be hashed again, whatever changed it: after a run that was
//! killed that is each file that it wrote to since the last save.
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

use bencode::Value;
use crossbeam_channel::Sender;
use metainfo::{InfoHash, Layout, PieceSet};
use storage::{FileStamp, FileSystem, Spec, Writer};

/// Raised whenever the meaning of the file changes; an older one is ignored.
const VERSION: i64 = 3;

/// SHA-1 at the end of the file.
const DIGEST_LEN: usize = 20;

/// The longest resume file that is read: the bitfield of the largest torrent is 256 KiB, the stamps
/// of a million files 56 MiB.
const MAX_LEN: u64 = 128 << 20;

/// What is saved.
#[derive(Clone)]
pub(crate) struct State {
    /// Pieces that are whole and synced.
    pub(crate) synced: PieceSet,
    /// For each file how it looked while that was so; `None` for one that was not there, or of which
    /// nothing is claimed.
    pub(crate) stamps: Vec<Option<FileStamp>>,
    /// For each file whether a run of ours made it or wrote to it.
    pub(crate) ours: Vec<bool>,
    /// Whether the run came to its end, so that it wrote nothing afterwards.
    pub(crate) ended: bool,
}

/// Where the resume state of one torrent in one target folder lives.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    info_hash: InfoHash,
    root: PathBuf,
}

impl State {
    /// Of a torrent of which nothing is known.
    pub(crate) fn nothing(layout: &Layout) -> Self {
        let synced = PieceSet::new_empty(layout.piece_count());
        let (stamps, ours) = (vec![None; layout.file_count()], vec![false; layout.file_count()]);
        Self { synced, stamps, ours, ended: true }
    }

    /// The pieces that need no hashing where the files look like this `now`: those that were synced, in
    /// files that look as they did then.
    pub(crate) fn trusted(&self, now: &[Option<FileStamp>], spec: &Spec) -> PieceSet {
        let layout = spec.layout();
        let mut trusted = self.synced.clone();
        for (file, (then, now)) in self.stamps.iter().zip(now).enumerate() {
            let on_disk = spec.files().get(file).is_some_and(|file| file.on_disk);
            let believed = if on_disk {
                // A file that was gone at the end and still is holds nothing.
                then.is_some() && then == now
            } else {
                // Padding has nothing that could change. What is not selected is not looked at this time,
                // so neither is anything claimed of it, nor would it be read.
                !spec.is_stored(file)
            };
            if !believed {
                for piece in layout.file_pieces(file).filter_map(|index| layout.piece(index)) {
                    trusted.remove(piece);
                }
            }
        }
        trusted
    }

    /// Which files hold what a run of ours wrote, whether or not their pieces are whole, where they look
    /// like this `now`.
    pub(crate) fn ours(&self, now: &[Option<FileStamp>]) -> Vec<Writer> {
        let whose = |((then, ours), now): ((&Option<FileStamp>, &bool), &Option<FileStamp>)| {
            let (Some(then), Some(now), true) = (then, now, *ours) else { return Writer::Unknown };
            if then == now {
                Writer::Ours
            } else if !self.ended && then.is_same_file(*now) {
                Writer::Perhaps
            } else {
                Writer::Unknown
            }
        };
        self.stamps.iter().zip(&self.ours).zip(now).map(whose).collect()
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

    /// The state that was saved last; nothing where it can't be read or is of something else.
    pub(crate) fn load(&self, layout: &Layout) -> State {
        match self.read(layout) {
            Ok(Some(state)) => state,
            Ok(None) => State::nothing(layout),
            Err(error) => {
                log::info!("{}: {error}; checking all files", self.path.display());
                State::nothing(layout)
            }
        }
    }

    /// Takes back what `state` claims beyond the `trusted` pieces, before any file is made or changed.
    /// A claim that no file fits today might fit one that is made anew and whose bytes a power cut takes.
    pub(crate) fn withdraw(&self, state: &State, trusted: &PieceSet) {
        if state.synced.iter().any(|piece| !trusted.contains(piece)) {
            self.save(&State { synced: trusted.clone(), ..state.clone() });
        }
    }

    /// Notes that a run begins that may write to any of the files, which look like this, with these
    /// pieces synced.
    pub(crate) fn begin(
        &self,
        trusted: &PieceSet,
        stamps: Vec<Option<FileStamp>>,
        ours: Vec<bool>,
    ) {
        self.save(&State { synced: trusted.clone(), stamps, ours, ended: false });
    }

    fn save(&self, state: &State) {
        save(&self.path, &self.encode(state, FileSystem::of(&self.root)));
    }

    /// The state that was saved last; `None` if there never was one.
    fn read(&self, layout: &Layout) -> Result<Option<State>, String> {
        let bytes = match fs::metadata(&self.path) {
            Ok(meta) if meta.len() > MAX_LEN => return Err("too long".into()),
            Ok(_) => {
                storage::read_regular(&self.path, MAX_LEN).map_err(|error| error.to_string())?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        self.decode(&bytes, layout, FileSystem::of(&self.root)).map(Some)
    }

    fn encode(&self, state: &State, fs: Option<FileSystem>) -> Vec<u8> {
        let files = state.stamps.iter().copied().zip(state.ours.iter().copied());
        let stamps: Vec<u8> =
            files.flat_map(|(stamp, ours)| stamp_to_bytes(stamp, ours, fs)).collect();
        let mut bytes = bencode::encode_dict(|dict| {
            dict.int("ended", i64::from(state.ended));
            dict.bytes("file system", fs.map_or(0, |fs| fs.id).to_be_bytes());
            dict.bytes("info hash", self.info_hash.as_bytes());
            dict.int("pieces", i64::from(state.synced.len()));
            dict.bytes("root", self.root.as_os_str().as_bytes());
            dict.bytes("stamps", &stamps);
            dict.bytes("synced", state.synced.as_bytes());
            dict.int("version", VERSION);
        });
        let digest = piecehash::sha1(&[&bytes]);
        bytes.extend_from_slice(&digest);
        bytes
    }

    fn decode(
        &self,
        bytes: &[u8],
        layout: &Layout,
        fs: Option<FileSystem>,
    ) -> Result<State, String> {
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
        // Files on the file system of then have the number that it has now.
        let same = bytes_of("file system")
            .zip(fs)
            .is_some_and(|(then, now)| now.id != 0 && then == now.id.to_be_bytes());
        let device = fs.filter(|_| same).map(|fs| fs.device);
        let stamps = bytes_of("stamps").unwrap_or_default().chunks(STAMP_LEN);
        let stamps = stamps.map(|stamp| stamp_from_bytes(stamp, device));
        let stamps = stamps.collect::<Option<Vec<_>>>().ok_or("bad stamps")?;
        let (stamps, ours): (Vec<_>, Vec<_>) = stamps.into_iter().unzip();
        if stamps.len() != layout.file_count() {
            return Err("stamps of other files".into());
        }
        Ok(State { synced, stamps, ours, ended: int_of("ended") == Some(1) })
    }
}

/// A stamp in the file: 0 for none, 1 for one, 2 for one of a file that a run of ours wrote to; device, inode,
/// when it was made, length, seconds and nanoseconds of its change, of its last write; big-endian. Device 0 is
/// the torrent's file system, whatever number it has today.
const STAMP_LEN: usize = 57;

fn stamp_to_bytes(stamp: Option<FileStamp>, ours: bool, fs: Option<FileSystem>) -> [u8; STAMP_LEN] {
    let mut bytes = [0; STAMP_LEN];
    if let Some(stamp) = stamp {
        let named = fs.is_some_and(|fs| fs.id != 0 && fs.device == stamp.device);
        let device = if named { 0 } else { stamp.device };
        bytes[0] = if ours { 2 } else { 1 };
        bytes[1..9].copy_from_slice(&device.to_be_bytes());
        bytes[9..17].copy_from_slice(&stamp.inode.to_be_bytes());
        bytes[17..25].copy_from_slice(&stamp.born.to_be_bytes());
        bytes[25..33].copy_from_slice(&stamp.len.to_be_bytes());
        bytes[33..41].copy_from_slice(&stamp.changed.to_be_bytes());
        bytes[41..45].copy_from_slice(&stamp.changed_nanos.to_be_bytes());
        bytes[45..53].copy_from_slice(&stamp.modified.to_be_bytes());
        bytes[53..].copy_from_slice(&stamp.modified_nanos.to_be_bytes());
    }
    bytes
}

/// `None` for what is no stamp; else that of a file that had one, and whether a run of ours wrote to it.
fn stamp_from_bytes(bytes: &[u8], device: Option<u64>) -> Option<(Option<FileStamp>, bool)> {
    let (present, rest) = bytes.split_first()?;
    let (saved, rest) = rest.split_first_chunk()?;
    let (inode, rest) = rest.split_first_chunk()?;
    let (born, rest) = rest.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (changed, rest) = rest.split_first_chunk()?;
    let (changed_nanos, rest) = rest.split_first_chunk()?;
    let (modified, rest) = rest.split_first_chunk()?;
    let modified_nanos = u32::from_be_bytes(rest.try_into().ok()?);
    let device = match u64::from_be_bytes(*saved) {
        0 => device,
        saved => Some(saved),
    };
    let Some(device) = device.filter(|_| matches!(*present, 1 | 2)) else {
        return Some((None, false));
    };
    let stamp = FileStamp {
        device,
        inode: u64::from_be_bytes(*inode),
        born: u64::from_be_bytes(*born),
        len: u64::from_be_bytes(*len),
        changed: i64::from_be_bytes(*changed),
        changed_nanos: u32::from_be_bytes(*changed_nanos),
        modified: i64::from_be_bytes(*modified),
        modified_nanos,
    };
    Some((Some(stamp), *present == 2))
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
                match what {
                    What::State(place, state) => place.save(&state),
                    What::File(path, bytes) => save(&path, &bytes),
                }
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
