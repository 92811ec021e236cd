//! One connection as its messages show it, and what the protocol asks of the end that is watched
//! (BEP 3, 6). The simulated swarms and, by its path, the fuzzed one judge by it. It believes nothing
//! that the other end says, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use swarm::PeerStats;
use wire::{Message, Request};

/// One connection.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "the flags of the protocol")]
pub(crate) struct Talk {
    /// The fast extension is spoken.
    fast: bool,
    spoke: bool,
    unchoked_us: bool,
    unchoked_it: bool,
    interested: bool,
    /// Requests of ours that were not answered yet, and how often each. Without the fast extension
    /// a choke or a cancel ends one too, though its block may have left before.
    ours: Open,
    /// The same of theirs.
    theirs: Open,
    /// Pieces that we may request, and those that it may, while choked.
    allowed: BTreeSet<u32>,
    granted: BTreeSet<u32>,
}

/// Open requests, and how often each was made.
#[derive(Default)]
struct Open(BTreeMap<Request, usize>);

impl Open {
    fn add(&mut self, request: Request) {
        *self.0.entry(request).or_default() += 1;
    }

    /// Ends one. False if there was none.
    fn end(&mut self, request: Request) -> bool {
        let Some(count) = self.0.get_mut(&request) else { return false };
        *count -= 1;
        if *count == 0 {
            self.0.remove(&request);
        }
        true
    }

    fn count(&self) -> usize {
        self.0.values().sum()
    }
}

impl Talk {
    pub(crate) fn new(fast: bool) -> Self {
        Self { fast, ..Self::default() }
    }

    pub(crate) fn is_fast(&self) -> bool {
        self.fast
    }

    pub(crate) fn is_choked(&self) -> bool {
        !self.unchoked_us
    }

    /// The other end says something. False if it answers what was not asked.
    pub(crate) fn received(&mut self, message: &Message) -> bool {
        match message {
            Message::Choke => {
                self.unchoked_us = false;
                if !self.fast {
                    self.ours = Open::default();
                }
            }
            Message::Unchoke => self.unchoked_us = true,
            // Without the fast extension nobody says that a request was dropped.
            Message::Request(request) if self.fast || self.unchoked_it => self.theirs.add(*request),
            // With it, a cancel is answered by the block or a reject.
            Message::Cancel(request) if !self.fast => drop(self.theirs.end(*request)),
            Message::Reject(request) => return self.ours.end(*request),
            Message::AllowedFast(piece) => drop(self.allowed.insert(*piece)),
            _ => return request_of(message).is_none_or(|request| self.ours.end(request)),
        }
        true
    }

    /// The end that is watched says something: what it may not say is a panic.
    pub(crate) fn sent(&mut self, message: &Message) {
        match message {
            Message::HaveAll | Message::HaveNone => {
                assert!(self.fast && !self.spoke, "not fast, or late: {message:?}");
            }
            Message::Bitfield(_) => assert!(!self.spoke, "a late bitfield"),
            _ => assert!(!self.fast || self.spoke, "not what one begins with: {message:?}"),
        }
        self.spoke = true;
        match message {
            Message::Request(request) => {
                let allowed = self.fast && self.allowed.contains(&request.piece);
                assert!(self.unchoked_us || allowed, "a request while choked");
                assert!(self.interested, "a request without interest");
                assert!((1..=metainfo::BLOCK_LEN).contains(&request.len));
                self.ours.add(*request);
            }
            Message::Cancel(request) => {
                let open = if self.fast {
                    self.ours.0.contains_key(request)
                } else {
                    self.ours.end(*request)
                };
                assert!(open, "a cancel of what is not due");
            }
            Message::Piece { piece, .. } => {
                let granted = self.granted.contains(piece);
                assert!(self.unchoked_it || granted, "a block to a choked peer");
                let request = request_of(message).expect("of a block");
                assert!(self.theirs.end(request), "a block that is not due: {request:?}");
            }
            Message::Reject(request) => {
                assert!(self.fast, "a reject without the fast extension");
                assert!(self.theirs.end(*request), "a reject of what is not due: {request:?}");
            }
            Message::AllowedFast(piece) => {
                assert!(self.fast, "allowed fast without the fast extension");
                assert!(self.granted.insert(*piece), "granted twice: {piece}");
            }
            Message::Suggest(_) => assert!(self.fast, "a suggestion without the fast extension"),
            Message::Choke => {
                assert!(std::mem::take(&mut self.unchoked_it), "choked twice");
                if !self.fast {
                    self.theirs = Open::default();
                }
            }
            Message::Unchoke => {
                assert!(!std::mem::replace(&mut self.unchoked_it, true), "unchoked twice");
            }
            Message::Interested => {
                assert!(!std::mem::replace(&mut self.interested, true), "interested twice");
            }
            Message::NotInterested => {
                assert!(std::mem::take(&mut self.interested), "not interested twice");
            }
            _ => {}
        }
    }

    /// What the watched end says of the connection is what the messages show.
    pub(crate) fn check(&self, peer: &PeerStats) {
        assert_eq!(peer.am_choking, !self.unchoked_it);
        assert_eq!(peer.am_interested, self.interested);
        assert!(peer.requested <= self.ours.count(), "{} requests are due", peer.requested);
        if self.fast {
            let open = self.theirs.count();
            assert!(open <= peer.queued, "{open} requests and {} answers", peer.queued);
        } else {
            assert!(self.unchoked_us || peer.requested == 0, "a choking peer owes blocks");
        }
    }
}

/// The request that a block answers.
fn request_of(message: &Message) -> Option<Request> {
    let Message::Piece { piece, offset, payload } = message else { return None };
    let len = u32::try_from(payload.len()).expect("a block");
    Some(Request { piece: *piece, offset: *offset, len })
}
