//! The info dictionary, which a magnet URI does not hold (BEP 9): fetching it from peers, keeping what
//! they say before it is known, and giving it to others. It sends nothing itself.

mod copy;
mod early;
mod fetch;
mod serve;

pub(crate) use early::Early;
pub use fetch::Progress;
pub(crate) use fetch::{Fetch, Outcome};
pub(crate) use serve::Serving;

#[cfg(test)]
mod tests;
