//! The packages of others: where they come from and under which licence.
//!
//! Owns the part of `deny.toml` that matters most, checked without cargo-deny. Never looks at
//! advisories: those need the network.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Result, cargo};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// How many packages of others were looked at, and the complaints, one a line.
pub(super) fn check(root: &Path) -> Result<(usize, Vec<String>)> {
    let allowed = allowed(&fs::read_to_string(root.join("deny.toml"))?)?;
    let mut command = cargo();
    command.args(["metadata", "--format-version=1"]);
    let output = command.args(["--filter-platform", "x86_64-unknown-linux-gnu"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let others = packages.iter().filter(|package| {
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        package["source"].is_string() || !Path::new(manifest).starts_with(root)
    });

    let mut complaints = Vec::new();
    let mut count = 0;
    for package in others {
        count += 1;
        let name = package["name"].as_str().unwrap_or_default();
        if package["source"] != CRATES_IO {
            complaints.push(format!("{name} does not come from crates.io"));
        }
        let licence = package["license"].as_str().unwrap_or("none named");
        if !permits(licence, &allowed) {
            complaints.push(format!("{name} has a licence deny.toml does not allow: {licence}"));
        }
    }
    Ok((count, complaints))
}

/// The licences in the list `allow` of deny.toml.
fn allowed(toml: &str) -> Result<BTreeSet<String>> {
    let list = toml.split_once("\nallow = [").and_then(|(_, rest)| rest.split_once("\n]"));
    let (list, _) = list.ok_or("deny.toml has no list `allow` under [licenses]")?;
    let names = list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next());
    Ok(names.map(str::to_owned).collect())
}

/// Whether an SPDX expression can be met with the allowed licences only.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    either(&mut rest, allowed) && rest.is_empty()
}

/// `a OR b`. Both sides are always read, so that the words are used up.
fn either(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut met = both(words, allowed);
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        met |= both(words, allowed);
    }
    met
}

/// `a AND b`, which binds tighter.
fn both(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, allowed);
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        met &= one(words, allowed);
    }
    met
}

/// A licence, one with an exception (which only allows more), or something in parentheses.
fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let (met, rest) = match *words {
        ["(", rest @ ..] => {
            let mut inner = rest;
            let met = either(&mut inner, allowed);
            match inner {
                [")", rest @ ..] => (met, rest),
                _ => (false, inner),
            }
        }
        [name, "WITH", _, rest @ ..] | [name, rest @ ..] => (allowed.contains(*name), rest),
        [] => (false, &[][..]),
    };
    *words = rest;
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_read_and_met() {
        let toml = "[licenses]\nallow = [\n    \"MIT\",  # why\n    \"ISC\",\n]\nx = [\n]\n";
        let allowed = allowed(toml).unwrap();
        assert_eq!(allowed.iter().collect::<Vec<_>>(), ["ISC", "MIT"]);
        for met in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND ISC"] {
            assert!(permits(met, &allowed), "{met}");
        }
        assert!(permits("MIT WITH LLVM-exception OR GPL-3.0", &allowed));
        for unmet in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "GPL-3.0 OR MIT AND BSD-3-Clause"] {
            assert!(!permits(unmet, &allowed), "{unmet}");
        }
    }
}
