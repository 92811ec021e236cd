//! The yardstick: the least that a downloader, a seed and a checker can do, each as a process of its
//! own so that it is measured as the clients are.
//!
//! Owns these bare loops. Never picks, chokes, limits, resumes, or survives a failure.

use std::fs::File;
use std::io;
use std::net::{SocketAddrV4, TcpListener};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

use piecehash::{Sha1, lanes, sha1_many};

use super::peer::{Peer, header, request};
use super::work::{BLOCK, NAME, Work};
use crate::Result;

/// Requests under way.
const PIPELINE: usize = 192;

/// Bytes of each piece hashed at a time: a window a lane stays in the second-level cache.
const WINDOW: usize = 64 << 10;

/// Two reads a block, hash in lanes, one write a piece.
pub(super) fn download(listen: SocketAddrV4, work: &Work, folder: &Path) -> Result<()> {
    let file = File::create(folder.join(NAME))?;
    file.set_len(work.size as u64)?;
    let mut peer = Peer::accept(&TcpListener::bind(listen)?, work)?;
    peer.send(&header(2, 0))?;
    let mut pieces = vec![vec![0; work.piece_len]; lanes()];
    let mut asked = 0;
    for (group, hashes) in work.hashes.chunks(lanes()).enumerate() {
        for (number, piece) in pieces.iter_mut().take(hashes.len()).enumerate() {
            let start = (group * lanes() + number) * work.piece_len;
            for (block, into) in piece.chunks_mut(BLOCK).enumerate() {
                let here = start + block * BLOCK;
                if asked <= here + PIPELINE * BLOCK * 3 / 4 {
                    let upto = (here + PIPELINE * BLOCK).min(work.size);
                    let offsets = (asked..upto).step_by(BLOCK);
                    peer.send(
                        &offsets.flat_map(|offset| request(work, offset)).collect::<Vec<_>>(),
                    )?;
                    asked = asked.max(upto);
                }
                receive(&mut peer, into)?;
            }
        }
        let whole: Vec<[&[u8]; 1]> = pieces.iter().take(hashes.len()).map(|p| [&p[..]]).collect();
        if sha1_many(&whole) != hashes {
            return Err("the seed sends nonsense".into());
        }
        for (number, piece) in pieces.iter().take(hashes.len()).enumerate() {
            let start = (group * lanes() + number) * work.piece_len;
            file.write_all_at(piece, start as u64)?;
        }
    }
    Ok(())
}

/// Reads a message head, then the block where it belongs; what is no block is passed over.
fn receive(peer: &mut Peer, block: &mut [u8]) -> io::Result<()> {
    loop {
        let mut head = [0; 5];
        peer.read_exact(&mut head)?;
        let [a, b, c, d, id] = head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if id == 7 {
            peer.read_exact(&mut [0; 8])?;
            return peer.read_exact(block);
        }
        peer.read_exact(&mut vec![0; length.saturating_sub(1)])?;
    }
}

/// One copy, from memory into the socket.
pub(super) fn seed(listen: SocketAddrV4, work: &Work) -> Result<()> {
    let mut data = vec![0; work.size];
    File::open(work.whole().join(NAME))?.read_exact_at(&mut data, 0)?;
    let listener = TcpListener::bind(listen)?;
    loop {
        // A leecher that leaves early has what it wanted.
        let _ = Peer::accept(&listener, work)?.serve(work, &data);
    }
}

/// Every core hashes its share, window by window.
pub(super) fn check(work: &Work) -> Result<()> {
    let cores = thread::available_parallelism()?.get();
    let share = work.hashes.len().div_ceil(cores);
    let path = work.whole().join(NAME);
    let file = &File::open(path)?;
    let good = thread::scope(|scope| -> Result<bool> {
        let shares = work.hashes.chunks(share).enumerate();
        let threads: Vec<_> = shares
            .map(|(n, hashes)| scope.spawn(move || hash(file, n * share, work.piece_len, hashes)))
            .collect();
        let mut good = true;
        for thread in threads {
            good &= thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(good)
    })?;
    if good { Ok(()) } else { Err("the data does not match its hashes".into()) }
}

fn hash(file: &File, first: usize, piece_len: usize, hashes: &[[u8; 20]]) -> io::Result<bool> {
    let mut windows = vec![vec![0; WINDOW.min(piece_len)]; lanes()];
    for (group, hashes) in hashes.chunks(lanes()).enumerate() {
        let mut streams = vec![Sha1::new(); hashes.len()];
        for offset in (0..piece_len).step_by(WINDOW) {
            for (number, window) in windows.iter_mut().take(hashes.len()).enumerate() {
                let piece = first + group * lanes() + number;
                file.read_exact_at(window, (piece * piece_len + offset) as u64)?;
            }
            Sha1::update_many(streams.iter_mut().zip(windows.iter().map(|window| &window[..])));
        }
        if !streams.into_iter().map(Sha1::finish).eq(hashes.iter().copied()) {
            return Ok(false);
        }
    }
    Ok(true)
}
