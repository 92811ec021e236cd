//! Owns the way from a peer's byte stream to messages: checks each length before a byte is kept, and places block bytes
//! where they will stay. Never reads a socket, and never asks whether a message makes sense.

use std::io::IoSliceMut;

use crate::error::Error;
use crate::extension;
use crate::limits::{MAX_BITFIELD_LEN, MAX_BLOCK_LEN, MAX_MESSAGE_LEN};
use crate::message::{Message, Request, id};
use crate::payload::Payload;
use crate::pool::Pool;

/// Bytes of the staging area, which takes all that is not known to be a block's. It bounds what is copied of a block
/// (the part that came together with its header), and holds a hundred requests.
const STAGING_LEN: usize = 2048;

/// Bytes of a piece message before the block: length, id, piece, offset.
const PIECE_HEAD_LEN: usize = 13;

/// Turns the bytes of one peer, after its handshake, into messages.
///
/// The caller repeats two steps. It calls [`next_message`](Self::next_message) until that gives `None`, and then reads
/// into [`read_slices`](Self::read_slices) and says with [`advance`](Self::advance) how much came. The first slice is
/// the rest of a block, right where it will stay; the second is a small staging area for what follows, so one vectored
/// read ends a block and begins the next.
///
/// A block's buffer is taken from the pool when the first of its bytes is there, not when it is announced. If the pool
/// has none, `next_message` gives `None` and [`wanted`](Self::wanted) says how long a payload to
/// [`supply`](Self::supply) before anything else can be read.
pub struct Decoder {
    pool: Pool,
    bitfield_limit: usize,
    staging: Box<[u8; STAGING_LEN]>,
    /// The staged bytes that are not yet decoded are `start..end`; never outside of the staging area.
    start: usize,
    end: usize,
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
            staging: Box::new([0; STAGING_LEN]),
            start: 0,
            end: 0,
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
        self.start < self.end || !matches!(self.state, State::Head)
    }

    /// The next message, or `None` if more bytes (or [a buffer](Self::wanted)) are needed.
    ///
    /// # Errors
    /// A length that the message's kind cannot have. The stream has no meaning from there on; every further call gives
    /// the same error.
    pub fn next_message(&mut self) -> Result<Option<Message>, Error> {
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
                    let staged = take(&self.staging[..], &mut self.start, self.end, missing);
                    bytes.extend_from_slice(staged);
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
                    *left -= take(&self.staging[..], &mut self.start, self.end, *left).len();
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::Head;
                }
            }
        }
    }

    /// Where to read the peer's next bytes to: the rest of the block that is arriving (possibly empty), then the staging
    /// area. Both are empty only while a [buffer is wanted](Self::wanted).
    pub fn read_slices(&mut self) -> [IoSliceMut<'_>; 2] {
        // What is left over here is at most part of a head, so this moves a few bytes.
        self.staging.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let staging = self.staging.get_mut(self.end..).unwrap_or_default();
        [IoSliceMut::new(block_rest(&mut self.state)), IoSliceMut::new(staging)]
    }

    /// Takes note that the first `n` bytes of [`read_slices`](Self::read_slices) were written.
    pub fn advance(&mut self, n: usize) {
        let of_block = n.min(block_rest(&mut self.state).len());
        if let State::Block { filled, .. } = &mut self.state {
            *filled += of_block;
        }
        let staged = n - of_block;
        debug_assert!(staged <= STAGING_LEN - self.end, "more than there was room for");
        self.end = (self.end + staged).min(STAGING_LEN);
    }

    /// Copies as much of `bytes` as there is room for, and says how much that was: [`read_slices`](Self::read_slices) and
    /// [`advance`](Self::advance) for callers who have the bytes in memory already.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut fed = 0;
        for mut slice in self.read_slices() {
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
            State::Block { len, payload: None, .. } if self.start < self.end => Some(len),
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

    /// Decodes a head if it is staged as far as its kind needs.
    fn head(&mut self) -> Result<Option<Head>, Error> {
        let staged = self.staging.get(self.start..self.end).unwrap_or_default();
        let Some((&prefix, after)) = staged.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_be_bytes(prefix);
        if len == 0 {
            self.start += 4;
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
                self.start += PIECE_HEAD_LEN;
                let len = body_len - 8;
                let block = State::Block { piece, offset, len, filled: 0, payload: None };
                return Ok(Some(Head::Before(block)));
            }
            id::BITFIELD => {
                self.start += 5;
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
                self.start += 6;
                let of = Bytes::Extended { id };
                let extended = State::Bytes { of, bytes: Vec::new(), len: payload_len };
                return Ok(Some(Head::Before(extended)));
            }
            _ => return Ok(Some(self.skip(body_len))),
        };
        self.start += 5 + body_len;
        Ok(Some(Head::Whole(message)))
    }

    /// Passes over a message of `body_len` bytes after its id, which we did not ask for and can't read.
    fn skip(&mut self, body_len: usize) -> Head {
        self.start += 5;
        self.skipped = self.skipped.saturating_add(1);
        Head::Before(State::Skip { left: body_len })
    }

    /// Moves staged bytes into the block, and gives the message if that made it whole.
    fn block(&mut self) -> Option<Message> {
        let State::Block { piece, offset, len, filled, payload } = &mut self.state else {
            return None;
        };
        if payload.is_none() && self.start < self.end {
            *payload = self.pool.try_take(*len);
        }
        let rest = payload.as_deref_mut()?.get_mut(*filled..).unwrap_or_default();
        let staged = take(&self.staging[..], &mut self.start, self.end, rest.len());
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

/// Takes up to `max` staged bytes.
fn take<'a>(staging: &'a [u8], start: &mut usize, end: usize, max: usize) -> &'a [u8] {
    let staged = staging.get(*start..end).unwrap_or_default();
    let taken = staged.get(..max).unwrap_or(staged);
    *start += taken.len();
    taken
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
