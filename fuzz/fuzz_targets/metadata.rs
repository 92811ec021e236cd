//! Hands libFuzzer's bytes to `targets::metadata`, which holds the rules. Never judges anything itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::metadata::run(data));
