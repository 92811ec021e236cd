//! The counterparts: the least seed and the least leecher that real clients talk to, so that they and
//! not their counterpart are what is measured.
//!
//! Owns a blocking socket and the handful of messages it takes. Never checks what it is told more than
//! it must to get through, and never keeps data.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::work::{BLOCK, Work};
use crate::Result;

/// Requests a leecher keeps under way: as many as every client takes. Fewer would measure the timer by
/// which transmission answers.
const PIPELINE: usize = 500;

/// Bytes asked of the socket at once: what a loopback connection holds.
const READ_LEN: usize = 256 << 10;

/// Blocks answered with one system call; each takes two of the 1,024 slices the kernel allows.
const MAX_ANSWERS: usize = 128;

/// How often a client that does not listen yet, or knows nothing yet, is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// What peers are called.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A client that is silent for so long is stuck.
const SILENCE: Duration = Duration::from_mins(1);

/// A connection behind its handshake.
pub(super) struct Peer {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// The bytes of the buffer that were read and not taken yet.
    start: usize,
    end: usize,
}

impl Peer {
    /// Calls the client at `to` from the address `from`, until it answers the handshake.
    pub(super) fn dial(
        from: SocketAddrV4,
        to: SocketAddrV4,
        work: &Work,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let deadline = Instant::now() + SILENCE;
        loop {
            match open(from, to).and_then(|socket| Self::greet(socket, work)) {
                Ok(peer) => return Ok(peer),
                Err(error) if !go_on() || Instant::now() > deadline => {
                    return Err(format!("no handshake with {to}: {error}").into());
                }
                Err(_) => std::thread::sleep(RETRY),
            }
        }
    }

    /// Waits for the one call that comes.
    pub(super) fn accept(listener: &TcpListener, work: &Work) -> Result<Self> {
        let (socket, _) = listener.accept()?;
        Ok(Self::greet(socket, work)?)
    }

