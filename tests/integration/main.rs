//! The integration tests: one binary, a module for each subject.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail as tests do")]

mod descriptors;
mod discovery;
mod download;
mod encryption;
mod extended;
mod hostile;
mod interrupt;
mod kit;
mod leech;
mod links;
mod magnet;
mod names;
mod occupied;
mod odd_files;
mod options;
mod padding;
mod preflight;
mod readme;
mod seed;
mod several;
mod shared;
mod show;
mod signals;
mod source;
mod stage;
mod state;
mod stop;
mod unread;
