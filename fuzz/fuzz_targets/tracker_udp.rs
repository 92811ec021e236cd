//! Hands libFuzzer's bytes to `targets::tracker_udp`, which holds the rules. Never judges anything itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::tracker_udp::run(data));
