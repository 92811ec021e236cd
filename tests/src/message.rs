//! The messages of BEP 3 in the plainest form: what the scripted peer says and hears.
//!
//! Owns a second opinion on the wire format. Never uses the `wire` crate, which it is there to test.

/// A message, without its length prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of BEP 3")]
pub enum Message {
    KeepAlive,
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    Have(u32),
    Bitfield(Vec<u8>),
    Request {
        piece: u32,
        offset: u32,
        len: u32,
    },
    Piece {
        piece: u32,
        offset: u32,
        data: Vec<u8>,
    },
    Cancel {
        piece: u32,
        offset: u32,
        len: u32,
    },
    /// Any other id, or a known id with a body of the wrong length.
    Other {
        id: u8,
        body: Vec<u8>,
    },
}

impl Message {
    /// The bytes on the wire, length prefix included.
    pub fn encode(&self) -> Vec<u8> {
        let (id, body) = match self {
            Self::KeepAlive => return vec![0; 4],
            Self::Choke => (0, Vec::new()),
            Self::Unchoke => (1, Vec::new()),
            Self::Interested => (2, Vec::new()),
            Self::NotInterested => (3, Vec::new()),
            Self::Have(piece) => (4, numbers(&[*piece])),
            Self::Bitfield(bits) => (5, bits.clone()),
            Self::Request { piece, offset, len } => (6, numbers(&[*piece, *offset, *len])),
            Self::Piece { piece, offset, data } => {
                let mut body = numbers(&[*piece, *offset]);
                body.extend(data);
                (7, body)
            }
            Self::Cancel { piece, offset, len } => (8, numbers(&[*piece, *offset, *len])),
            Self::Other { id, body } => (*id, body.clone()),
        };
        let len = u32::try_from(body.len() + 1).unwrap_or(u32::MAX);
        let mut out = len.to_be_bytes().to_vec();
        out.push(id);
        out.extend(body);
        out
    }

    /// A message from what stands behind the length prefix.
    pub fn decode(frame: &[u8]) -> Self {
        let Some((&id, body)) = frame.split_first() else {
            return Self::KeepAlive;
        };
        let other = || Self::Other { id, body: body.to_vec() };
        match (id, body.len()) {
            (0, 0) => Self::Choke,
            (1, 0) => Self::Unchoke,
            (2, 0) => Self::Interested,
            (3, 0) => Self::NotInterested,
            (4, 4) => Self::Have(word(body, 0)),
            (5, _) => Self::Bitfield(body.to_vec()),
            (6, 12) => {
                Self::Request { piece: word(body, 0), offset: word(body, 4), len: word(body, 8) }
            }
            (7, 8..) => Self::Piece {
                piece: word(body, 0),
                offset: word(body, 4),
                data: body[8..].to_vec(),
            },
            (8, 12) => {
                Self::Cancel { piece: word(body, 0), offset: word(body, 4), len: word(body, 8) }
            }
            _ => other(),
        }
    }
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// The big-endian number at `at`; the caller has checked that it is there.
fn word(body: &[u8], at: usize) -> u32 {
    body[at..at + 4].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}
