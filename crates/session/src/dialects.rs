//! Which kind of handshake a dial begins with, and whether another kind is tried when the peer wants
//! none of it. Remembers what addresses made of it. Never dials, and never decides when to dial again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wire::mse::Allowed;
use wire::net::{CloseReason, Encryption};
use wire::{Error, ErrorKind};

/// Addresses remembered because they are not as unknown ones are. Beyond that the oldest knowledge is
/// of no less use than the newest, so any of it goes.
const MAX_REMEMBERED: usize = 4096;

/// What a dialed connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The handshake of BEP 3.
    Plain,
    /// An encryption handshake, in which we agree to this.
    Encrypted(Allowed),
}

/// What to try at an address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) first: Dialect,
    /// What to try at once if the first is refused at once.
    pub(crate) second: Option<Dialect>,
}

pub(crate) struct Dialects {
    encryption: Encryption,
    /// The kind to try, alone, at addresses where the usual plan is not the best.
    remembered: Mutex<BTreeMap<SocketAddr, Dialect>>,
}

impl Dialects {
    pub(crate) fn new(encryption: Encryption) -> Self {
        Self { encryption, remembered: Mutex::default() }
    }

    pub(crate) fn encryption(&self) -> Encryption {
        self.encryption
    }

    /// What to try now. An unknown address gets both kinds, plaintext first: every client takes it
    /// unless its user forbade it, it costs a round trip less, and clients that are offered both
    /// methods of an encrypted connection may choose RC4. See ARCHITECTURE.md for what was measured.
    pub(crate) fn plan(&self, addr: SocketAddr) -> Plan {
        match self.encryption {
            Encryption::Off => Plan { first: Dialect::Plain, second: None },
            Encryption::Require => Plan { first: Dialect::Encrypted(Allowed::Rc4), second: None },
            Encryption::Prefer => match self.lock().get(&addr) {
                Some(dialect) => Plan { first: *dialect, second: None },
                None => Plan { first: USUAL, second: Some(other(USUAL)) },
            },
        }
    }

    /// An address shook hands like this.
    pub(crate) fn worked(&self, addr: SocketAddr, dialect: Dialect) {
        if dialect == USUAL {
            self.lock().remove(&addr);
        } else {
            self.remember(addr, dialect);
        }
    }

    /// An address was reached and shook no hands, this kind being the last that was tried. It may be
    /// full, or gone tomorrow, so from now on the kinds take turns, one a dial. But who names another
    /// torrent, and so speaks this kind, is to be found at once by the torrent that it has.
    pub(crate) fn failed(&self, addr: SocketAddr, dialect: Dialect, reason: CloseReason) {
        match reason {
            CloseReason::Protocol(error) if error.kind() == ErrorKind::WrongInfoHash => {
                self.worked(addr, dialect);
            }
            _ => self.remember(addr, other(dialect)),
        }
    }

    fn remember(&self, addr: SocketAddr, dialect: Dialect) {
        if self.encryption != Encryption::Prefer {
            return;
        }
        let mut remembered = self.lock();
        if remembered.len() >= MAX_REMEMBERED && !remembered.contains_key(&addr) {
            remembered.pop_first();
        }
        remembered.insert(addr, dialect);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Dialect>> {
        // No code that holds the lock can leave the map half changed.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is tried first at an unknown address.
const USUAL: Dialect = Dialect::Plain;

fn other(dialect: Dialect) -> Dialect {
    match dialect {
        Dialect::Plain => Dialect::Encrypted(Allowed::Both),
        Dialect::Encrypted(_) => Dialect::Plain,
    }
}

/// Whether a handshake may have ended like this because the peer wants another kind. It hung up, or
/// what it said was no handshake of this kind. A peer that is merely slow is not asked again: that
/// would hold its place among the half-open for twice as long.
pub(crate) fn is_refusal(reason: CloseReason) -> bool {
    let wrong_kind = |error: Error| {
        matches!(
            error.kind(),
            ErrorKind::NotBitTorrent
                | ErrorKind::BadEncryption
                | ErrorKind::NoCommonMethod
                | ErrorKind::Unencrypted
        )
    };
    match reason {
        CloseReason::Peer | CloseReason::Io(_) => true,
        CloseReason::Protocol(error) => wrong_kind(error),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCRYPTED: Dialect = Dialect::Encrypted(Allowed::Both);

    fn addr(host: u32) -> SocketAddr {
        SocketAddr::new(std::net::Ipv4Addr::from_bits(host).into(), 1)
    }

    fn single(first: Dialect) -> Plan {
        Plan { first, second: None }
    }

    fn both() -> Plan {
        Plan { first: Dialect::Plain, second: Some(ENCRYPTED) }
    }

    #[test]
    fn without_a_choice_there_is_one_kind() {
        for (encryption, dialect) in [
            (Encryption::Off, Dialect::Plain),
            (Encryption::Require, Dialect::Encrypted(Allowed::Rc4)),
        ] {
            let dialects = Dialects::new(encryption);
            assert_eq!(dialects.plan(addr(1)), single(dialect));
            dialects.failed(addr(1), dialect, CloseReason::Peer);
            assert_eq!(dialects.plan(addr(1)), single(dialect));
        }
    }

    #[test]
    fn what_worked_is_tried_first_and_alone() {
        let dialects = Dialects::new(Encryption::Prefer);
        assert_eq!(dialects.plan(addr(1)), both());
        dialects.worked(addr(1), ENCRYPTED);
        assert_eq!(dialects.plan(addr(1)), single(ENCRYPTED));
        assert_eq!(dialects.plan(addr(2)), both());
        dialects.worked(addr(1), Dialect::Plain);
        assert_eq!(dialects.plan(addr(1)), both());
    }

    #[test]
    fn where_nothing_works_the_kinds_take_turns() {
        let dialects = Dialects::new(Encryption::Prefer);
        dialects.failed(addr(1), ENCRYPTED, CloseReason::Peer);
        for _ in 0..3 {
            assert_eq!(dialects.plan(addr(1)), single(Dialect::Plain));
            dialects.failed(addr(1), Dialect::Plain, CloseReason::Peer);
            assert_eq!(dialects.plan(addr(1)), single(ENCRYPTED));
            dialects.failed(addr(1), ENCRYPTED, CloseReason::Peer);
        }
    }

    #[test]
    fn who_names_another_torrent_speaks_this_kind() {
        let dialects = Dialects::new(Encryption::Prefer);
        let other_torrent = CloseReason::from(ErrorKind::WrongInfoHash);
        dialects.failed(addr(1), Dialect::Plain, other_torrent);
        assert_eq!(dialects.plan(addr(1)), both());
        dialects.failed(addr(1), ENCRYPTED, other_torrent);
        assert_eq!(dialects.plan(addr(1)), single(ENCRYPTED));
    }

    #[test]
    fn memory_is_bounded() {
        let dialects = Dialects::new(Encryption::Prefer);
        for host in 0..2 * u32::try_from(MAX_REMEMBERED).unwrap() {
            dialects.worked(addr(host), ENCRYPTED);
            assert_eq!(dialects.plan(addr(host)), single(ENCRYPTED));
        }
        assert_eq!(dialects.lock().len(), MAX_REMEMBERED);
    }
}
