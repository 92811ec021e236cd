//! The extension protocol and the metadata exchange in the plainest form (BEP 10, BEP 9): what a scripted
//! peer says, and finding in what it hears the few numbers that tests look at.
//!
//! Owns a second opinion on those formats. Never reads bencode in general.

use crate::message::Message;
use crate::peer::{Handshake, Peer};
use crate::{Error, Result};

/// The id of extended messages.
const EXTENDED: u8 = 20;

/// Under which number scripted peers take metadata messages.
const OURS: u8 = 7;

/// Bytes of a piece of the metadata.
const PIECE: usize = 16 * 1024;

/// The handshake of a peer that speaks extended messages.
pub fn speaking(mut handshake: Handshake) -> Handshake {
    handshake.reserved[5] |= 0x10;
    handshake
}

/// An extended handshake; `metadata` is the length it claims.
pub fn handshake(metadata: Option<usize>) -> Message {
    let size = metadata.map(|len| format!("13:metadata_sizei{len}e")).unwrap_or_default();
    extended(0, format!("d1:md11:ut_metadatai{OURS}ee{size}e").as_bytes())
}

/// What one end knows of the other's extensions.
#[derive(Debug, Default)]
pub struct Heard {
    /// Under which number the other takes metadata messages.
    id: Option<u8>,
    /// The length of the metadata, as the other says.
    pub metadata_size: Option<usize>,
}

/// A message of the metadata exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of BEP 9")]
pub enum Metadata {
    Request(usize),
    Data(usize, Vec<u8>),
    Reject(usize),
}

impl Heard {
    /// Under which number the other takes metadata messages, once it has said so.
    pub fn metadata_id(&self) -> Option<u8> {
        self.id
    }

    /// Takes a message in. Gives what it says about metadata, if anything.
    pub fn take(&mut self, message: &Message) -> Option<Metadata> {
        let Message::Other { id: EXTENDED, body } = message else { return None };
        let (id, payload) = body.split_first()?;
        match *id {
            0 => {
                self.id = number(payload, "11:ut_metadatai").and_then(|id| u8::try_from(id).ok());
                self.metadata_size = number(payload, "13:metadata_sizei").or(self.metadata_size);
                None
            }
            OURS => {
                let piece = number(payload, "5:piecei")?;
                match number(payload, "8:msg_typei")? {
                    0 => Some(Metadata::Request(piece)),
                    1 => {
                        let end = payload.windows(2).position(|two| two == b"ee")? + 2;
                        Some(Metadata::Data(piece, payload[end..].to_vec()))
                    }
                    _ => Some(Metadata::Reject(piece)),
                }
            }
            _ => None,
        }
    }

    /// A message to the other, who must have said that it takes them.
    pub fn say(&self, metadata: &Metadata, total: usize) -> Result<Message> {
        let text = match metadata {
            Metadata::Request(piece) => format!("d8:msg_typei0e5:piecei{piece}ee"),
            Metadata::Reject(piece) => format!("d8:msg_typei2e5:piecei{piece}ee"),
            Metadata::Data(piece, _) => {
                format!("d8:msg_typei1e5:piecei{piece}e10:total_sizei{total}ee")
            }
        };
        let mut payload = text.into_bytes();
        if let Metadata::Data(_, data) = metadata {
            payload.extend(data);
        }
        Ok(extended(self.id.ok_or("it takes no metadata messages")?, &payload))
    }

    /// Answers a request for a piece of `metadata`; whether the message was one.
    pub fn answer(&mut self, peer: &mut Peer, message: &Message, metadata: &[u8]) -> Result<bool> {
        let Some(Metadata::Request(piece)) = self.take(message) else { return Ok(false) };
        let data = metadata.chunks(PIECE).nth(piece).ok_or("a request beyond the metadata")?;
        peer.send(&self.say(&Metadata::Data(piece, data.to_vec()), metadata.len())?)?;
        Ok(true)
    }
}

/// Under which number the sender of this message takes those of `extension`, if it says so.
pub fn id_of(message: &Message, extension: &str) -> Option<u8> {
    let Message::Other { id: EXTENDED, body } = message else { return None };
    let (0, payload) = body.split_first().map(|(id, payload)| (*id, payload))? else { return None };
    let id = number(payload, &format!("{}:{extension}i", extension.len()))?;
    u8::try_from(id).ok().filter(|id| *id != 0)
}

/// Asks the other end of a fresh connection for its metadata until all of it is here.
pub fn fetch(peer: &mut Peer) -> Result<Vec<u8>> {
    let mut heard = Heard::default();
    peer.send(&handshake(None))?;
    while heard.metadata_size.is_none() {
        heard.take(&peer.receive()?);
    }
    let len = heard.metadata_size.unwrap_or_default();
    let mut whole = Vec::new();
    for piece in 0..len.div_ceil(PIECE) {
        peer.send(&heard.say(&Metadata::Request(piece), len)?)?;
        let answer = peer.expect(|message| heard.take(message))?;
        let Metadata::Data(number, data) = answer else {
            return Err(Error::from(format!("piece {piece}: {answer:?}")));
        };
        assert_eq!(number, piece, "the answer is to another request");
        whole.extend(data);
    }
    Ok(whole)
}

fn extended(id: u8, payload: &[u8]) -> Message {
    let mut body = vec![id];
    body.extend(payload);
    Message::Other { id: EXTENDED, body }
}

/// The integer behind `key`, which includes its `i`.
fn number(payload: &[u8], key: &str) -> Option<usize> {
    let at = payload.windows(key.len()).position(|window| window == key.as_bytes())? + key.len();
    let digits = payload[at..].split(|byte| *byte == b'e').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
