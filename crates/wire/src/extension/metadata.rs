//! Owns the messages by which peers give each other the info dictionary (BEP 9). Never knows its hash or its length.

use super::{Error, fields};
use crate::limits::METADATA_PIECE_LEN;

const REQUEST: i64 = 0;
const DATA: i64 = 1;
const REJECT: i64 = 2;

/// What errors call it.
const NAME: &str = "ut_metadata";

/// One message of the metadata exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metadata<'a> {
    /// The sender asks for a piece of the metadata.
    Request {
        /// Number of the piece.
        piece: u32,
    },
    /// A piece of the metadata.
    Data {
        /// Number of the piece.
        piece: u32,
        /// Length of the whole metadata in bytes, if it is told.
        total_size: Option<u32>,
        /// The piece: 1 to [`METADATA_PIECE_LEN`] bytes.
        data: &'a [u8],
    },
    /// The sender does not give this piece.
    Reject {
        /// Number of the piece.
        piece: u32,
    },
}

impl<'a> Metadata<'a> {
    /// The payload of an extended message.
    pub fn encode(&self) -> Box<[u8]> {
        let dictionary = |kind, piece: u32, total_size: Option<u32>| {
            bencode::encode_dict(|d| {
                d.int("msg_type", kind);
                d.int("piece", piece.into());
                if let Some(len) = total_size {
                    d.int("total_size", len.into());
                }
            })
        };
        let payload = match *self {
            Self::Request { piece } => dictionary(REQUEST, piece, None),
            Self::Data { piece, total_size, data } => {
                let mut payload = dictionary(DATA, piece, total_size);
                payload.extend_from_slice(data);
                payload
            }
            Self::Reject { piece } => dictionary(REJECT, piece, None),
        };
        payload.into_boxed_slice()
    }

    /// What a peer sent; `None` if it is of a kind that is not known, which BEP 9 wants ignored. Bytes after a request or
    /// a reject are ignored.
    ///
    /// # Errors
    /// The payload does not begin with a dictionary, lacks kind or piece, or brings no or too much data.
    pub fn decode(payload: &'a [u8]) -> Result<Option<Self>, Error> {
        let document = fields::dictionary(NAME, payload)?;
        let root = document.root();
        let kind = root.get("msg_type").and_then(bencode::Value::as_int);
        let kind = kind.ok_or(Error::lacks(NAME, "msg_type"))?;
        if !matches!(kind, REQUEST | DATA | REJECT) {
            return Ok(None);
        }
        let piece = fields::number(root, "piece").ok_or(Error::lacks(NAME, "piece"))?;
        Ok(Some(match kind {
            REQUEST => Self::Request { piece },
            REJECT => Self::Reject { piece },
            _ => {
                let data = document.rest();
                if data.is_empty() || data.len() > METADATA_PIECE_LEN {
                    return Err(Error::length(NAME, data.len()));
                }
                Self::Data { piece, total_size: fields::number(root, "total_size"), data }
            }
        }))
    }
}
