//! Owns the way from a peer's byte stream to messages: checks each length before a byte is kept, and places block bytes
//! where they will stay. Never reads a socket, and never asks whether a message makes sense.

use std::collections::VecDeque;
use std::io::IoSliceMut;

use ahead::{Ahead, Place};
use staging::Staging;

use crate::error::Error;
use crate::extension;
use crate::limits::{BLOCK_LEN, BLOCKS_AHEAD, MAX_BITFIELD_LEN, MAX_BLOCK_LEN, MAX_MESSAGE_LEN};
use crate::message::{Message, Request, id};
use crate::payload::Payload;
use crate::pool::Pool;

mod ahead;
mod staging;

/// Bytes of a piece message before the block: length, id, piece, offset.
const PIECE_HEAD_LEN: usize = 13;

/// The most slices of a read: the arriving block, head and bytes of each that may follow, the staging area.
pub const MAX_READ_SLICES: usize = 2 + 2 * BLOCKS_AHEAD;

/// Turns the bytes of one peer, after its handshake, into messages.
///
/// The caller repeats two steps. It calls [`next_message`](Self::next_message) until that gives `None`, and then reads
/// into [`read_slices`](Self::read_slices) and says with [`advance`](Self::advance) how much came. The first slice is
/// the rest of a block, right where it will stay; the last is a small staging area for what follows, so one vectored read
/// ends a block and begins the next. Between them are places for more blocks, if the reads before were filled: from a peer
/// that sends nothing else for a while, one read takes many, each to where it will stay. If something else comes, it is
/// copied out of there.
///
/// A block's buffer is taken from the pool when the first of its bytes is there, not when it is announced. If the pool
/// has none, `next_message` gives `None` and [`wanted`](Self::wanted) says how long a payload to
/// [`supply`](Self::supply) before anything else can be read. Buffers for blocks that may follow are taken for a read only
/// and go back if it does not fill them.
pub struct Decoder {
    pool: Pool,
    bitfield_limit: usize,
    ahead: Ahead,
    /// Blocks that are whole and come before what is staged.
    whole: VecDeque<Message>,
    staging: Staging,
    state: State,
    begun: u64,
    skipped: u64,
}

enum State {
    /// At a message's first byte, or within its head.
    Head,
    /// Within a block of `len` bytes. Without a payload until its first byte is there.
    Block { piece: u32, offset: u32, len: usize, filled: usize, payload: Option<Payload> },
    /// Within the `len` bytes of a bitfield or an extended message. They grow as they arrive.
    Bytes { of: Bytes, bytes: Vec<u8>, len: usize },
    /// Within a message that we do not know.
    Skip { left: usize },
}

/// What a message's bytes will be.
#[derive(Clone, Copy)]
enum Bytes {
    Bitfield,
    Extended { id: u8 },
}

