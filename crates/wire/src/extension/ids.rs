//! Owns the extensions we know and their numbers: ours, which are constant, and those that a peer chose. Never reads a
//! payload.

use crate::limits::{MAX_EXTENDED_HANDSHAKE_LEN, MAX_METADATA_MESSAGE_LEN, MAX_PEX_LEN};

/// The number of the extended handshake, on every connection.
pub const HANDSHAKE_ID: u8 = 0;

/// An extension that travels in extended messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extension {
    /// Pieces of the info dictionary (BEP 9).
    Metadata,
    /// Peer exchange (BEP 11).
    Pex,
    /// A piece that was announced is not there any more (BEP 54).
    DontHave,
}

impl Extension {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Metadata, Self::Pex, Self::DontHave];

    /// Its name in the extended handshake.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "ut_metadata",
            Self::Pex => "ut_pex",
            Self::DontHave => "lt_donthave",
        }
    }

    /// The number under which we take its messages: what a peer writes in messages to us.
    pub const fn local_id(self) -> u8 {
        match self {
            Self::Metadata => 1,
            Self::Pex => 2,
            Self::DontHave => 3,
        }
    }

    /// Whose message an extended message to us is.
    pub fn of_local_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.local_id() == id)
    }

    const fn max_len(self) -> usize {
        match self {
            Self::Metadata => MAX_METADATA_MESSAGE_LEN,
            Self::Pex => MAX_PEX_LEN,
            Self::DontHave => 4,
        }
    }
}

/// The longest payload of an extended message to us with this number, in bytes; `None` if the number is none that we
/// gave out.
pub fn max_len(id: u8) -> Option<usize> {
    if id == HANDSHAKE_ID {
        return Some(MAX_EXTENDED_HANDSHAKE_LEN);
    }
    Extension::of_local_id(id).map(Extension::max_len)
}

/// The numbers under which one side takes extended messages, as far as it has told: the `m` of its handshakes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids([Option<u8>; Extension::ALL.len()]);

impl Ids {
    /// Nothing told yet.
    pub const NONE: Self = Self([None; Extension::ALL.len()]);

    /// Ours: these extensions under our constant numbers.
    pub fn local(extensions: impl IntoIterator<Item = Extension>) -> Self {
        let mut ids = Self::NONE;
        for extension in extensions {
            ids.set(extension, extension.local_id());
        }
        ids
    }

    /// Takes messages of this extension under our number for it, or no longer takes them.
    pub fn offer(&mut self, extension: Extension, taken: bool) {
        self.set(extension, if taken { extension.local_id() } else { 0 });
    }

    /// The number to write in messages of this extension; `None` if its owner doesn't take them.
    pub fn get(self, extension: Extension) -> Option<u8> {
        self.told(extension).filter(|id| *id != 0)
    }

    /// Takes in a later handshake's numbers: what that doesn't mention stays as it was, and 0 turns an extension off.
    pub fn update(&mut self, later: Self) {
        for extension in Extension::ALL {
            if let Some(id) = later.told(extension) {
                self.set(extension, id);
            }
        }
    }

    /// What was told, 0 included.
    pub(super) fn told(self, extension: Extension) -> Option<u8> {
        self.0.get(extension as usize).copied().flatten()
    }

    pub(super) fn set(&mut self, extension: Extension, id: u8) {
        if let Some(slot) = self.0.get_mut(extension as usize) {
            *slot = Some(id);
        }
    }
}
