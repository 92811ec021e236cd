//! Torrents made from a seed: their files, their hashes and their `.torrent`, all in memory.
//!
//! Owns the making and the checking of test data. Never reads a `.torrent`.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// One file of a [`Torrent`].
#[derive(Clone, Debug)]
pub struct File {
    /// The components below the torrent's name; empty in the single-file form.
    pub path: Vec<String>,
    /// Length in bytes.
    pub len: u64,
    /// A padding file (BEP 47): zeros that nobody writes to disk.
    pub padding: bool,
    /// A symbolic link (BEP 47) to this, with `/` between components.
    pub link: Option<String>,
}

/// Padding of this name is not zeros.
const FALSE_PADDING: &str = ".pad false";

/// What a torrent shall hold; [`Builder::build`] makes its bytes.
#[derive(Clone, Debug)]
pub struct Builder {
    name: String,
    files: Vec<File>,
    piece_length: u32,
    seed: u64,
    private: bool,
}

impl Builder {
    /// A multi-file torrent without files yet, in pieces of 32 KiB.
    pub fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, files: Vec::new(), piece_length: 32 * 1024, seed: 1, private: false }
    }

    /// The single-file form: the torrent's name is the file's name.
    pub fn single(name: &str, len: u64) -> Self {
        let mut builder = Self::new(name);
        builder.files.push(File { path: Vec::new(), len, padding: false, link: None });
        builder
    }

    /// A multi-file torrent of `total` bytes with what trips programs up: empty files at the start,
    /// in the middle and at the end, a file of one byte, odd lengths, sub-folders, names with spaces
    /// and beyond ASCII, many files inside one piece, and one file that holds most of the bytes.
    pub fn varied(name: &str, total: u64) -> Self {
        let mut builder = Self::new(name).file("0 empty first", 0).file("one byte", 1);
        for i in 0..20_u64 {
            builder = builder.file(&format!("small/{i:02}.txt"), 37 * i + 1);
        }
        builder = builder.file("deep/er/est/empty in the middle", 0);
        builder = builder.file("deep/er/prime.bin", 65_537).file("süß/日本 語.bin", total / 10);
        let rest = total.saturating_sub(builder.files.iter().map(|f| f.len).sum());
        builder.file("the rest.iso", rest).file("zz empty last", 0)
    }

    /// Adds a file; `path` is relative to the torrent's name, with `/` between components.
    pub fn file(mut self, path: &str, len: u64) -> Self {
        let path = path.split('/').map(str::to_owned).collect();
        self.files.push(File { path, len, padding: false, link: None });
        self
    }

    /// Adds a symbolic link (BEP 47); both paths are relative to the torrent's name.
    pub fn link(mut self, path: &str, target: &str) -> Self {
        let path = path.split('/').map(str::to_owned).collect();
        let link = Some(target.to_owned());
        self.files.push(File { path, len: 0, padding: false, link });
        self
    }

    /// Adds a padding file (BEP 47) that fills up to the next piece.
    pub fn padding(self) -> Self {
        let total: u64 = self.files.iter().map(|f| f.len).sum();
        let piece = u64::from(self.piece_length);
        self.padding_of(total.next_multiple_of(piece) - total)
    }

    /// Adds a padding file (BEP 47) of any length.
    pub fn padding_of(mut self, len: u64) -> Self {
        self.files.push(File {
            path: vec![".pad".into(), len.to_string()],
            len,
            padding: true,
            link: None,
        });
        self
    }

    /// Adds a padding file that is not zeros by the torrent's hashes: one that can never be right.
    pub fn false_padding(mut self, len: u64) -> Self {
        self.files.push(File { path: vec![FALSE_PADDING.into()], len, padding: true, link: None });
        self
    }

    /// Bytes in a piece.
    pub fn piece_length(mut self, bytes: u32) -> Self {
        self.piece_length = bytes;
        self
    }

    /// Another seed, other bytes in the files.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Marks the torrent private (BEP 27).
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// Makes the bytes and hashes them.
    pub fn build(self) -> Torrent {
        let mut data = Vec::new();
        for (number, file) in (0_u64..).zip(&self.files) {
            let start = data.len();
            data.resize(start + usize::try_from(file.len).unwrap_or(usize::MAX), 0);
            if !file.padding || file.path.iter().eq([FALSE_PADDING]) {
                fastrand::Rng::with_seed(self.seed << 20 | number).fill(&mut data[start..]);
            }
        }
        let mut pieces = Vec::new();
        for piece in data.chunks(self.piece_length as usize) {
            pieces.extend(sha1_smol::Sha1::from(piece).digest().bytes());
        }
        let info = info(&self, &pieces);
        let info_hash = sha1_smol::Sha1::from(&info).digest().bytes();
        let Self { name, files, piece_length, .. } = self;
        Torrent { name, files, piece_length, data, info, info_hash }
    }
}

