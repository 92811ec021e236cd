//! Packets against BEP 15's tables, offset by offset.

use proptest::prelude::*;

use super::*;
use crate::testkit::ask;

#[test]
fn a_connect_request() {
    assert_eq!(
        connect(0x0102_0304),
        [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4]
    );
}

#[test]
fn an_announce_request() {
    let mut ask = ask("");
    (ask.uploaded, ask.downloaded, ask.left) = (1, 2, 3);
    let bytes = announce(0x1122_3344_5566_7788, 9, &ask, "");
    assert_eq!(bytes.len(), 98);
    assert_eq!(bytes[..8], [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
    assert_eq!(bytes[8..16], [0, 0, 0, 1, 0, 0, 0, 9]);
    assert_eq!(bytes[16..36], ask.info_hash);
    assert_eq!(bytes[36..56], ask.peer_id);
    assert_eq!(bytes[56..64], 2u64.to_be_bytes());
    assert_eq!(bytes[64..72], 3u64.to_be_bytes());
    assert_eq!(bytes[72..80], 1u64.to_be_bytes());
    assert_eq!(bytes[80..84], [0, 0, 0, 2]);
    assert_eq!(bytes[84..88], [0; 4]);
    assert_eq!(bytes[88..92], 7u32.to_be_bytes());
    assert_eq!(bytes[92..96], 50u32.to_be_bytes());
    assert_eq!(bytes[96..98], 6881u16.to_be_bytes());
    ask.num_want = None;
    assert_eq!(announce(0, 0, &ask, "")[92..96], [0xff; 4]);
    ask.event = Event::Stopped;
    assert_eq!(announce(0, 0, &ask, "")[92..96], [0; 4]);
}

#[test]
fn url_data_follows_in_parts() {
    let short = announce(0, 0, &ask(""), "/dir?a=b");
    assert_eq!(short[98..], [b"\x02\x08".as_slice(), b"/dir?a=b"].concat());
    let path = "x".repeat(300);
    let long = announce(0, 0, &ask(""), &path);
    assert_eq!(long[98..100], [2, 255]);
    assert_eq!(long[355..357], [2, 45]);
    assert_eq!(long.len(), 98 + 2 + 255 + 2 + 45);
}

#[test]
fn a_scrape_request() {
    let bytes = scrape(1, 2, &[[3; 20], [4; 20]]);
    assert_eq!(bytes[8..16], [0, 0, 0, 2, 0, 0, 0, 2]);
    assert_eq!(bytes[16..], [[3; 20], [4; 20]].concat());
}

#[test]
fn answers() {
    let connect = b"\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x07";
    assert_eq!(decode(connect), Some((5, Packet::Connect { connection: 7 })));
    let announce = b"\0\0\0\x01\0\0\0\x05\0\0\x07\x08\0\0\0\x02\0\0\0\x03abcdef";
    let packet = Packet::Announce { interval: 1800, leechers: 2, seeders: 3, peers: b"abcdef" };
    assert_eq!(decode(announce), Some((5, packet)));
    let scrape = b"\0\0\0\x02\0\0\0\x05\0\0\0\x01\0\0\0\x02\0\0\0\x03rest";
    let Some((5, Packet::Scrape { counts: [one] })) = decode(scrape) else { panic!() };
    let read = counts([9; 20], one);
    assert_eq!((read.complete, read.downloaded, read.incomplete), (1, 2, 3));
    assert_eq!(decode(b"\0\0\0\x03\0\0\0\x05no"), Some((5, Packet::Error { message: b"no" })));
    for short in [&connect[..15], &announce[..19], b"\0\0\0\x04\0\0\0\x05", b"\0\0\0\0", b""] {
        assert_eq!(decode(short), None);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, action in 0..5u32) {
        let _ = decode(&bytes);
        let _ = decode(&[&action.to_be_bytes(), bytes.as_slice()].concat());
    }
}
