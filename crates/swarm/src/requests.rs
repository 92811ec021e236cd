//! The request pipeline of one peer: what it owes us, and how much to ask for ahead.
//! It knows nothing of other peers and of what the blocks are for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use metainfo::{BLOCK_LEN, Block, PieceIndex};

use crate::limits::{
    LATE_KEPT, MOVE_NOT_FIRST, QUEUE_SECONDS, REJECT_REST_FIRST, REJECT_REST_LAST, SNUB_AFTER,
    STALE_AFTER, WINDOW_FIRST, WINDOW_MAX, WINDOW_MIN,
};

/// How an arrived block relates to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It was due.
    Due,
    /// It was asked for and taken back, and crossed that on the way.
    Late,
    /// It was never asked for, or was answered before.
    Unrequested,
}

/// Requests to one peer.
#[derive(Debug)]
pub(crate) struct Pipeline {
    /// Asked and due, in the order of the requests, which is the order of the answers.
    due: VecDeque<Due>,
    /// Requests that were answered.
    answered: u64,
    /// Taken back, and possibly still to come.
    late: VecDeque<Block>,
    window: usize,
    /// The most it keeps without dropping any, as it says.
    limit: usize,
    slow_start: bool,
    last_rate: u64,
    /// When the silence began: the last block, or the first request after having none due.
    silent_since: Instant,
    snubbed: bool,
    /// It rejects what it is asked for: not to be asked before this.
    rests_until: Option<Instant>,
    /// The rest after its next reject.
    next_rest: Duration,
}

/// A request that is not answered.
#[derive(Clone, Copy, Debug)]
struct Due {
    block: Block,
    /// How many others are answered before it, if each is in its turn.
    turn: u64,
}

