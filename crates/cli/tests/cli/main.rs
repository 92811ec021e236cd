//! `pieces-cli` from outside: each command that needs no peer, as a user runs it. One binary, so
//! that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bencode;
mod completions;
mod create;
mod edit;
mod fetch;
mod json;
mod kit;
mod magnet;
mod names;
mod shell;
mod show;
mod source;
mod trackers;
mod usage;
mod verify;
