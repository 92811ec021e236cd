//! Owns the tests of the extended messages: what real clients send is understood, what we send is understood by us, and
//! no bytes do harm.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::*;
use crate::limits::{
    MAX_CLIENT_LEN, MAX_EXTENDED_HANDSHAKE_LEN, MAX_PEX_CONTACTS, METADATA_PIECE_LEN,
};

#[test]
fn the_handshake_of_libtorrent_is_understood() {
    let theirs = Handshake::decode(
        b"d12:complete_agoi-1e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e12:ut_holepunch\
          i4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei31235e4:reqqi2000e11:upload_onlyi1e\
          1:v17:libtorrent/2.0.8 6:yourip4:\x0a\x4d\x00\x01e",
    );
    let theirs = theirs.unwrap();
    assert_eq!(theirs.ids.get(Extension::Metadata), Some(2));
    assert_eq!(theirs.ids.get(Extension::Pex), Some(1));
    assert_eq!(theirs.ids.get(Extension::DontHave), Some(7));
    assert_eq!(theirs.client.as_deref(), Some("libtorrent/2.0.8 "));
    assert_eq!(theirs.max_requests, Some(2000));
    assert_eq!(theirs.metadata_size, Some(31235));
    assert_eq!(theirs.upload_only, Some(true));
    assert_eq!(theirs.your_ip, Some(Ipv4Addr::new(10, 77, 0, 1).into()));
    assert_eq!((theirs.port, theirs.ipv4, theirs.ipv6), (None, None, None));
}

#[test]
fn the_handshake_of_transmission_is_understood() {
    let theirs = Handshake::decode(
        b"d1:ei1e4:ipv616:\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x011:md11:ut_metadatai3e6:ut_pexi1ee\
          13:metadata_sizei132e1:pi51413e4:reqqi512e11:upload_onlyi0e1:v17:Transmission 3.00e",
    )
    .unwrap();
    assert_eq!(theirs.ids.get(Extension::Metadata), Some(3));
    assert_eq!(theirs.ids.get(Extension::DontHave), None);
    assert_eq!(theirs.port, Some(51413));
    assert_eq!(theirs.upload_only, Some(false));
    assert_eq!(theirs.ipv6, Some("fe80::1".parse().unwrap()));
}

#[test]
fn an_old_handshake_with_its_keys_out_of_order_is_understood() {
    let theirs =
        Handshake::decode(b"d1:v14:\xc2\xb5Torrent 1.2\x1b1:pi6881e1:md6:ut_pexi2eee").unwrap();
    assert_eq!(theirs.client.as_deref(), Some("\u{b5}Torrent 1.2?"), "an escape is no letter");
    assert_eq!(theirs.ids.get(Extension::Pex), Some(2));
    assert_eq!(Handshake::decode(b"de"), Ok(Handshake::default()));
}

#[test]
fn fields_that_make_no_sense_are_missing_and_cost_nothing_else() {
    let theirs = Handshake::decode(
        b"d4:ipv43:abc4:ipv64:abcd1:md11:ut_metadatai-3e6:ut_pexi256e11:lt_donthave1:7e\
          13:metadata_sizei-1e1:pi65536e4:reqqi99999999999e11:upload_only1:11:vi7e6:yourip5:abcdee",
    );
    assert_eq!(theirs, Ok(Handshake::default()));
    let theirs = Handshake::decode(b"d1:mi5e13:metadata_sizei0e1:pi0e1:v0:e");
    assert_eq!(theirs, Ok(Handshake::default()));
}

#[test]
fn a_later_handshake_changes_what_it_mentions() {
    let mut ids = Ids::local(Extension::ALL);
    let later = Handshake::decode(b"d1:md11:ut_metadatai0e6:ut_pexi9eee").unwrap();
    ids.update(later.ids);
    assert_eq!(ids.get(Extension::Metadata), None);
    assert_eq!(ids.get(Extension::Pex), Some(9));
    assert_eq!(ids.get(Extension::DontHave), Some(Extension::DontHave.local_id()));
}