impl Pipeline {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            due: VecDeque::new(),
            answered: 0,
            late: VecDeque::new(),
            window: WINDOW_FIRST,
            limit: WINDOW_MAX,
            slow_start: true,
            last_rate: 0,
            silent_since: now,
            snubbed: false,
            rests_until: None,
            next_rest: REJECT_REST_FIRST,
        }
    }

    /// How many more blocks to ask for now.
    pub(crate) fn room(&self) -> usize {
        if self.rests_until.is_some() {
            return 0;
        }
        self.window.min(self.limit).saturating_sub(self.due.len())
    }

    /// The peer keeps no more than so many requests (BEP 10, `reqq`); `None` if it didn't say. It
    /// keeps one at least, or it would be of no use.
    pub(crate) fn set_limit(&mut self, requests: Option<u32>) {
        let limit = requests.and_then(|requests| usize::try_from(requests).ok());
        self.limit = limit.unwrap_or(WINDOW_MAX).clamp(1, WINDOW_MAX);
    }

    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// What is due, the last asked first.
    pub(crate) fn last_first(&self) -> impl Iterator<Item = Block> + '_ {
        self.due.iter().rev().map(|due| due.block)
    }

    /// What is due beyond the first `kept`, the last asked first.
    pub(crate) fn beyond(&self, kept: usize) -> impl Iterator<Item = Block> + '_ {
        self.due.iter().skip(kept).rev().map(|due| due.block)
    }

    /// Blocks of the piece that are due and likely not to be on their way yet.
    pub(crate) fn waiting(&self, piece: PieceIndex) -> impl Iterator<Item = Block> + '_ {
        let behind = self.due.iter().skip(MOVE_NOT_FIRST);
        behind.map(|due| due.block).filter(move |block| block.piece() == piece)
    }

    /// What seems not to be on its way, the last asked first: all that is due of a peer that is
    /// silent, and of any other what it has passed over.
    pub(crate) fn stale(&self, now: Instant) -> impl Iterator<Item = Block> + '_ {
        let passed_over = || self.due.iter().take_while(|due| self.is_passed_over(due)).count();
        let stale = if self.is_stale(now) { self.due.len() } else { passed_over() };
        self.due.iter().take(stale).rev().map(|due| due.block)
    }

    /// Whether so many were answered that came after it that this is not only another order.
    fn is_passed_over(&self, due: &Due) -> bool {
        self.answered > due.turn.saturating_add(WINDOW_MAX as u64)
    }

    pub(crate) fn is_snubbed(&self) -> bool {
        self.snubbed
    }

    pub(crate) fn ask(&mut self, now: Instant, block: Block) {
        if self.due.is_empty() {
            self.silent_since = now;
        }
        let turn = self.answered.saturating_add(self.due.len() as u64);
        self.due.push_back(Due { block, turn });
    }

    pub(crate) fn arrived(&mut self, now: Instant, block: Block) -> Arrival {
        if self.remove_due(block) {
            self.answered = self.answered.saturating_add(1);
            if self.slow_start && self.window < WINDOW_MAX {
                self.window += 1;
            }
            self.delivers(now);
            Arrival::Due
        } else if remove(&mut self.late, |late| *late == block) {
            Arrival::Late
        } else {
            Arrival::Unrequested
        }
    }

    /// It sent a block that was of use: it is not silent. One that was taken back and is here already
    /// does not count, or a peer could send nothing else and hold on to what is due.
    pub(crate) fn delivers(&mut self, now: Instant) {
        self.silent_since = now;
        self.next_rest = REJECT_REST_FIRST;
        if self.snubbed {
            self.snubbed = false;
            self.window = WINDOW_MIN;
            self.slow_start = true;
        }
    }

    /// The peer will not answer a request (BEP 6). [`Arrival::Due`]: the block is to be asked of
    /// others.
    pub(crate) fn rejected(&mut self, block: Block) -> Arrival {
        if self.remove_due(block) {
            Arrival::Due
        } else if remove(&mut self.late, |late| *late == block) {
            Arrival::Late
        } else {
            Arrival::Unrequested
        }
    }

    /// The peer is not asked for a while: it rejects, though it does not choke us.
    pub(crate) fn rest(&mut self, now: Instant) {
        if self.rests_until.is_none() {
            self.rests_until = Some(now + self.next_rest);
            self.next_rest = (self.next_rest * 2).min(REJECT_REST_LAST);
        }
    }

    /// Takes a request back. True if the block was due.
    pub(crate) fn cancel(&mut self, block: Block) -> bool {
        let due = self.remove_due(block);
        if due {
            self.keep_late(block);
        }
        due
    }

    /// Takes all requests back (choked, snubbed) and gives them, to be asked of others.
    pub(crate) fn give_up(&mut self) -> Vec<Block> {
        let blocks: Vec<Block> = self.due.drain(..).map(|due| due.block).collect();
        for block in &blocks {
            self.keep_late(*block);
        }
        blocks
    }

    /// Adjusts the window to the measured bytes a second, and ends a rest.
    pub(crate) fn tick(&mut self, now: Instant, rate: u64) {
        self.rests_until = self.rests_until.filter(|until| *until > now);
        // Slow start ends when asking for more no longer brings more.
        if self.slow_start && rate > 0 && rate < self.last_rate.saturating_add(self.last_rate / 8) {
            self.slow_start = false;
        }
        self.last_rate = rate;
        if !self.slow_start && !self.snubbed {
            let ahead = rate.saturating_mul(QUEUE_SECONDS) / u64::from(BLOCK_LEN);
            let ahead = usize::try_from(ahead).unwrap_or(WINDOW_MAX);
            self.window = ahead.clamp(WINDOW_MIN, WINDOW_MAX);
        }
    }

    /// True once blocks have been due for too long without one coming. The peer is asked for one
    /// block at a time from then on, until it sends something.
    pub(crate) fn snub(&mut self, now: Instant) -> bool {
        let silent = now.saturating_duration_since(self.silent_since) >= SNUB_AFTER;
        let snub = silent && !self.due.is_empty();
        if snub {
            self.snubbed = true;
            self.window = 1;
        }
        snub
    }

    /// True if it owes blocks and is silent: nothing seems to be on its way.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        let silent = now.saturating_duration_since(self.silent_since);
        self.snubbed || (!self.due.is_empty() && silent >= STALE_AFTER)
    }

    /// How long all that is due takes at `rate` bytes a second, in milliseconds.
    pub(crate) fn millis_left(&self, rate: u64) -> u64 {
        let bytes = u64::from(BLOCK_LEN).saturating_mul(self.due.len() as u64);
        bytes.saturating_mul(1000) / rate.max(1)
    }

    fn remove_due(&mut self, block: Block) -> bool {
        remove(&mut self.due, |due| due.block == block)
    }

    fn keep_late(&mut self, block: Block) {
        if self.late.len() == LATE_KEPT {
            self.late.pop_front();
        }
        self.late.push_back(block);
    }
}

/// Removes the first that `is` meant. Answers come in the order of the requests, so it is nearly
/// always at the front.
fn remove<T>(queue: &mut VecDeque<T>, is: impl Fn(&T) -> bool) -> bool {
    match queue.iter().position(is) {
        Some(0) => queue.pop_front().is_some(),
        Some(at) => queue.remove(at).is_some(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
