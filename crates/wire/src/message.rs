//! Owns the messages of BEP 3, BEP 6 and BEP 10 and how they are written. Reading them from a stream is the decoder's; what they mean is
//! not decided here.

use crate::limits::{MAX_BLOCK_LEN, MAX_MESSAGE_LEN};
use crate::payload::Payload;

/// Message ids of BEP 3, BEP 5, BEP 6 and BEP 10.
pub(crate) mod id {
    pub(crate) const CHOKE: u8 = 0;
    pub(crate) const UNCHOKE: u8 = 1;
    pub(crate) const INTERESTED: u8 = 2;
    pub(crate) const NOT_INTERESTED: u8 = 3;
    pub(crate) const HAVE: u8 = 4;
    pub(crate) const BITFIELD: u8 = 5;
    pub(crate) const REQUEST: u8 = 6;
    pub(crate) const PIECE: u8 = 7;
    pub(crate) const CANCEL: u8 = 8;
    pub(crate) const PORT: u8 = 9;
    pub(crate) const SUGGEST: u8 = 13;
    pub(crate) const HAVE_ALL: u8 = 14;
    pub(crate) const HAVE_NONE: u8 = 15;
    pub(crate) const REJECT: u8 = 16;
    pub(crate) const ALLOWED_FAST: u8 = 17;
    pub(crate) const EXTENDED: u8 = 20;
}

/// How people call the message with this id.
pub(crate) fn name(id: u8) -> &'static str {
    match id {
        id::CHOKE => "choke",
        id::UNCHOKE => "unchoke",
        id::INTERESTED => "interested",
        id::NOT_INTERESTED => "not interested",
        id::HAVE => "have",
        id::BITFIELD => "bitfield",
        id::REQUEST => "request",
        id::PIECE => "piece",
        id::CANCEL => "cancel",
        id::PORT => "port",
        id::SUGGEST => "suggest",
        id::HAVE_ALL => "have all",
        id::HAVE_NONE => "have none",
        id::REJECT => "reject",
        id::ALLOWED_FAST => "allowed fast",
        id::EXTENDED => "extended",
        _ => "unknown",
    }
}

/// The block that a request, a cancel or a reject speaks of. Raw numbers from the wire: nothing says yet that the torrent has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Number of the piece.
    pub piece: u32,
    /// Where in the piece the block begins, in bytes.
    pub offset: u32,
    /// Length of the block in bytes.
    pub len: u32,
}

/// One message between peers (BEP 3). Its shape has been checked, its numbers have not.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Nothing but a sign of life.
    KeepAlive,
    /// The sender will not answer requests now, and forgets those it has.
    Choke,
    /// The sender will answer requests.
    Unchoke,
    /// The sender would request if it were unchoked.
    Interested,
    /// The sender has nothing to request.
    NotInterested,
    /// The sender has the piece of this number now.
    Have(u32),
    /// What the sender has: a bit a piece, the highest bit of the first byte for piece 0.
    Bitfield(Box<[u8]>),
    /// The sender asks for a block.
    Request(Request),
    /// A block.
    Piece {
        /// Number of the piece.
        piece: u32,
        /// Where in the piece the block begins, in bytes.
        offset: u32,
        /// The block's bytes.
        payload: Payload,
    },
    /// The sender takes a request back.
    Cancel(Request),
    /// The UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// The receiver might like to download the piece of this number (BEP 6).
    Suggest(u32),
    /// The sender has every piece; in place of a bitfield (BEP 6).
    HaveAll,
    /// The sender has no piece; in place of a bitfield (BEP 6).
    HaveNone,
    /// The sender will not answer this request (BEP 6).
    Reject(Request),
    /// The sender answers requests of the piece of this number even while it chokes the receiver (BEP 6).
    AllowedFast(u32),
    /// A message of the extension protocol (BEP 10); [`extension`](crate::extension) reads and writes payloads.
    Extended {
        /// What the message is, by a number that its receiver chose; 0 is the extended handshake.
        id: u8,
        /// All that follows the number.
        payload: Box<[u8]>,
    },
}

/// The longest fixed part of a message: length, id, and the three numbers of a request.
const MAX_HEAD_LEN: usize = 17;

/// The part of a message before any bitfield or payload.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    bytes: [u8; MAX_HEAD_LEN],
    len: usize,
}

impl Head {
    /// The head of a message with this id and these numbers that is followed by `body` further bytes.
    fn new(id: u8, numbers: &[u32], body: usize) -> Self {
        let mut head = Self { bytes: [0; MAX_HEAD_LEN], len: 0 };
        let message_len = 1 + 4 * numbers.len() + body;
        debug_assert!(message_len <= MAX_MESSAGE_LEN as usize, "no such message is ever built");
        head.put(&u32::try_from(message_len).unwrap_or(u32::MAX).to_be_bytes());
        head.put(&[id]);
        for number in numbers {
            head.put(&number.to_be_bytes());
        }
        head
    }

