//! How long the network thread ever kept its other tasks waiting: by work of its own, by a page fault,
//! or because the system gave the processor to somebody else.
//! It watches only while somebody wants to know, and never does anything about it.

use std::time::{Duration, Instant};

/// How often it is looked: seldom enough to cost nothing, and a gap that matters is longer.
const TICK: Duration = Duration::from_millis(2);

/// Logs each gap that is longer than all before it, if this module's debug messages are wanted
/// (`RUST_LOG=session::gap=debug`). To be spawned on the network thread.
pub(crate) async fn watch() {
    if !log::log_enabled!(log::Level::Debug) {
        return;
    }
    let mut longest = Duration::ZERO;
    loop {
        let before = Instant::now();
        tokio::time::sleep(TICK).await;
        let late = before.elapsed().saturating_sub(TICK);
        if late > longest {
            longest = late;
            log::debug!("the network thread's longest gap so far: {} us", longest.as_micros());
        }
    }
}