impl Decoder {
    /// A decoder at the first byte after the handshake. Blocks will live in buffers of `pool`.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            bitfield_limit: MAX_BITFIELD_LEN,
            ahead: Ahead::default(),
            whole: VecDeque::new(),
            staging: Staging::new(),
            state: State::Head,
            begun: 0,
            skipped: 0,
        }
    }

    /// Refuses bitfields of more than `bytes` bytes from now on: set it once the torrent's number of pieces is known.
    pub fn set_bitfield_limit(&mut self, bytes: usize) {
        self.bitfield_limit = bytes.min(MAX_BITFIELD_LEN);
    }

    /// How many messages of unknown kinds were skipped.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many messages have arrived at least as far as their heads. While this number and
    /// [`is_mid_message`](Self::is_mid_message) stay as they are, it is one message that is arriving.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// Whether a message has begun to arrive and is not whole.
    pub fn is_mid_message(&self) -> bool {
        !self.staging.is_empty() || self.staging.is_spilled() || !matches!(self.state, State::Head)
    }

    /// The next message, or `None` if more bytes (or [a buffer](Self::wanted)) are needed.
    ///
    /// # Errors
    /// A length that the message's kind cannot have. The stream has no meaning from there on; every further call gives
    /// the same error.
    pub fn next_message(&mut self) -> Result<Option<Message>, Error> {
        if let Some(block) = self.whole.pop_front() {
            return Ok(Some(block));
        }
        loop {
            let message = self.decode()?;
            if message.is_some() || !self.staging.refill() {
                return Ok(message);
            }
        }
    }

    /// Where to read the peer's next bytes to, and how many slices that is: the rest of the block that is arriving
    /// (possibly empty), places for blocks behind it, then the staging area. All are empty only while a [buffer is
    /// wanted](Self::wanted).
    pub fn read_slices<'a>(&'a mut self, slices: &mut [IoSliceMut<'a>; MAX_READ_SLICES]) -> usize {
        let usual = matches!(self.state, State::Block { len: BLOCK_LEN, .. });
        if usual && !block_rest(&mut self.state).is_empty() {
            self.ahead.prepare(&self.pool);
        }
        let block = IoSliceMut::new(block_rest(&mut self.state));
        let staging = IoSliceMut::new(self.staging.room());
        let all = [block].into_iter().chain(self.ahead.slices()).chain([staging]);
        slices.iter_mut().zip(all).map(|(slot, slice)| *slot = slice).count()
    }

    /// Takes note that the first `n` bytes of [`read_slices`](Self::read_slices) were written; 0 if there was nothing to
    /// read.
    pub fn advance(&mut self, n: usize) {
        if n == 0 {
            return self.ahead.nothing();
        }
        let of_block = n.min(block_rest(&mut self.state).len());
        if let State::Block { filled, .. } = &mut self.state {
            *filled += of_block;
        }
        let mut behind = n - of_block;
        if of_block > 0 {
            let mut ahead = std::mem::take(&mut self.ahead);
            for (place, here) in ahead.filled(behind) {
                self.settle(place, here);
                behind -= here;
            }
            self.ahead = ahead;
        }
        self.staging.came(behind);
    }

    /// Copies as much of `bytes` as there is room for, and says how much that was: [`read_slices`](Self::read_slices) and
    /// [`advance`](Self::advance) for callers who have the bytes in memory already.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut fed = 0;
        let mut slices = std::array::from_fn(|_| IoSliceMut::new(&mut []));
        let count = self.read_slices(&mut slices);
        for slice in slices.iter_mut().take(count) {
            let rest = bytes.get(fed..).unwrap_or_default();
            let n = rest.len().min(slice.len());
            let (to, _) = slice.split_at_mut(n);
            let (from, _) = rest.split_at(n);
            to.copy_from_slice(from);
            fed += n;
        }
        self.advance(fed);
        fed
    }

    /// The length of the payload that is needed to go on, if the pool had none.
    pub fn wanted(&self) -> Option<usize> {
        match self.state {
            State::Block { len, payload: None, .. } if !self.staging.is_empty() => Some(len),
            _ => None,
        }
    }

    /// Gives the payload that is [wanted](Self::wanted). One of another length, or that nobody asked for, is dropped.
    pub fn supply(&mut self, supplied: Payload) {
        if self.wanted() == Some(supplied.len())
            && let State::Block { payload, .. } = &mut self.state
        {
            *payload = Some(supplied);
        }
    }

    /// The next message of what is staged.
    fn decode(&mut self) -> Result<Option<Message>, Error> {
        loop {
            match &mut self.state {
                State::Head => {
                    let Some(head) = self.head()? else { return Ok(None) };
                    self.begun += 1;
                    match head {
                        Head::Whole(message) => return Ok(Some(message)),
                        Head::Before(body) => self.state = body,
                    }
                }
                State::Block { .. } => return Ok(self.block()),
                State::Bytes { of, bytes, len } => {
                    let missing = *len - bytes.len();
                    bytes.extend_from_slice(self.staging.take(missing));
                    if bytes.len() < *len {
                        return Ok(None);
                    }
                    let bytes = std::mem::take(bytes).into_boxed_slice();
                    let message = match *of {
                        Bytes::Bitfield => Message::Bitfield(bytes),
                        Bytes::Extended { id } => Message::Extended { id, payload: bytes },
                    };
                    self.state = State::Head;
                    return Ok(Some(message));
                }
                State::Skip { left } => {
                    *left -= self.staging.take(*left).len();
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::Head;
                }
            }
        }
    }

    /// Takes the `n` bytes that came into a place behind the arriving block, which is whole then: the next block, if that is
    /// what they are.
    fn settle(&mut self, place: Place, n: usize) {
        let Place { head, payload } = place;
        let (of_head, of_block) = (n.min(PIECE_HEAD_LEN), n.saturating_sub(PIECE_HEAD_LEN));
        if !self.staging.is_spilled()
            && of_block > 0
            && let Some((piece, offset)) = usual_block(&head)
            && let Some(message) = self.block()
        {
            self.whole.push_back(message);
            self.begun += 1;
            let payload = Some(payload);
            self.state = State::Block { piece, offset, len: BLOCK_LEN, filled: of_block, payload };
        } else {
            self.staging.spill(head.get(..of_head).unwrap_or_default());
            self.staging.spill(payload.get(..of_block).unwrap_or_default());
        }
    }

    /// Decodes a head if it is staged as far as its kind needs.
    fn head(&mut self) -> Result<Option<Head>, Error> {
        let staged = self.staging.bytes();
        let Some((&prefix, after)) = staged.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_be_bytes(prefix);
        if len == 0 {
            self.staging.take(4);
            return Ok(Some(Head::Whole(Message::KeepAlive)));
        }
        if len > MAX_MESSAGE_LEN {
            return Err(Error::too_long(len));
        }
        let Some((&id, fields)) = after.split_first() else { return Ok(None) };
        let body_len = len as usize - 1;
        let possible = match id {
            id::CHOKE
            | id::UNCHOKE
            | id::INTERESTED
            | id::NOT_INTERESTED
            | id::HAVE_ALL
            | id::HAVE_NONE => body_len == 0,
            id::HAVE | id::SUGGEST | id::ALLOWED_FAST => body_len == 4,
            id::PORT => body_len == 2,
            id::REQUEST | id::CANCEL | id::REJECT => body_len == 12,
            id::BITFIELD => body_len <= self.bitfield_limit,
            id::PIECE => body_len > 8 && body_len <= 8 + MAX_BLOCK_LEN,
            id::EXTENDED => body_len > 0,
            _ => true,
        };
        if !possible {
            return Err(Error::wrong_length(id, len));
        }
        let message = match id {
            id::CHOKE => Message::Choke,
            id::UNCHOKE => Message::Unchoke,
            id::INTERESTED => Message::Interested,
            id::NOT_INTERESTED => Message::NotInterested,
            id::HAVE_ALL => Message::HaveAll,
            id::HAVE_NONE => Message::HaveNone,
            id::HAVE
            | id::REQUEST
            | id::CANCEL
            | id::PORT
            | id::SUGGEST
            | id::REJECT
            | id::ALLOWED_FAST => {
                let Some(fields) = fields.get(..body_len) else { return Ok(None) };
                fixed(id, fields)
            }
            id::PIECE => {
                let (Some(piece), Some(offset)) = (number(fields, 0), number(fields, 4)) else {
                    return Ok(None);
                };
                self.staging.take(PIECE_HEAD_LEN);
                let len = body_len - 8;
                let block = State::Block { piece, offset, len, filled: 0, payload: None };
                return Ok(Some(Head::Before(block)));
            }
            id::BITFIELD => {
                self.staging.take(5);
                let of = Bytes::Bitfield;
                let bitfield = State::Bytes { of, bytes: Vec::new(), len: body_len };
                return Ok(Some(Head::Before(bitfield)));
            }
            id::EXTENDED => {
                let Some(&id) = fields.first() else { return Ok(None) };
                let payload_len = body_len - 1;
                let Some(max_len) = extension::max_len(id) else {
                    return Ok(Some(self.skip(body_len)));
                };
                if payload_len > max_len {
                    return Err(Error::wrong_length(id::EXTENDED, len));
                }
                self.staging.take(6);
                let of = Bytes::Extended { id };
                let extended = State::Bytes { of, bytes: Vec::new(), len: payload_len };
                return Ok(Some(Head::Before(extended)));
            }
            _ => return Ok(Some(self.skip(body_len))),
        };
        self.staging.take(5 + body_len);
        Ok(Some(Head::Whole(message)))
    }

    /// Passes over a message of `body_len` bytes after its id, which we did not ask for and can't read.
    fn skip(&mut self, body_len: usize) -> Head {
        self.staging.take(5);
        self.skipped = self.skipped.saturating_add(1);
        Head::Before(State::Skip { left: body_len })
    }

    /// Moves staged bytes into the block, and gives the message if that made it whole.
    fn block(&mut self) -> Option<Message> {
        let State::Block { piece, offset, len, filled, payload } = &mut self.state else {
            return None;
        };
        if payload.is_none() && !self.staging.is_empty() {
            *payload = self.pool.try_take(*len);
        }
        let rest = payload.as_deref_mut()?.get_mut(*filled..).unwrap_or_default();
        let staged = self.staging.take(rest.len());
        if let Some(to) = rest.get_mut(..staged.len()) {
            to.copy_from_slice(staged);
        }
        *filled += staged.len();
        if *filled < *len {
            return None;
        }
        let message = Message::Piece { piece: *piece, offset: *offset, payload: payload.take()? };
        self.state = State::Head;
        Some(message)
    }
}

