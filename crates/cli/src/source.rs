//! Reading what the user named: a torrent file, its URL, stdin, a magnet URI or an info-hash, with an
//! exit code for each way that can fail. Never keeps what it read.

mod content;
mod gzip;

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use metainfo::{ErrorKind, MAX_TORRENT_LEN, Magnet, Metainfo};

use crate::exit::{Code, Failure};
use crate::{dash, fetch, text};

/// So many digits too few or too many are a slip in an info-hash.
const MISTYPED: usize = 2;

/// What names a torrent.
pub(crate) enum Source {
    Torrent(Box<Metainfo>),
    Magnet(Box<Magnet>),
}

/// What to call a magnet as long as its torrent is not known.
pub(crate) fn magnet_name(magnet: &Magnet) -> String {
    let v2 = || magnet.info_hash_v2.map(|hash| hash.to_string()).unwrap_or_default();
    let hash = || magnet.info_hash.map_or_else(v2, |hash| hash.to_string());
    magnet.name.clone().unwrap_or_else(hash)
}

/// A magnet URI, an info-hash, or what is in a file, behind a URL or on stdin (`-`): a torrent, or a
/// magnet URI as text.
pub(crate) fn any(source: &Path) -> Result<Source, Failure> {
    if let Some(uri) = magnet_uri(source) {
        return magnet(&uri).map(|magnet| Source::Magnet(Box::new(magnet)));
    }
    let file = torrent_bytes(source)?;
    match magnet_in(source, &file.bytes)? {
        Some(magnet) => Ok(Source::Magnet(Box::new(magnet))),
        None => parse(source, &file.bytes).map(|torrent| Source::Torrent(Box::new(torrent))),
    }
}

/// The argument, if it is a magnet URI, or an info-hash and not the name of a file.
pub(crate) fn magnet_uri(source: &Path) -> Option<Cow<'_, str>> {
    let text = source.to_string_lossy();
    let is_one = content::begins_as_magnet(&text)
        || (Magnet::of_bare_hash(&text).is_some() && !source.exists());
    is_one.then_some(text)
}

/// Whether the argument is a magnet URI, or may lead to one: a file that holds one does, and of what is
/// behind a URL or on stdin it is not known yet.
pub(crate) fn may_be_magnet(source: &Path) -> bool {
    let holds_one = || {
        let mut start = Vec::new();
        let file = storage::open_regular(source);
        let read = file.and_then(|file| file.take(1 << 10).read_to_end(&mut start));
        read.is_ok() && content::magnet(&start).is_some()
    };
    dash::is(source)
        || magnet_uri(source).is_some()
        || source.to_str().is_some_and(fetch::is_url)
        || (source.is_file() && holds_one())
}

/// The parts of a magnet URI that is an argument, or the text of a file or of stdin (`-`).
pub(crate) fn only_magnet(source: &Path) -> Result<Magnet, Failure> {
    let is_read = dash::is(source) || (magnet_uri(source).is_none() && source.exists());
    if !is_read {
        if let Some(uri) = magnet_uri(source) {
            return magnet(&uri);
        }
        check_hash(source, Code::BadMagnet)?;
        let shown = text::path(source);
        let message = format!(
            "{shown}: neither a magnet URI, nor an info-hash of 40 or 64 hex digits, nor a file"
        );
        return Err(Failure::new(Code::BadMagnet, message));
    }
    magnet_in(source, &torrent_bytes(source)?.bytes)?.ok_or_else(|| {
        let message = format!("{}: holds no magnet URI", dash::input(source));
        Failure::new(Code::BadMagnet, message)
    })
}

/// Refuses what is an info-hash but for a digit too few or too many, and no file.
fn check_hash(source: &Path, code: Code) -> Result<(), Failure> {
    let digits = source.as_os_str().len();
    let near = [40, 64].iter().any(|right: &usize| right.abs_diff(digits) <= MISTYPED);
    let text = source.to_string_lossy();
    if near && text.bytes().all(|b| b.is_ascii_hexdigit()) && !source.exists() {
        let message =
            format!("{text}: {digits} hex digits; an info-hash has 40, of version 2 it has 64");
        return Err(Failure::new(code, message));
    }
    Ok(())
}

/// What to say of a path that is not there and looks like a URL without its scheme.
fn url_hint(path: &Path) -> Option<&'static str> {
    let text = path.to_str().filter(|_| !path.exists())?;
    let (host, _) = text.split_once('/')?;
    let (name, domain) = host.rsplit_once('.')?;
    let is_host = !name.is_empty()
        && domain.len() > 1
        && domain.bytes().all(|b| b.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        && name.bytes().any(|b| b != b'.')
        && !Path::new(host).exists();
    is_host.then_some("; a URL begins with http:// or https://")
}

/// The magnet URI that is the text of a file; `None` if it is something else.
fn magnet_in(path: &Path, bytes: &[u8]) -> Result<Option<Magnet>, Failure> {
    let Some(text) = content::magnet(bytes) else { return Ok(None) };
    if text.trim().lines().nth(1).is_some() {
        let shown = dash::input(path);
        let message =
            format!("{shown}: several lines, where one magnet URI is needed; name each of them");
        return Err(Failure::new(Code::BadMagnet, message));
    }
    magnet(&text).map(Some)
}