    fn greet(mut socket: TcpStream, work: &Work) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE))?;
        let mut hello = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
        hello.extend(work.info_hash);
        hello.extend(b"-BN0001-");
        // No two connections of one peer are kept, so each is another peer.
        hello.extend(format!("{:012}", NUMBER.fetch_add(1, Ordering::Relaxed)).as_bytes());
        socket.write_all(&hello)?;
        let mut answer = [0; 68];
        socket.read_exact(&mut answer)?;
        if answer.get(28..48) != Some(&work.info_hash) {
            return Err(io::Error::new(ErrorKind::InvalidData, "another torrent"));
        }
        Ok(Self { socket, buffer: vec![0; READ_LEN + 64], start: 0, end: 0 })
    }

    /// Writes messages.
    pub(super) fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        self.socket.write_all(messages)
    }

    /// The id and the body of the message at the front, if all of it is here.
    pub(super) fn next(&mut self) -> Option<(u8, &[u8])> {
        loop {
            let waiting = self.buffer.get(self.start..self.end)?;
            let length = u32::from_be_bytes(*waiting.first_chunk()?) as usize;
            if waiting.len() < 4 + length {
                return None;
            }
            let message = self.start + 4;
            self.start = message + length;
            // A message without an id only keeps the connection alive.
            if length > 0 {
                let (id, body) = self.buffer.get(message..self.start)?.split_first()?;
                return Some((*id, body));
            }
        }
    }

    /// Reads what there is; false at the end of the connection.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
        let read = self.socket.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
        self.end += read;
        Ok(read > 0)
    }

    /// Fills `into` with the bytes that follow, past the buffer where it can.
    pub(super) fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
        let (first, rest) = into.split_at_mut(waiting.len().min(into.len()));
        first.copy_from_slice(&waiting[..first.len()]);
        self.start += first.len();
        self.socket.read_exact(rest)
    }

    /// Serves the whole torrent from memory until the other side hangs up.
    pub(super) fn serve(&mut self, work: &Work, data: &[u8]) -> io::Result<()> {
        let pieces = work.piece_count();
        let mut hello = header(5, pieces.div_ceil(8));
        hello.extend((0..pieces.div_ceil(8)).map(|byte| match pieces - byte * 8 {
            0..8 => !(0xff_u8 >> (pieces % 8)),
            _ => 0xff,
        }));
        hello.extend(header(1, 0));
        self.send(&hello)?;
        let mut asked: Vec<([u8; 13], &[u8])> = Vec::new();
        while self.fill()? {
            while let Some((id, body)) = self.next() {
                if id == 6 {
                    asked.extend(answer(work, data, body));
                }
            }
            for answers in asked.chunks(MAX_ANSWERS) {
                let slices = answers.iter().flat_map(|(head, data)| [&head[..], data]);
                let mut slices: Vec<IoSlice<'_>> = slices.map(IoSlice::new).collect();
                let mut slices = &mut slices[..];
                while !slices.is_empty() {
                    let written = self.socket.write_vectored(slices)?;
                    IoSlice::advance_slices(&mut slices, written);
                }
            }
            asked.clear();
        }
        Ok(())
    }

    /// Waits until the other side says that it has every piece; false if it hung up before.
    pub(super) fn await_seed(&mut self, work: &Work) -> io::Result<bool> {
        let mut has = 0;
        loop {
            while let Some((id, body)) = self.next() {
                match id {
                    4 => has += 1,
                    5 => has = body.iter().map(|byte| byte.count_ones() as usize).sum(),
                    _ => {}
                }
                if has == work.piece_count() {
                    return Ok(true);
                }
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Asks for the first `size` bytes and throws them away. `started` is called when the first request
    /// leaves.
    pub(super) fn leech(
        &mut self,
        work: &Work,
        size: usize,
        started: &mut dyn FnMut(),
    ) -> Result<()> {
        self.send(&header(2, 0))?;
        let mut choked = true;
        let (mut begun, mut next, mut under_way, mut left) = (false, 0, 0, size);
        while left > 0 {
            while let Some((id, body)) = self.next() {
                match id {
                    0 => choked = true,
                    1 => choked = false,
                    7 => {
                        let length = body.len().saturating_sub(8);
                        left = left.saturating_sub(length);
                        under_way -= usize::from(under_way > 0);
                    }
                    _ => {}
                }
            }
            if choked && begun {
                return Err("choked in the middle".into());
            }
            if !choked && !begun {
                begun = true;
                started();
            }
            // Topped up a quarter at a time, as one batch.
            if !choked && under_way <= PIPELINE * 3 / 4 {
                let mut requests = Vec::with_capacity(17 * PIPELINE);
                while under_way < PIPELINE && next < size {
                    requests.extend(request(work, next));
                    next += BLOCK;
                    under_way += 1;
                }
                self.send(&requests)?;
            }
            if left > 0 && !self.fill()? {
                return Err("the seed hung up".into());
            }
        }
        Ok(())
    }
}

/// The length and the id of a message whose body has `length` bytes.
pub(super) fn header(id: u8, length: usize) -> Vec<u8> {
    let length = u32::try_from(length + 1).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &[id]].concat()
}

/// A request for the block at this offset of the torrent.
pub(super) fn request(work: &Work, offset: usize) -> Vec<u8> {
    let place = [offset / work.piece_len, offset % work.piece_len, BLOCK];
    let words = place.map(|word| u32::try_from(word).unwrap_or(u32::MAX).to_be_bytes());
    [&header(6, 12)[..], words.as_flattened()].concat()
}

fn answer<'a>(work: &Work, data: &'a [u8], body: &[u8]) -> Option<([u8; 13], &'a [u8])> {
    let [piece, offset, length] = *body.as_chunks::<4>().0 else { return None };
    let number = |word| u32::from_be_bytes(word) as usize;
    let from = number(piece).checked_mul(work.piece_len)?.checked_add(number(offset))?;
    let data = data.get(from..from.checked_add(number(length))?)?;
    let mut head = [0; 13];
    head[..5].copy_from_slice(&header(7, 8 + data.len()));
    head[5..9].copy_from_slice(&piece);
    head[9..].copy_from_slice(&offset);
    Some((head, data))
}

/// A connection from an address of our choice; std leaves that to the kernel.
fn open(from: SocketAddrV4, to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &from)?;
    connect(&socket, &to)?;
    Ok(socket.into())
}
