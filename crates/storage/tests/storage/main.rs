//! Tests of the crate through its public API, each on both back ends.
//! Nothing here looks inside, or waits for anything but an answer.

mod disk;
mod faults;
mod support;
mod verify;
