//! docs/json.md, held against what the commands print with `--json`. The events of `download` and `seed`
//! are compared where they are made.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kit::{Stage, run};

type Keys = BTreeSet<String>;

/// The keys of a JSON value, those within others as `files[].path`.
fn keys(value: &Value, path: &str, found: &mut Keys) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                keys(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(all) => all.iter().for_each(|one| keys(one, &format!("{path}[]"), found)),
        _ => {}
    }
}

fn docs(heading: &str) -> String {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md"));
    let docs = docs.unwrap();
    let section = docs.split("\n## ").find(|section| section.starts_with(heading)).expect(heading);
    section.to_owned()
}

/// The keys in the example of a section of docs/json.md.
fn example(heading: &str) -> Keys {
    let section = docs(heading);
    let (_, example) = section.split_once("```json\n").unwrap();
    let example = serde_json::from_str(example.split_once("```").unwrap().0).unwrap();
    let mut found = Keys::new();
    keys(&example, "", &mut found);
    found
}

/// The keys that only the tables of a section name.
fn table(heading: &str) -> Keys {
    let section = docs(heading);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    rows.flat_map(|(cell, _)| cell.split(", ").map(|key| key.trim_matches('`').to_owned()))
        .collect()
}

/// What a command prints has each key of the example, and none that is not documented.
fn compare(sections: &[&str], optional: &[&str], arguments: &[&str]) {
    let mut told = Keys::new();
    keys(&run(arguments).json(), "", &mut told);
    let optional = optional.iter().flat_map(|section| table(section));
    let always: Keys = sections.iter().flat_map(|section| example(section)).collect();
    let lacking: Vec<_> = always.difference(&told).collect();
    assert!(lacking.is_empty(), "{arguments:?} prints no {lacking:?}");
    let documented: Keys = always.iter().cloned().chain(optional).collect();
    let unknown: Vec<_> = told.difference(&documented).collect();
    assert!(unknown.is_empty(), "docs/json.md does not name {unknown:?} of {arguments:?}");
}

#[test]
fn commands_print_the_keys_that_are_documented() {
    let stage = Stage::new();
    let photos = stage.photos();
    let photos = photos.to_str().unwrap();
    let torrent = stage.path("photos.torrent");
    let create = ["create", photos, "-o", &torrent, "--json", "-t", "http://a.example/announce"];
    compare(&["create"], &[], &create);
    compare(&["show"], &["show"], &["show", &torrent, "--json"]);
    stage.write("photos/b/2.jpg", b"other");
    stage.write("photos/a/1.jpg", &vec![1; 20_000]);
    let here = stage.path("");
    compare(&["verify"], &["verify"], &["verify", &torrent, "-d", &here, "--json"]);
    let edited = stage.path("edited.torrent");
    let edit = ["edit", &torrent, "-o", &edited, "--private", "--json"];
    compare(&["create"], &["edit"], &edit);
    let uri = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=x&so=1";
    compare(&["magnet show"], &[], &["magnet", "show", uri, "--json"]);
    // Nothing listens on port 1.
    let deaf = stage.path("deaf.torrent");
    run(["edit", &torrent, "-o", &deaf, "-t", "http://127.0.0.1:1/announce"]).success();
    let mut told = Keys::new();
    keys(&run(["scrape", &deaf, "--json"]).json(), "", &mut told);
    assert!(told.is_subset(&example("announce")), "{told:?}");
}
