//! Owns the message that takes a `have` back (BEP 54). Never knows which pieces exist.

use super::Error;

/// The sender no longer has the piece of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DontHave(pub u32);

impl DontHave {
    /// The payload of an extended message.
    pub fn encode(self) -> Box<[u8]> {
        Box::from(self.0.to_be_bytes())
    }

    /// What a peer sent.
    ///
    /// # Errors
    /// It is not one number long.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        let number = payload.try_into().map_err(|_| Error::length("lt_donthave", payload.len()))?;
        Ok(Self(u32::from_be_bytes(number)))
    }
}
