//! What a connection was worth lately, in bytes over one to two minutes: what decides who keeps a
//! scarce place. It decides nothing itself, and reads counters once a second, never a block.

use std::time::Instant;

use crate::limits::IDLE_ROOM;

/// Bytes that moved on one connection, in the minute before the last mark and since it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worth {
    marked: Instant,
    down: Minutes,
    up: Minutes,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
struct Minutes {
    /// The counter at the last mark.
    at_mark: u64,
    /// Bytes of the minute before it.
    before: u64,
}

impl Worth {
    pub(crate) fn new(now: Instant) -> Self {
        Self { marked: now, down: Minutes::default(), up: Minutes::default() }
    }

    /// Begins the next minute if this one is over. `down` and `up` are the counters.
    pub(crate) fn tick(&mut self, now: Instant, down: u64, up: u64) {
        if now.saturating_duration_since(self.marked) >= IDLE_ROOM {
            self.marked = now;
            self.down.mark(down);
            self.up.mark(up);
        }
    }

    /// Bytes that the peer gave us lately.
    pub(crate) fn gave(&self, down: u64) -> u64 {
        self.down.lately(down)
    }

    /// Bytes that it took lately.
    pub(crate) fn took(&self, up: u64) -> u64 {
        self.up.lately(up)
    }
}

impl Minutes {
    fn mark(&mut self, total: u64) {
        self.before = total.saturating_sub(self.at_mark);
        self.at_mark = total;
    }

    fn lately(&self, total: u64) -> u64 {
        self.before.saturating_add(total.saturating_sub(self.at_mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_two_minutes_count() {
        let start = Instant::now();
        let mut worth = Worth::new(start);
        worth.tick(start + IDLE_ROOM / 2, 100, 7);
        assert_eq!((worth.gave(100), worth.took(7)), (100, 7));
        worth.tick(start + IDLE_ROOM, 150, 7);
        assert_eq!((worth.gave(160), worth.took(7)), (160, 7));
        worth.tick(start + 2 * IDLE_ROOM, 160, 7);
        assert_eq!((worth.gave(160), worth.took(7)), (10, 0));
        worth.tick(start + 3 * IDLE_ROOM, 160, 7);
        assert_eq!((worth.gave(160), worth.took(7)), (0, 0));
    }
}