/// The magnet URI's parts; what of it was left out is told.
fn magnet(uri: &str) -> Result<Magnet, Failure> {
    let magnet =
        Magnet::parse(uri).map_err(|error| Failure::new(Code::BadMagnet, error.to_string()))?;
    for warning in &magnet.warnings {
        log::warn!("{warning}");
    }
    Ok(magnet)
}

/// The torrent in the file at `path`, behind a URL, or on stdin (`-`).
pub(crate) fn torrent(path: &Path) -> Result<Metainfo, Failure> {
    parse(path, &torrent_bytes(path)?.bytes)
}

/// The torrent that `bytes`, read from `path`, are.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Metainfo, Failure> {
    let shown = dash::input(path);
    let torrent = Metainfo::from_bytes(bytes).map_err(|error| {
        // What it is says more than where bencode ends in it.
        match content::described(bytes).filter(|_| error.kind() == ErrorKind::Bencode) {
            Some(what) => Failure::new(Code::BadBencode, format!("{shown}: {what}")),
            None if error.kind() == ErrorKind::Bencode => {
                let message = format!("{shown}: not a torrent, or cut off: {error}");
                Failure::new(Code::BadBencode, message)
            }
            None => Failure::new(code(&error), format!("{shown}: {error}")),
        }
    })?;
    for warning in torrent.warnings() {
        log::warn!("{shown}: {warning}");
    }
    Ok(torrent)
}

/// What a torrent file holds.
pub(crate) struct TorrentFile {
    /// Its bytes, unpacked.
    pub(crate) bytes: Vec<u8>,
    /// Whether they are compressed in the file.
    pub(crate) compressed: bool,
}

/// The bytes of a torrent file, as far as one can be long; what gzip compressed is unpacked.
pub(crate) fn torrent_bytes(path: &Path) -> Result<TorrentFile, Failure> {
    if magnet_uri(path).is_some() {
        let message = "a torrent file is needed, not a magnet URI; pieces-cli magnet resolve gets its torrent";
        return Err(Failure::new(Code::BadTorrent, message));
    }
    check_hash(path, Code::NotFound)?;
    let shown = dash::input(path);
    if !dash::is(path) && path.is_dir() {
        let message = format!(
            "{shown}: a directory, not a torrent; pieces-cli create makes a torrent of what is in it"
        );
        return Err(Failure::new(Code::Io, message));
    }
    if let Some(scheme) = fetch::other_scheme(path) {
        let message = format!(
            "{}: a URL of {scheme}, which is not fetched; a torrent can be behind http or https",
            text::url(&path.to_string_lossy())
        );
        return Err(Failure::new(Code::BadOption, message));
    }
    let limit = text::bytes(u64::try_from(MAX_TORRENT_LEN).unwrap_or(u64::MAX));
    let too_long = |what: &str| {
        Failure::new(Code::BadTorrent, format!("{shown}: {what} {limit}, so not a torrent"))
    };
    let read = read(path, MAX_TORRENT_LEN)?.ok_or_else(|| too_long("longer than"))?;
    if !gzip::is(&read) {
        return Ok(TorrentFile { bytes: read, compressed: false });
    }
    let unpacked = gzip::unpack(&read, MAX_TORRENT_LEN).map_err(|error| {
        let message = format!("{shown}: compressed with gzip and damaged: {error}");
        Failure::new(Code::BadBencode, message)
    })?;
    let bytes =
        unpacked.ok_or_else(|| too_long("compressed with gzip, and unpacked longer than"))?;
    Ok(TorrentFile { bytes, compressed: true })
}

/// The bytes of a file, of what a URL answers, or of stdin (`-`); `None` if there are more than
/// `limit`.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
    let failed = |error| Failure::io("read it", path, &error);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if dash::is(path) || is_stdin(path) {
        io::stdin().take(most).read_to_end(&mut bytes).map_err(failed)?;
    } else if let Some(url) = path.to_str().filter(|text| fetch::is_url(text)) {
        bytes = fetch::get(url, most)?;
    } else {
        open(path)?.take(most).read_to_end(&mut bytes).map_err(failed)?;
    }
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// Whether it is another name of stdin. What is there is read as it was opened: a FIFO that is opened once
/// more may wait for ever.
fn is_stdin(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|stdin| path == Path::new(stdin))
}

/// Opens a file. What is none is not waited for, but for what the shell opened before
/// (`<(...)`).
fn open(path: &Path) -> Result<File, Failure> {
    let inherited = path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd");
    let opened = if inherited {
        storage::with_descriptors(|| File::open(path))
    } else {
        storage::open_regular(path)
    };
    opened.map_err(|error| {
        if error.kind() == io::ErrorKind::InvalidInput {
            let message = format!("{}: not a regular file; \"-\" reads stdin", text::path(path));
            return Failure::new(Code::Io, message);
        }
        let failure = Failure::io("read it", path, &error);
        let hint = url_hint(path).unwrap_or_default();
        Failure::new(failure.code(), format!("{failure}{hint}"))
    })
}

/// The exit code of a torrent that was refused.
pub(crate) fn code(error: &metainfo::Error) -> Code {
    match error.kind() {
        ErrorKind::Bencode => Code::BadBencode,
        ErrorKind::Magnet => Code::BadMagnet,
        _ => Code::BadTorrent,
    }
}
