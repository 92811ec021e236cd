//! Hands libFuzzer's bytes to `targets::lsd`, which holds the rules. Never judges anything itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::lsd::run(data));
