//! Tokens: what a node has to show when it announces a peer, so that it can announce its own address
//! alone (BEP 5). Nothing is kept for them.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use sha1_smol::Sha1;

use crate::id::Id;
use crate::limits::{TOKEN_LEN, TOKEN_TURN};

/// Makes tokens and knows them again.
pub(crate) struct Tokens {
    secret: [u8; 20],
    since: Instant,
}

impl Tokens {
    pub(crate) fn new(secret: [u8; 20], now: Instant) -> Self {
        Self { secret, since: now }
    }

    /// The token of a node at `addr` for a torrent.
    pub(crate) fn give(&self, now: Instant, addr: &SocketAddr, info_hash: Id) -> [u8; TOKEN_LEN] {
        self.make(self.turn(now), addr.ip(), info_hash)
    }

    /// Whether it was given in this turn or in the one before.
    pub(crate) fn is_good(
        &self,
        now: Instant,
        addr: &SocketAddr,
        info_hash: Id,
        token: &[u8],
    ) -> bool {
        let turn = self.turn(now);
        [turn, turn.saturating_sub(1)]
            .into_iter()
            .any(|turn| self.make(turn, addr.ip(), info_hash) == token)
    }

    fn turn(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs() / TOKEN_TURN.as_secs()
    }

    fn make(&self, turn: u64, ip: IpAddr, info_hash: Id) -> [u8; TOKEN_LEN] {
        let mut hash = Sha1::from(self.secret);
        hash.update(&turn.to_be_bytes());
        match ip {
            IpAddr::V4(ip) => hash.update(&ip.octets()),
            IpAddr::V6(ip) => hash.update(&ip.octets()),
        }
        hash.update(&info_hash.0);
        let mut token = [0; TOKEN_LEN];
        token.iter_mut().zip(hash.digest().bytes()).for_each(|(to, from)| *to = from);
        token
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::random::Random;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do")]
    fn a_token_is_good_for_one_address_one_torrent_and_ten_minutes() {
        let now = Instant::now();
        let tokens = Tokens::new(Random::new([1; 32]).secret("tokens"), now);
        let (here, there): (SocketAddr, SocketAddr) =
            ("1.2.3.4:5".parse().unwrap(), "1.2.3.5:5".parse().unwrap());
        let (one, other) = (Id([1; 20]), Id([2; 20]));
        let token = tokens.give(now, &here, one);
        let later = |minutes| now + Duration::from_mins(minutes);
        assert!(tokens.is_good(now, &here, one, &token));
        assert!(tokens.is_good(later(9), &here, one, &token));
        assert!(!tokens.is_good(later(10), &here, one, &token));
        assert!(!tokens.is_good(now, &there, one, &token));
        assert!(!tokens.is_good(now, &here, other, &token));
        assert!(!tokens.is_good(now, &here, one, &token[1..]));
        let strange = Tokens::new(Random::new([2; 32]).secret("tokens"), now);
        assert!(!strange.is_good(now, &here, one, &token));
    }
}