#[test]
fn a_long_name_is_cut() {
    let mut payload = b"d1:v300:".to_vec();
    payload.extend("\u{4e2d}".repeat(100).bytes());
    payload.push(b'e');
    let client = Handshake::decode(&payload).unwrap().client.unwrap();
    assert_eq!(client, "\u{4e2d}".repeat(MAX_CLIENT_LEN));
}

#[test]
fn our_numbers_are_distinct_and_lead_back() {
    for (number, extension) in (1..).zip(Extension::ALL) {
        assert_eq!(extension.local_id(), number);
        assert_eq!(Extension::of_local_id(number), Some(extension));
    }
    assert_eq!(Extension::of_local_id(HANDSHAKE_ID), None);
    assert_eq!(max_len(HANDSHAKE_ID), Some(MAX_EXTENDED_HANDSHAKE_LEN));
    assert_eq!(max_len(200), None);
}

#[test]
fn metadata_is_written_as_bep_9_says() {
    let request = Metadata::Request { piece: 0 };
    assert_eq!(&request.encode()[..], b"d8:msg_typei0e5:piecei0ee");
    let reject = Metadata::Reject { piece: 7 };
    assert_eq!(&reject.encode()[..], b"d8:msg_typei2e5:piecei7ee");
    let data = Metadata::Data { piece: 0, total_size: Some(34256), data: b"xxx" };
    assert_eq!(&data.encode()[..], b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxx");
}

#[test]
fn metadata_of_other_clients_is_understood() {
    // Some leave the total out, some put bytes behind a request.
    let data = Metadata::decode(b"d8:msg_typei1e5:piecei2ee123");
    assert_eq!(data, Ok(Some(Metadata::Data { piece: 2, total_size: None, data: b"123" })));
    let request = Metadata::decode(b"d8:msg_typei0e5:piecei2eex");
    assert_eq!(request, Ok(Some(Metadata::Request { piece: 2 })));
    assert_eq!(Metadata::decode(b"d8:msg_typei3e5:piecei2ee"), Ok(None));
    assert_eq!(Metadata::decode(b"d8:msg_typei9ee"), Ok(None));
}

#[test]
fn metadata_that_lies_about_its_shape_is_refused() {
    for payload in [
        &b""[..],
        b"i0e",
        b"le",
        b"d8:msg_typei0e5:piece",
        b"d8:msg_typei0ee",
        b"d5:piecei0ee",
        b"d8:msg_type1:05:piecei0ee",
        b"d8:msg_typei0e5:piecei-1ee",
        b"d8:msg_typei1e5:piecei4294967296eex",
        b"d8:msg_typei1e5:piecei0ee",
    ] {
        let error = Metadata::decode(payload).expect_err("refused");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let mut data = b"d8:msg_typei1e5:piecei0ee".to_vec();
    data.resize(data.len() + METADATA_PIECE_LEN, 1);
    assert!(Metadata::decode(&data).is_ok());
    data.push(1);
    assert!(Metadata::decode(&data).is_err());
}

#[test]
fn pex_of_libtorrent_is_understood() {
    let pex = Pex::decode(
        b"d5:added12:\x0a\x4d\x00\x02\x1a\xe1\x0a\x4d\x00\x03\xc8\xd57:added.f2:\x02\x106:added6\
          18:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\x1a\xe18:added6.f1:\x007:dropped6:\
          \x0a\x4d\x00\x04\0\x508:dropped60:e",
    )
    .unwrap();
    let contact = |addr: &str, flags| Contact { addr: addr.parse().unwrap(), flags };
    assert_eq!(
        pex.added,
        [
            contact("10.77.0.2:6881", ContactFlags::UPLOAD_ONLY),
            contact("10.77.0.3:51413", ContactFlags::REACHABLE),
            contact("[2001:db8::5]:6881", ContactFlags::default()),
        ]
    );
    assert_eq!(pex.dropped, ["10.77.0.4:80".parse().unwrap()]);
    assert!(!pex.is_empty() && Pex::decode(b"d5:added0:7:dropped0:e").unwrap().is_empty());
}

#[test]
fn flags_of_a_contact_are_told_one_by_one() {
    let both = ContactFlags::UTP.with(ContactFlags::REACHABLE);
    let told = Pex {
        added: vec![Contact { addr: "10.77.0.2:6881".parse().unwrap(), flags: both }],
        dropped: Vec::new(),
    };
    let heard = Pex::decode(&told.encode()).unwrap().added[0].flags;
    assert!(heard.has(ContactFlags::UTP) && heard.has(ContactFlags::REACHABLE) && heard.has(both));
    assert!(!heard.has(ContactFlags::HOLEPUNCH.with(ContactFlags::UTP)), "only one of the two");
}

#[test]
fn an_extension_that_is_no_longer_taken_is_told_so() {
    let mut ids = Ids::local([Extension::Pex, Extension::Metadata]);
    ids.offer(Extension::Pex, false);
    let heard = Handshake::decode(&Handshake { ids, ..Handshake::default() }.encode()).unwrap();
    assert_eq!(heard.ids.get(Extension::Pex), None);
    assert_eq!(heard.ids.get(Extension::Metadata), Some(Extension::Metadata.local_id()));
    ids.offer(Extension::Pex, true);
    assert_eq!(ids.get(Extension::Pex), Some(Extension::Pex.local_id()));
}

#[test]
fn pex_takes_whole_contacts_only_and_not_too_many() {
    let pex =
        Pex::decode(b"d5:added8:\x01\x02\x03\x04\0\x50\x05\x067:dropped6:\x01\x02\x03\x04\0\0e");
    let pex = pex.unwrap();
    assert_eq!(pex.added.len(), 1, "without flags, and the rest is no address");
    assert!(pex.dropped.is_empty(), "port 0");

    let addrs = (0..1000_u16).map(|n| SocketAddr::from(([9, 9, (n >> 8) as u8, n as u8], 80)));
    let added = addrs.clone().map(|addr| Contact { addr, flags: ContactFlags(0) }).collect();
    let told = Pex { added, dropped: addrs.collect() };
    let heard = Pex::decode(&told.encode()).unwrap();
    assert_eq!(heard.added[..], told.added[..MAX_PEX_CONTACTS]);
    assert_eq!(heard.dropped[..], told.dropped[..MAX_PEX_CONTACTS]);
}

#[test]
fn a_payload_that_is_all_structure_is_refused() {
    let deep = vec![b'l'; 10_000];
    let wide = [&b"d1:md"[..], &b"1:ai0e".repeat(3_000), b"ee"].concat();
    for payload in [deep, wide] {
        assert!(Handshake::decode(&payload).is_err());
        assert!(Metadata::decode(&payload).is_err());
        assert!(Pex::decode(&payload).is_err());
    }
}

#[test]
fn dont_have_is_one_number() {
    assert_eq!(DontHave::decode(&DontHave(0x0102_0304).encode()), Ok(DontHave(0x0102_0304)));
    assert_eq!(&DontHave(0x0102_0304).encode()[..], [1, 2, 3, 4]);
    assert!(DontHave::decode(b"123").is_err());
    assert!(DontHave::decode(b"12345").is_err());
}

fn any_addr() -> impl Strategy<Value = SocketAddr> {
    // Of IPv6, those that are not IPv4 in other clothes: they come back as what they are.
    let v4 = any::<[u8; 4]>().prop_map(|ip| IpAddr::from(Ipv4Addr::from(ip)));
    let v6 = any::<[u8; 14]>().prop_map(|rest| {
        let mut ip = [0x20; 16];
        ip[2..].copy_from_slice(&rest);
        IpAddr::from(Ipv6Addr::from(ip))
    });
    (prop_oneof![v4, v6], 1..=u16::MAX).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn any_handshake() -> impl Strategy<Value = Handshake> {
    use proptest::option::of as option;
    let ids = proptest::array::uniform3(option(any::<u8>())).prop_map(|told| {
        let mut ids = Ids::NONE;
        for (extension, id) in Extension::ALL.into_iter().zip(told) {
            if let Some(id) = id {
                ids.set(extension, id);
            }
        }
        ids
    });
    let numbers = (option(1..=u16::MAX), option(any::<u32>()), option(1..=u32::MAX));
    let ips = (
        option(any_addr().prop_map(|addr| addr.ip())),
        option(any::<[u8; 4]>().prop_map(Ipv4Addr::from)),
        option(any::<[u8; 16]>().prop_map(Ipv6Addr::from)),
    );
    let client = option("[ -~\u{b5}\u{4e2d}]{1,64}");
    (ids, client, numbers, ips, option(any::<bool>())).prop_map(
        |(ids, client, (port, max_requests, metadata_size), (your_ip, ipv4, ipv6), upload_only)| {
            Handshake {
                ids,
                client,
                port,
                max_requests,
                your_ip,
                ipv4,
                ipv6,
                metadata_size,
                upload_only,
            }
        },
    )
}

fn any_pex() -> impl Strategy<Value = Pex> {
    // Contacts of one family come before those of the other.
    let contact = (any_addr(), any::<u8>())
        .prop_map(|(addr, flags)| Contact { addr, flags: ContactFlags(flags) });
    let added = proptest::collection::vec(contact, 0..=MAX_PEX_CONTACTS);
    let dropped = proptest::collection::vec(any_addr(), 0..=MAX_PEX_CONTACTS);
    (added, dropped).prop_map(|(mut added, mut dropped)| {
        added.sort_by_key(|contact| contact.addr.is_ipv6());
        dropped.sort_by_key(SocketAddr::is_ipv6);
        Pex { added, dropped }
    })
}

/// Whatever it is, nothing may panic.
fn read_as_everything(payload: &[u8]) {
    let _ = Handshake::decode(payload).map(|handshake| handshake.encode());
    let _ = Metadata::decode(payload).map(|message| message.map(|message| message.encode()));
    let _ = Pex::decode(payload).map(|pex| pex.encode());
    let _ = DontHave::decode(payload).map(DontHave::encode);
}

proptest! {
    #[test]
    fn what_we_write_we_read(handshake in any_handshake(), pex in any_pex()) {
        let payload = handshake.encode();
        prop_assert!(payload.len() <= MAX_EXTENDED_HANDSHAKE_LEN);
        prop_assert_eq!(Handshake::decode(&payload), Ok(handshake));
        let payload = pex.encode();
        prop_assert!(Some(payload.len()) <= max_len(Extension::Pex.local_id()));
        prop_assert_eq!(Pex::decode(&payload), Ok(pex));
    }

    #[test]
    fn metadata_we_write_we_read(
        piece in any::<u32>(),
        total_size in proptest::option::of(any::<u32>()),
        data in proptest::collection::vec(any::<u8>(), 1..=METADATA_PIECE_LEN),
    ) {
        let data = Metadata::Data { piece, total_size, data: &data };
        for message in [Metadata::Request { piece }, data, Metadata::Reject { piece }] {
            let payload = message.encode();
            prop_assert!(Some(payload.len()) <= max_len(Extension::Metadata.local_id()));
            prop_assert_eq!(Metadata::decode(&payload), Ok(Some(message)));
        }
    }

    #[test]
    fn no_bytes_do_harm(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_as_everything(&payload);
    }

    #[test]
    fn no_change_to_a_good_payload_does_harm(
        handshake in any_handshake(),
        pex in any_pex(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let data = Metadata::Data { piece: 3, total_size: Some(20_000), data: b"abc" };
        for mut payload in [handshake.encode(), pex.encode(), data.encode()] {
            for (at, byte) in &changes {
                let at = at.index(payload.len());
                payload[at] = *byte;
            }
            read_as_everything(&payload);
        }
    }
}
