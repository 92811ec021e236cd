//! Edits keep what they are not about, above all the bytes of `info`.

use super::*;
use crate::ErrorKind;
use crate::{Extras, NewFile, Plan, Version};

/// A torrent with keys nobody knows, `info` not in order.
const ODD: &[u8] = b"d8:announce7:udp://a7:comment3:old4:infod4:name1:x6:lengthi0e12:piece \
lengthi16384e6:pieces0:5:extrali1eee5:nodesl1:nee";

#[test]
fn info_stays_as_it_is() {
    let before = Metainfo::from_bytes(ODD).unwrap();
    let edit = Edit {
        tiers: Some(vec![vec!["udp://b".into(), "udp://c".into()]]),
        web_seeds: Some(vec!["http://w".into()]),
        comment: Some("new".into()),
        private: Some(false),
        source: Some(String::new()),
    };
    let edited = edit.apply(ODD).unwrap();
    assert!(!edited.info_changed);
    assert_eq!(
        String::from_utf8(edited.bytes.clone()).unwrap(),
        "d8:announce7:udp://b13:announce-listll7:udp://b7:udp://cee7:comment3:new4:infod4:name1:x\
         6:lengthi0e12:piece lengthi16384e6:pieces0:5:extrali1eee5:nodesl1:ne8:url-list8:http://we"
    );
    let after = Metainfo::from_bytes(&edited.bytes).unwrap();
    assert_eq!(after.info_hash(), before.info_hash());
}

#[test]
fn nothing_changes_nothing() {
    let edited = Edit::default().apply(ODD).unwrap();
    assert_eq!(edited, Edited { bytes: ODD.to_vec(), info_changed: false });
}

#[test]
fn info_is_written_anew_when_it_changes() {
    let edit = Edit { private: Some(true), source: Some("S".into()), ..Edit::default() };
    let edited = edit.apply(ODD).unwrap();
    assert!(edited.info_changed);
    let after = Metainfo::from_bytes(&edited.bytes).unwrap();
    assert!(after.is_private() && after.warnings().is_empty());
    assert_eq!(after.source(), Some("S"));
    assert_eq!(after.comment(), Some("old"));
    let info = "4:infod5:extrali1ee6:lengthi0e4:name1:x12:piece lengthi16384e6:pieces0:\
                7:privatei1e6:source1:Se";
    assert!(String::from_utf8(edited.bytes.clone()).unwrap().contains(info));

    let back = Edit { private: Some(false), source: Some(String::new()), ..Edit::default() };
    let back = back.apply(&edited.bytes).unwrap();
    assert!(back.info_changed);
    assert!(!Metainfo::from_bytes(&back.bytes).unwrap().is_private());
}

#[test]
fn empty_lists_and_texts_remove() {
    let edit = Edit {
        tiers: Some(vec![]),
        web_seeds: Some(vec![]),
        comment: Some(String::new()),
        ..Edit::default()
    };
    let after = Metainfo::from_bytes(&edit.apply(ODD).unwrap().bytes).unwrap();
    assert!(after.tiers().is_empty() && after.web_seeds().is_empty());
    assert_eq!(after.comment(), None);
}

#[test]
fn piece_layers_survive() {
    let file = NewFile { path: vec!["a".into()], length: 40_000, executable: false };
    let plan = Plan::folder(Version::Hybrid, "t", 16_384, vec![file]).unwrap();
    let torrent = plan.encode(&[[1; 20]; 3], &[[2; 32]; 3], &Extras::default()).unwrap();
    let edit = Edit { source: Some("S".into()), ..Edit::default() };
    let after = Metainfo::from_bytes(&edit.apply(&torrent).unwrap().bytes).unwrap();
    assert_eq!(after.version(), Version::Hybrid);
    assert_ne!(after.info_hash_v2(), Metainfo::from_bytes(&torrent).unwrap().info_hash_v2());
}

#[test]
fn only_new_urls_are_judged() {
    let torrent = b"d8:announce12:wss://t.test4:infod6:lengthi0e4:name1:x12:piece lengthi16384e\
                    6:pieces0:ee";
    let tiers = |new: &str| Some(vec![vec!["wss://t.test".into()], vec![new.to_owned()]]);
    let edit = Edit { tiers: tiers("udp://u:1"), ..Edit::default() };
    let after = Metainfo::from_bytes(&edit.apply(torrent).unwrap().bytes).unwrap();
    assert_eq!(after.tiers(), [["wss://t.test"], ["udp://u:1"]]);
    let edit = Edit { tiers: tiers("wss://u.test"), ..Edit::default() };
    assert_eq!(edit.apply(torrent).unwrap_err().kind(), ErrorKind::BadValue);
}

#[test]
fn faults() {
    let edit = Edit { tiers: Some(vec![vec!["x".into()]]), ..Edit::default() };
    let error = edit.apply(ODD).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tracker \"x\" is not a URL of http, https, udp with a host, and a port up to 65535"
    );
    assert_eq!(Edit::default().apply(b"x").unwrap_err().kind(), ErrorKind::Bencode);
}
