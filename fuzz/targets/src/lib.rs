//! What must hold whatever bytes come, one module a kind of input. `fuzz/` feeds them with what
//! libFuzzer makes up, the test in `tests/` with the seeds in `fuzz/seeds/`. It owns the rules, and
//! never makes up input itself.
//!
//! A new target is a module with a `run`, a line in [`ALL`], and an entry point in `fuzz/`.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a broken rule is a panic")]

mod script;

pub mod bencode;
pub mod dht;
pub mod extension;
pub mod lsd;
pub mod magnet;
pub mod metadata;
pub mod metainfo;
pub mod mse;
pub mod resume;
pub mod swarm;
pub mod tracker_http;
pub mod tracker_udp;
pub mod wire;

/// Takes any bytes; panics if a rule is broken.
pub type Run = fn(&[u8]);

/// Every target by its name, which is also that of its folder of seeds.
pub const ALL: &[(&str, Run)] = &[
    ("bencode", bencode::run),
    ("dht", dht::run),
    ("extension", extension::run),
    ("lsd", lsd::run),
    ("magnet", magnet::run),
    ("metadata", metadata::run),
    ("metainfo", metainfo::run),
    ("mse", mse::run),
    ("resume", resume::run),
    ("swarm", swarm::run),
    ("tracker_http", tracker_http::run),
    ("tracker_udp", tracker_udp::run),
    ("wire", wire::run),
];