/// A torrent with all its bytes.
#[derive(Clone, Debug)]
pub struct Torrent {
    name: String,
    files: Vec<File>,
    piece_length: u32,
    data: Vec<u8>,
    info: Vec<u8>,
    info_hash: [u8; 20],
}

impl Torrent {
    /// The torrent's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files, in the order of the torrent.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// SHA-1 of the `info` dictionary.
    pub fn info_hash(&self) -> [u8; 20] {
        self.info_hash
    }

    /// The info-hash in lower hex.
    pub fn info_hash_hex(&self) -> String {
        sha1_smol::Sha1::from(&self.info).digest().to_string()
    }

    /// The bytes of all files, one after the other, padding included.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Bytes of all files but padding.
    pub fn content_len(&self) -> u64 {
        self.files.iter().filter(|file| !file.padding).map(|file| file.len).sum()
    }

    /// Bytes of all files, padding included.
    pub fn len(&self) -> u64 {
        self.data.len() as u64
    }

    /// Whether there is not a byte in it.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// How many pieces.
    pub fn piece_count(&self) -> u32 {
        u32::try_from(self.data.len().div_ceil(self.piece_length as usize)).unwrap_or(u32::MAX)
    }

    /// Bytes in every piece but the last.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// The bytes of a piece. Panics if there is no such piece.
    pub fn piece(&self, piece: u32) -> &[u8] {
        let start = piece as usize * self.piece_length as usize;
        let end = self.data.len().min(start + self.piece_length as usize);
        &self.data[start..end]
    }

    /// `len` bytes at `offset` in a piece; `None` if it is not in the torrent.
    pub fn block(&self, piece: u32, offset: u32, len: u32) -> Option<&[u8]> {
        if piece >= self.piece_count() {
            return None;
        }
        self.piece(piece).get(offset as usize..)?.get(..len as usize)
    }

    /// A `bitfield` payload with every piece set.
    pub fn full_bitfield(&self) -> Vec<u8> {
        let count = self.piece_count() as usize;
        let mut bits = vec![0_u8; count.div_ceil(8)];
        for piece in 0..count {
            bits[piece / 8] |= 0x80 >> (piece % 8);
        }
        bits
    }

    /// The `info` dictionary: what is exchanged as metadata (BEP 9).
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// A magnet URI with these trackers and peers.
    #[expect(clippy::format_push_string, reason = "a test makes few of them")]
    pub fn magnet(&self, trackers: &[&str], peers: &[SocketAddr]) -> String {
        let mut uri = format!("magnet:?xt=urn:btih:{}", self.info_hash_hex());
        for tracker in trackers {
            uri.push_str("&tr=");
            for byte in tracker.bytes() {
                if byte.is_ascii_alphanumeric() {
                    uri.push(char::from(byte));
                } else {
                    uri += &format!("%{byte:02X}");
                }
            }
        }
        for peer in peers {
            uri += &format!("&x.pe={peer}");
        }
        uri
    }

    /// The `.torrent`: no tracker, one in `announce`, or several as tiers of one (BEP 12).
    pub fn metainfo(&self, trackers: &[&str]) -> Vec<u8> {
        let mut out = b"d".to_vec();
        if let Some(first) = trackers.first() {
            text(&mut out, "announce");
            text(&mut out, first);
        }
        if trackers.len() > 1 {
            text(&mut out, "announce-list");
            out.push(b'l');
            for tracker in trackers {
                out.push(b'l');
                text(&mut out, tracker);
                out.push(b'e');
            }
            out.push(b'e');
        }
        text(&mut out, "info");
        out.extend(&self.info);
        out.push(b'e');
        out
    }

