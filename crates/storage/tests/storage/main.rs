//! Tests of the crate through its public API, each on both back ends.
//! Nothing here looks inside, or waits for anything but an answer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod before;
mod disk;
mod faults;
mod hash;
mod names;
mod support;
mod verify;
