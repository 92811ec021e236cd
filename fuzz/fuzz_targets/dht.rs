//! Hands libFuzzer's bytes to `targets::dht`, which holds the rules. Never judges anything itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::dht::run(data));
