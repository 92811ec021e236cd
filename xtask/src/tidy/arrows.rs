//! Which crate may use which. Owns the reading of ARCHITECTURE.md's table and its comparison with
//! what cargo says. Never decides what is allowed: the table does, and [`NEVER`] for others' crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Result, cargo};

/// The table's heading in ARCHITECTURE.md.
const HEADING: &str = "| crate | may use |";

/// Crates of others that must not be reachable from a crate of ours, with its default features off.
const NEVER: &[(&str, &[&str])] = &[
    ("egress", &["tokio"]),
    ("piecehash", &["tokio"]),
    ("metainfo", &["tokio"]),
    ("tracker", &["tokio"]),
    ("dht", &["tokio"]),
    ("lsd", &["tokio"]),
    ("wire", &["tokio"]),
    ("swarm", &["tokio"]),
    ("storage", &["tokio"]),
];

/// The only crates of others that a crate may name.
const ONLY: &[(&str, &[&str])] = &[("bencode", &["nom"])];

type Table = BTreeMap<String, BTreeSet<String>>;

/// Complaints, one a line.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let metadata = cargo().args(["metadata", "--format-version=1", "--no-deps"]).output()?;
    if !metadata.status.success() {
        return Err(String::from_utf8_lossy(&metadata.stderr).into_owned().into());
    }
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let packages = packages(&metadata, root);
    let table = table(&fs::read_to_string(root.join("ARCHITECTURE.md"))?, &packages)?;

    let mut complaints = compare(&packages, &table);
    for (name, forbidden) in NEVER.iter().filter(|(name, _)| packages.contains_key(*name)) {
        let tree = tree(name)?;
        for found in forbidden.iter().filter(|dependency| tree.contains(**dependency)) {
            complaints.push(format!("pieces-{name} must never reach {found}; ask cargo tree why"));
        }
    }
    Ok(complaints)
}

/// Each crate of ours with the names of what its manifest depends on, ours without `pieces-`.
fn packages(metadata: &Value, root: &Path) -> Table {
    let crates = root.join("crates");
    let list = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = list.iter().filter(|package| {
        package["manifest_path"].as_str().is_some_and(|path| Path::new(path).starts_with(&crates))
    });
    let named = ours.map(|package| {
        let list = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        let shipped = list.iter().filter(|dependency| dependency["kind"] != "dev");
        (short(&package["name"]), shipped.map(|dependency| short(&dependency["name"])).collect())
    });
    named.collect()
}

fn short(name: &Value) -> String {
    let name = name.as_str().unwrap_or_default();
    name.strip_prefix("pieces-").unwrap_or(name).to_owned()
}

/// The table: who may use whom. Words that are no crate's name explain and are passed over.
fn table(text: &str, packages: &Table) -> Result<Table> {
    let mut lines = text.lines().skip_while(|line| line.trim() != HEADING).skip(2).peekable();
    if lines.peek().is_none() {
        return Err(format!("ARCHITECTURE.md has no table `{HEADING}`").into());
    }
    let mut table = Table::new();
    for line in lines.take_while(|line| line.starts_with('|')) {
        let mut cells = line.trim_matches('|').split('|');
        let (Some(of), Some(may)) = (cells.next(), cells.next()) else {
            return Err(format!("ARCHITECTURE.md: two cells wanted in {line}").into());
        };
        let allowed: BTreeSet<String> = if may.contains("all of the above") {
            table.keys().cloned().collect()
        } else {
            names(may).filter(|name| packages.contains_key(name)).collect()
        };
        for name in names(of).filter(|name| packages.contains_key(name)) {
            table.insert(name, allowed.clone());
        }
    }
    Ok(table)
}

/// The words of a cell, what stands in parentheses left out.
fn names(cell: &str) -> impl Iterator<Item = String> {
    let mut plain = String::new();
    let mut depth = 0_usize;
    for letter in cell.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let words: Vec<String> = plain
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-' && letter != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

fn compare(packages: &Table, table: &Table) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, uses) in packages {
        let Some(allowed) = table.get(name) else {
            complaints.push(format!("ARCHITECTURE.md's table has no row for {name}"));
            continue;
        };
        let ours = uses.iter().filter(|used| packages.contains_key(*used));
        for used in ours.filter(|used| !allowed.contains(*used)) {
            complaints
                .push(format!("pieces-{name} uses pieces-{used}: no such arrow in the table"));
        }
        for (_, only) in ONLY.iter().filter(|(of, _)| of == name) {
            let others = uses.iter().filter(|used| !packages.contains_key(*used));
            for used in others.filter(|used| !only.contains(&used.as_str())) {
                complaints.push(format!("pieces-{name} uses {used}: it may only use {only:?}"));
            }
        }
    }
    complaints
}

/// The names of everything a crate of ours is built from when it is used without default features.
fn tree(name: &str) -> Result<BTreeSet<String>> {
    let package = format!("pieces-{name}");
    let mut tree = cargo();
    tree.args(["tree", "--edges=normal", "--prefix=none", "--no-default-features", "--format={p}"]);
    let output = tree.args(["--package", &package]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(&str, &[&str])]) -> Table {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        rows.iter().map(|(name, uses)| ((*name).to_owned(), owned(uses))).collect()
    }

    const TEXT: &str = "# A\n\n| crate | may use |\n|---|---|\n\
        | bencode, hash | none of ours |\n\
        | wire | bencode (for hash); tokio only under feature `net` |\n\
        | session | all of the above |\n\
        | later: dht | bencode |\n\nafter | wire | session |\n";

    #[test]
    fn a_table_is_read() {
        let packages = of(&[("bencode", &[]), ("hash", &[]), ("wire", &[]), ("session", &[])]);
        let expected = of(&[
            ("bencode", &[]),
            ("hash", &[]),
            ("wire", &["bencode"]),
            ("session", &["bencode", "hash", "wire"]),
        ]);
        assert_eq!(table(TEXT, &packages).unwrap(), expected);
        assert!(table("# A\n", &packages).is_err());
    }

    #[test]
    fn forbidden_arrows_are_named() {
        let packages = of(&[("bencode", &["nom", "serde", "hash"]), ("hash", &[]), ("new", &[])]);
        let table = table(TEXT, &packages).unwrap();
        let complaints = compare(&packages, &table);
        assert_eq!(
            complaints,
            [
                "pieces-bencode uses pieces-hash: no such arrow in the table",
                "pieces-bencode uses serde: it may only use [\"nom\"]",
                "ARCHITECTURE.md's table has no row for new",
            ]
        );
    }
}
