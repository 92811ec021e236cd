//! Our own address, as the nodes that answer us see it (BEP 42). One vote a neighbourhood, the latest
//! ones; a liar is outvoted.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::addr::neighbourhood;
use crate::limits::{MAX_VOTES, VOTES};

/// What others say, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    votes: VecDeque<(IpAddr, IpAddr)>,
}

impl Votes {
    /// Counts what the node at `voter` says. Gives the address that a majority agrees on.
    pub(crate) fn cast(&mut self, voter: IpAddr, seen: IpAddr) -> Option<IpAddr> {
        let voter = neighbourhood(voter);
        self.votes.retain(|(other, _)| *other != voter);
        if self.votes.len() >= MAX_VOTES {
            self.votes.pop_front();
        }
        self.votes.push_back((voter, seen));
        let agree = self.votes.iter().filter(|(_, other)| *other == seen).count();
        (agree >= VOTES && agree * 2 > self.votes.len()).then_some(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_is_believed_and_liars_are_not() {
        let mut votes = Votes::default();
        let (truth, lie) = (IpAddr::from([5, 6, 7, 8]), IpAddr::from([6, 6, 6, 6]));
        for n in 0..5 {
            assert_eq!(votes.cast([20, n, 0, 1].into(), truth), None);
        }
        assert_eq!(votes.cast([20, 9, 0, 1].into(), truth), Some(truth));
        for n in 0..5 {
            assert_eq!(votes.cast([30, n, 0, 1].into(), lie), None);
        }
        for n in 0..200 {
            assert_eq!(votes.cast([30, 9, 0, n].into(), lie), None, "one neighbourhood, one vote");
        }
        assert_eq!(votes.cast([20, 10, 0, 1].into(), truth), Some(truth));
    }
}
