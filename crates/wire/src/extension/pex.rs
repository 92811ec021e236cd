//! Owns the message of peer exchange (BEP 11). Never dials anyone, and never asks who may be believed.

use std::net::{IpAddr, SocketAddr};

use super::{Error, fields};
use crate::limits::MAX_PEX_CONTACTS;

/// What errors call it.
const NAME: &str = "ut_pex";

/// Whom the sender is connected to, as a change since its message before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pex {
    /// Peers that the sender has connected to.
    pub added: Vec<Contact>,
    /// Peers that it is no longer connected to.
    pub dropped: Vec<SocketAddr>,
}

/// One peer as another one describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// Where it can be dialed.
    pub addr: SocketAddr,
    /// What is said of it.
    pub flags: ContactFlags,
}

/// What is said of a peer, in the bits of BEP 11.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContactFlags(pub u8);

impl ContactFlags {
    /// It prefers an encrypted connection.
    pub const ENCRYPTION: Self = Self(0x01);
    /// It has everything, or wants nothing.
    pub const UPLOAD_ONLY: Self = Self(0x02);
    /// It speaks uTP.
    pub const UTP: Self = Self(0x04);
    /// It takes part in hole punching.
    pub const HOLEPUNCH: Self = Self(0x08);
    /// The sender connected to it, so it can be reached.
    pub const REACHABLE: Self = Self(0x10);

    /// These flags and those.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// Whether all of those flags are set.
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl Pex {
    /// Whether it says nothing. BEP 11 does not allow such a message to be sent.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.dropped.is_empty()
    }

    /// The payload of an extended message.
    pub fn encode(&self) -> Box<[u8]> {
        let (mut added, mut flags) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for contact in &self.added {
            let family = put(&mut added, contact.addr);
            if let Some(flags) = flags.get_mut(family) {
                flags.push(contact.flags.0);
            }
        }
        let mut dropped = [Vec::new(), Vec::new()];
        for addr in &self.dropped {
            put(&mut dropped, *addr);
        }
        let payload = bencode::encode_dict(|d| {
            // Old clients look for the first three even where they are empty.
            let [v4, v6] = &added;
            let [v4_flags, v6_flags] = &flags;
            let [v4_dropped, v6_dropped] = &dropped;
            d.bytes("added", v4);
            d.bytes("added.f", v4_flags);
            if !v6.is_empty() {
                d.bytes("added6", v6);
                d.bytes("added6.f", v6_flags);
            }
            d.bytes("dropped", v4_dropped);
            if !v6_dropped.is_empty() {
                d.bytes("dropped6", v6_dropped);
            }
        });
        payload.into_boxed_slice()
    }

    /// What a peer sent: the first [`MAX_PEX_CONTACTS`] that it added, and that it dropped. Port 0 is no contact; a
    /// missing flag is 0.
    ///
    /// # Errors
    /// The payload does not begin with a dictionary.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        let document = fields::dictionary(NAME, payload)?;
        let root = document.root();
        let field = |key| fields::bytes(root, key);
        let v4 = with_flags(fields::contacts::<6>(field("added")), field("added.f"));
        let v6 = with_flags(fields::contacts::<18>(field("added6")), field("added6.f"));
        let v4_dropped = fields::contacts::<6>(field("dropped"));
        let dropped = v4_dropped.chain(fields::contacts::<18>(field("dropped6")));
        Ok(Self {
            added: v4.chain(v6).filter(|it| it.addr.port() != 0).take(MAX_PEX_CONTACTS).collect(),
            dropped: dropped.filter(|it| it.port() != 0).take(MAX_PEX_CONTACTS).collect(),
        })
    }
}

fn with_flags(
    addrs: impl Iterator<Item = SocketAddr>,
    flags: &[u8],
) -> impl Iterator<Item = Contact> {
    let flags = flags.iter().copied().chain(std::iter::repeat(0)).map(ContactFlags);
    addrs.zip(flags).map(|(addr, flags)| Contact { addr, flags })
}

/// Appends an address to those of its family, and says which that is.
fn put(families: &mut [Vec<u8>; 2], addr: SocketAddr) -> usize {
    let ip = addr.ip().to_canonical();
    let [v4, v6] = families;
    let (number, family) = match ip {
        IpAddr::V4(_) => (0, v4),
        IpAddr::V6(_) => (1, v6),
    };
    fields::put_ip(family, ip);
    family.extend(addr.port().to_be_bytes());
    number
}