/// What a decoded head amounts to.
enum Head {
    Whole(Message),
    Before(State),
}

/// The part of the arriving block that is still to be filled.
fn block_rest(state: &mut State) -> &mut [u8] {
    match state {
        State::Block { payload: Some(payload), filled, .. } => {
            payload.get_mut(*filled..).unwrap_or_default()
        }
        _ => &mut [],
    }
}

/// Piece and offset of a block of the usual length, if that is what the head says.
fn usual_block(head: &[u8; PIECE_HEAD_LEN]) -> Option<(u32, u32)> {
    let usual = number(head, 0)? as usize == 9 + BLOCK_LEN && head.get(4) == Some(&id::PIECE);
    if usual { Some((number(head, 5)?, number(head, 9)?)) } else { None }
}

/// The big-endian number that begins `at` bytes into `fields`, if it is there.
fn number(fields: &[u8], at: usize) -> Option<u32> {
    fields.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// A message of numbers alone, whose fields are all there.
fn fixed(id: u8, fields: &[u8]) -> Message {
    let number = |at| number(fields, at).unwrap_or_default();
    let request = || Request { piece: number(0), offset: number(4), len: number(8) };
    match id {
        id::HAVE => Message::Have(number(0)),
        id::REQUEST => Message::Request(request()),
        id::CANCEL => Message::Cancel(request()),
        id::SUGGEST => Message::Suggest(number(0)),
        id::REJECT => Message::Reject(request()),
        id::ALLOWED_FAST => Message::AllowedFast(number(0)),
        _ => Message::Port(fields.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes))),
    }
}

#[cfg(test)]
mod tests;