    /// Writes the `.torrent` into `dir` and returns its path.
    pub fn save(&self, dir: &Path, trackers: &[&str]) -> Result<PathBuf> {
        let path = dir.join(format!("{}.torrent", self.name));
        fs::write(&path, self.metainfo(trackers)).map_err(|e| at(&path, &e))?;
        Ok(path)
    }

    /// Where a file lies when the torrent is in `dir`.
    pub fn path_in(&self, dir: &Path, file: &File) -> PathBuf {
        file.path.iter().fold(dir.join(&self.name), |path, part| path.join(part))
    }

    /// Writes all files (without padding) below `dir`.
    pub fn write_files(&self, dir: &Path) -> Result<()> {
        for (file, bytes) in self.contents() {
            let path = self.path_in(dir, file);
            let parent = path.parent().unwrap_or(dir);
            fs::create_dir_all(parent).map_err(|e| at(parent, &e))?;
            fs::write(&path, bytes).map_err(|e| at(&path, &e))?;
        }
        Ok(())
    }

    /// The files below `dir` hold these bytes and nothing else; otherwise an error that names the
    /// first file that does not.
    pub fn compare(&self, dir: &Path) -> Result<()> {
        self.compare_where(dir, |_| true)
    }

    /// [`compare`](Self::compare) of the files that `wanted` picks.
    pub fn compare_where(&self, dir: &Path, wanted: impl Fn(&File) -> bool) -> Result<()> {
        for (file, bytes) in self.contents().filter(|(file, _)| wanted(file)) {
            let path = self.path_in(dir, file);
            let found = fs::metadata(&path).map_err(|e| at(&path, &e))?.len();
            if found != file.len {
                return Err(format!("{}: {found} bytes, not {}", path.display(), file.len).into());
            }
            if fs::read(&path).map_err(|e| at(&path, &e))? != bytes {
                return Err(format!("{}: other bytes than the original's", path.display()).into());
            }
        }
        Ok(())
    }

    /// Every file but padding and links, with its bytes.
    fn contents(&self) -> impl Iterator<Item = (&File, &[u8])> {
        let mut rest = &self.data[..];
        let with_bytes = self.files.iter().map(move |file| {
            let (bytes, after) = rest.split_at(usize::try_from(file.len).unwrap_or(usize::MAX));
            rest = after;
            (file, bytes)
        });
        with_bytes.filter(|(file, _)| !file.padding && file.link.is_none())
    }
}

fn at(path: &Path, error: &io::Error) -> Error {
    format!("{}: {error}", path.display()).into()
}

/// The `info` dictionary, keys sorted as BEP 3 wants them.
fn info(torrent: &Builder, pieces: &[u8]) -> Vec<u8> {
    let mut out = b"d".to_vec();
    match &torrent.files[..] {
        [only] if only.path.is_empty() => {
            text(&mut out, "length");
            number(&mut out, only.len);
        }
        files => {
            text(&mut out, "files");
            out.push(b'l');
            for file in files {
                out.push(b'd');
                if file.padding || file.link.is_some() {
                    text(&mut out, "attr");
                    text(&mut out, if file.padding { "p" } else { "l" });
                }
                text(&mut out, "length");
                number(&mut out, file.len);
                text(&mut out, "path");
                out.push(b'l');
                file.path.iter().for_each(|part| text(&mut out, part));
                out.push(b'e');
                if let Some(target) = &file.link {
                    text(&mut out, "symlink path");
                    out.push(b'l');
                    target.split('/').for_each(|part| text(&mut out, part));
                    out.push(b'e');
                }
                out.push(b'e');
            }
            out.push(b'e');
        }
    }
    text(&mut out, "name");
    text(&mut out, &torrent.name);
    text(&mut out, "piece length");
    number(&mut out, u64::from(torrent.piece_length));
    text(&mut out, "pieces");
    string(&mut out, pieces);
    if torrent.private {
        text(&mut out, "private");
        number(&mut out, 1);
    }
    out.push(b'e');
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    string(out, text.as_bytes());
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(format!("{}:", bytes.len()).bytes());
    out.extend(bytes);
}

fn number(out: &mut Vec<u8>, number: u64) {
    out.extend(format!("i{number}e").bytes());
}
