//! Each parser as its documentation would have it used for a torrent's file list, borrowing where it
//! can. Never keeps anything of what it read.

use bendy::decoding::{Decoder, DictDecoder, Object};
use serde::Deserialize;
use serde_bytes::{ByteBuf, Bytes};

use crate::Sum;

pub(crate) fn ours(bytes: &[u8]) -> Option<Sum> {
    let document = bencode::decode(bytes).ok()?;
    let info = document.root().get("info")?;
    let mut sum = Sum::default();
    match info.get("files") {
        Some(files) => {
            for file in files.list()? {
                let parts = file.get("path")?.list()?;
                let path = parts.map(|part| part.as_bytes().map_or(0, <[u8]>::len)).sum();
                sum.add(u64::try_from(file.get("length")?.as_int()?).ok()?, path);
            }
        }
        None => {
            let length = u64::try_from(info.get("length")?.as_int()?).ok()?;
            sum.add(length, info.get("name")?.as_bytes()?.len());
        }
    }
    Some(sum)
}

#[derive(Deserialize)]
struct Torrent<'a> {
    #[serde(borrow)]
    info: Info<'a>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    name: &'a Bytes,
    length: Option<u64>,
    #[serde(borrow)]
    files: Option<Vec<File<'a>>>,
    #[serde(borrow)]
    #[allow(dead_code, reason = "a torrent without it is none")]
    pieces: &'a Bytes,
}

#[derive(Deserialize)]
struct File<'a> {
    length: u64,
    #[serde(borrow)]
    path: Vec<&'a Bytes>,
}

fn add_up(torrent: &Torrent<'_>) -> Sum {
    let mut sum = Sum::default();
    for file in torrent.info.files.iter().flatten() {
        sum.add(file.length, file.path.iter().map(|part| part.len()).sum());
    }
    if let Some(length) = torrent.info.length {
        sum.add(length, torrent.info.name.len());
    }
    sum
}

pub(crate) fn bt_bencode(bytes: &[u8]) -> Option<Sum> {
    bt_bencode::from_slice(bytes).ok().as_ref().map(add_up)
}

pub(crate) fn librqbit(bytes: &[u8]) -> Option<Sum> {
    librqbit_bencode::from_bytes(bytes).ok().as_ref().map(add_up)
}

#[derive(Deserialize)]
struct OwnedTorrent {
    info: OwnedInfo,
}

#[derive(Deserialize)]
struct OwnedInfo {
    name: ByteBuf,
    length: Option<u64>,
    files: Option<Vec<OwnedFile>>,
    #[allow(dead_code, reason = "a torrent without it is none")]
    pieces: ByteBuf,
}

#[derive(Deserialize)]
struct OwnedFile {
    length: u64,
    path: Vec<ByteBuf>,
}

/// It does not borrow.
pub(crate) fn serde_bencode(bytes: &[u8]) -> Option<Sum> {
    let torrent: OwnedTorrent = serde_bencode::from_bytes(bytes).ok()?;
    let mut sum = Sum::default();
    for file in torrent.info.files.iter().flatten() {
        sum.add(file.length, file.path.iter().map(|part| part.len()).sum());
    }
    if let Some(length) = torrent.info.length {
        sum.add(length, torrent.info.name.len());
    }
    Some(sum)
}

pub(crate) fn bendy(bytes: &[u8]) -> Option<Sum> {
    let mut decoder = Decoder::new(bytes);
    let mut root = dictionary(decoder.next_object().ok()??)?;
    let mut sum = Sum::default();
    while let Some((key, value)) = root.next_pair().ok()? {
        if key == b"info" {
            read_info(dictionary(value)?, &mut sum)?;
        }
    }
    Some(sum)
}

fn read_info(mut info: DictDecoder<'_, '_>, sum: &mut Sum) -> Option<()> {
    let (mut length, mut name) = (None, 0);
    while let Some((key, value)) = info.next_pair().ok()? {
        match (key, value) {
            (b"files", Object::List(mut files)) => {
                while let Some(file) = files.next_object().ok()? {
                    read_file(dictionary(file)?, sum)?;
                }
            }
            (b"length", Object::Integer(digits)) => length = digits.parse().ok(),
            (b"name", Object::Bytes(bytes)) => name = bytes.len(),
            _ => {}
        }
    }
    if let Some(length) = length {
        sum.add(length, name);
    }
    Some(())
}

fn read_file(mut file: DictDecoder<'_, '_>, sum: &mut Sum) -> Option<()> {
    let (mut length, mut path) = (None, 0);
    while let Some((key, value)) = file.next_pair().ok()? {
        match (key, value) {
            (b"length", Object::Integer(digits)) => length = digits.parse().ok(),
            (b"path", Object::List(mut parts)) => {
                while let Some(Object::Bytes(part)) = parts.next_object().ok()? {
                    path += part.len();
                }
            }
            _ => {}
        }
    }
    sum.add(length?, path);
    Some(())
}

fn dictionary<'obj, 'ser>(object: Object<'obj, 'ser>) -> Option<DictDecoder<'obj, 'ser>> {
    match object {
        Object::Dict(decoder) => Some(decoder),
        _ => None,
    }
}