    fn put(&mut self, bytes: &[u8]) {
        let room = self.bytes.iter_mut().skip(self.len);
        room.zip(bytes).for_each(|(to, from)| *to = *from);
        self.len += bytes.len();
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

impl Message {
    /// The part before any bitfield or payload.
    pub(crate) fn head(&self) -> Head {
        match self {
            Self::KeepAlive => Head { bytes: [0; MAX_HEAD_LEN], len: 4 },
            Self::Choke => Head::new(id::CHOKE, &[], 0),
            Self::Unchoke => Head::new(id::UNCHOKE, &[], 0),
            Self::Interested => Head::new(id::INTERESTED, &[], 0),
            Self::NotInterested => Head::new(id::NOT_INTERESTED, &[], 0),
            Self::Have(piece) => Head::new(id::HAVE, &[*piece], 0),
            Self::Bitfield(bits) => Head::new(id::BITFIELD, &[], bits.len()),
            Self::Request(r) => Head::new(id::REQUEST, &[r.piece, r.offset, r.len], 0),
            Self::Piece { piece, offset, payload } => {
                debug_assert!(payload.len() <= MAX_BLOCK_LEN, "no peer accepts a longer block");
                Head::new(id::PIECE, &[*piece, *offset], payload.len())
            }
            Self::Cancel(r) => Head::new(id::CANCEL, &[r.piece, r.offset, r.len], 0),
            Self::Port(port) => {
                let mut head = Head::new(id::PORT, &[], 2);
                head.put(&port.to_be_bytes());
                head
            }
            Self::Suggest(piece) => Head::new(id::SUGGEST, &[*piece], 0),
            Self::HaveAll => Head::new(id::HAVE_ALL, &[], 0),
            Self::HaveNone => Head::new(id::HAVE_NONE, &[], 0),
            Self::Reject(r) => Head::new(id::REJECT, &[r.piece, r.offset, r.len], 0),
            Self::AllowedFast(piece) => Head::new(id::ALLOWED_FAST, &[*piece], 0),
            Self::Extended { id, payload } => {
                let mut head = Head::new(id::EXTENDED, &[], 1 + payload.len());
                head.put(&[*id]);
                head
            }
        }
    }

    /// The part after the head: the bits of a bitfield, the bytes of a block, the payload of an extended message, nothing
    /// for all others.
    pub(crate) fn body(&self) -> &[u8] {
        match self {
            Self::Bitfield(bits) => bits,
            Self::Piece { payload, .. } => payload,
            Self::Extended { payload, .. } => payload,
            _ => &[],
        }
    }

    /// Length of the message on the wire in bytes, its length prefix included.
    pub fn encoded_len(&self) -> usize {
        self.head().as_bytes().len() + self.body().len()
    }

    /// Appends the message as it is on the wire. Copies a block's bytes, which the send queue does not.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head().as_bytes());
        out.extend_from_slice(self.body());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(message: &Message) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode(&mut out);
        assert_eq!(out.len(), message.encoded_len());
        out
    }

    #[test]
    fn every_kind_is_written_as_its_bep_says() {
        let request = Request { piece: 1, offset: 0x4000, len: 0x0102_0304 };
        let payload = Payload::detached(b"xyz".to_vec());
        let cases: Vec<(Message, &[u8])> = vec![
            (Message::KeepAlive, b"\0\0\0\0"),
            (Message::Choke, b"\0\0\0\x01\0"),
            (Message::Unchoke, b"\0\0\0\x01\x01"),
            (Message::Interested, b"\0\0\0\x01\x02"),
            (Message::NotInterested, b"\0\0\0\x01\x03"),
            (Message::Have(0x0a0b_0c0d), b"\0\0\0\x05\x04\x0a\x0b\x0c\x0d"),
            (Message::Bitfield(Box::new([0xf0, 0x80])), b"\0\0\0\x03\x05\xf0\x80"),
            (Message::Request(request), b"\0\0\0\x0d\x06\0\0\0\x01\0\0\x40\0\x01\x02\x03\x04"),
            (Message::Cancel(request), b"\0\0\0\x0d\x08\0\0\0\x01\0\0\x40\0\x01\x02\x03\x04"),
            (
                Message::Piece { piece: 2, offset: 0x8000, payload },
                b"\0\0\0\x0c\x07\0\0\0\x02\0\0\x80\0xyz",
            ),
            (Message::Port(6881), b"\0\0\0\x03\x09\x1a\xe1"),
            (Message::Suggest(0x0a0b_0c0d), b"\0\0\0\x05\x0d\x0a\x0b\x0c\x0d"),
            (Message::HaveAll, b"\0\0\0\x01\x0e"),
            (Message::HaveNone, b"\0\0\0\x01\x0f"),
            (Message::Reject(request), b"\0\0\0\x0d\x10\0\0\0\x01\0\0\x40\0\x01\x02\x03\x04"),
            (Message::AllowedFast(0x0a0b_0c0d), b"\0\0\0\x05\x11\x0a\x0b\x0c\x0d"),
            (Message::Extended { id: 3, payload: Box::from(*b"de") }, b"\0\0\0\x04\x14\x03de"),
            (Message::Extended { id: 0, payload: Box::default() }, b"\0\0\0\x02\x14\0"),
        ];
        for (message, bytes) in cases {
            assert_eq!(encoded(&message), bytes, "{message:?}");
        }
    }
}
