//! The machine in words, for whoever reads the figures elsewhere. Owns the reading of /proc; never
//! measures anything.

use std::fs;

/// CPU, cores and kernel.
pub(super) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = cpu.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = value("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let flags = value("flags").unwrap_or_default();
    let known = ["sha_ni", "avx2", "avx512bw"];
    let known: Vec<&str> =
        known.into_iter().filter(|flag| flags.split(' ').any(|have| have == *flag)).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model} ({}), {cores} cores, Linux {}", known.join(" "), kernel.trim())
}

/// How busy the machine is, for the reader to judge.
pub(super) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load average at the end: {}", load.split(' ').next().unwrap_or_default())
}
