//! Replies as trackers write them, and as nobody should.

use proptest::prelude::*;

use super::*;

fn peers(text: &[&str]) -> Vec<SocketAddr> {
    text.iter().map(|addr| addr.parse().unwrap()).collect()
}

#[test]
fn a_compact_reply() {
    let body = b"d8:completei5e11:external ip4:\x01\x02\x03\x0410:incompletei7e8:intervali1800e\
        12:min intervali900e5:peers12:\x0a\x00\x00\x01\x1a\xe1\xc0\xa8\x00\x02\x00\x50\
        6:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe1\
        10:tracker id3:abc15:warning message4:slowe";
    let reply = parse_announce(body).unwrap();
    assert_eq!(
        reply,
        Reply {
            interval: Duration::from_mins(30),
            min_interval: Some(Duration::from_mins(15)),
            peers: peers(&["10.0.0.1:6881", "192.168.0.2:80", "[2001:db8::1]:6881"]),
            complete: Some(5),
            incomplete: Some(7),
            warning: Some("slow".into()),
            tracker_id: Some(b"abc".to_vec()),
            external_ip: Some(Ipv4Addr::new(1, 2, 3, 4).into()),
        }
    );
}

#[test]
fn dictionary_peers() {
    let body = b"d8:intervali60e5:peersl\
        d2:ip9:127.0.0.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881ee\
        d2:ip3:::14:porti6882ee\
        d2:ip11:example.org4:porti6883ee\
        d2:ip7:1.2.3.44:porti70000ee\
        d2:ip7:1.2.3.44:porti-1ee\
        i3e\
        ee";
    let reply = parse_announce(body).unwrap();
    assert_eq!(reply.peers, peers(&["127.0.0.1:6881", "[::1]:6882"]));
}

#[test]
fn peers_are_read_in_every_form_that_servers_make_of_them() {
    for (body, expected) in [
        // Numbers as text, brackets, blanks.
        ("d5:peersld2:ip7:1.2.3.44:port4:6881eee", &["1.2.3.4:6881"][..]),
        ("d5:peersld2:ip8: [::1:2]4:porti6881eeee", &["[::1:2]:6881"]),
        ("d5:peersld2:ip14:::ffff:1.2.3.44:porti6881eeee", &["1.2.3.4:6881"]),
        // `peers6` as a list, `peers6` alone.
        ("d6:peers6ld2:ip11:2001:db8::14:porti6881eeee", &["[2001:db8::1]:6881"]),
        // A list that became a dictionary.
        (
            "d5:peersd1:0d2:ip7:1.2.3.44:porti1ee1:2d2:ip7:1.2.3.54:porti2eeee",
            &["1.2.3.4:1", "1.2.3.5:2"],
        ),
        // Types that nothing can be made of cost nothing else.
        ("d8:completei1e5:peersi7ee", &[]),
        ("d5:peerslleli1eed2:ipi1e4:portleed2:ip0:4:porti0eeee", &[]),
        ("d5:peers0:6:peers60:e", &[]),
    ] {
        assert_eq!(parse_announce(body.as_bytes()).unwrap().peers, peers(expected), "{body}");
    }
}

#[test]
fn numbers_may_be_text() {
    let reply = parse_announce(
        b"d8:complete1:510:incomplete2:-18:interval4:180012:min interval3:9005:peers0:e",
    );
    let reply = reply.unwrap();
    assert_eq!((reply.complete, reply.incomplete), (Some(5), None));
    assert_eq!(reply.interval, Duration::from_mins(30));
    assert_eq!(reply.min_interval, Some(Duration::from_mins(15)));
    let odd = b"d8:completele10:incompletede8:interval3:abc12:min intervalle5:peers0:e";
    let reply = parse_announce(odd).unwrap();
    assert_eq!((reply.complete, reply.incomplete, reply.min_interval), (None, None, None));
    assert_eq!(reply.interval, DEFAULT_INTERVAL);
}

#[test]
fn addresses_of_ours_have_four_or_sixteen_bytes() {
    let of = |body: &[u8]| parse_announce(body).unwrap().external_ip;
    let v6 = b"d11:external ip16:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01e";
    assert_eq!(of(v6), Some("2001:db8::1".parse().unwrap()));
    assert_eq!(of(b"d11:external ip4:\x01\x02\x03\x04e"), Some("1.2.3.4".parse().unwrap()));
    assert_eq!(of(b"d11:external ip7:1.2.3.4e"), None);
    assert_eq!(of(b"d11:external ipi5ee"), None);
}

#[test]
fn addresses_without_a_host_are_dropped() {
    let body = b"d5:peers31:\x00\x00\x00\x00\x00\x50\x01\x02\x03\x04\x00\x00\
        \xe0\x00\x00\x01\x00\x50\xff\xff\xff\xff\x00\x50\x01\x02\x03\x04\x00\x50\x01e";
    assert_eq!(parse_announce(body).unwrap().peers, peers(&["1.2.3.4:80"]));
}

#[test]
fn a_hundred_thousand_peers_are_a_thousand() {
    let mut body = b"d5:peers600000:".to_vec();
    for n in 0..100_000u32 {
        let [_, a, b, c] = n.to_be_bytes();
        body.extend([10, a, b, c, 0x1a, 0xe1]);
    }
    body.push(b'e');
    assert_eq!(parse_announce(&body).unwrap().peers.len(), MAX_PEERS);
}

#[test]
fn intervals_stay_within_the_limits() {
    let of = |body: &str| parse_announce(body.as_bytes()).unwrap().interval;
    assert_eq!(of("de"), DEFAULT_INTERVAL);
    assert_eq!(of("d8:intervali0ee"), MIN_INTERVAL);
    assert_eq!(of("d8:intervali-5ee"), DEFAULT_INTERVAL);
    assert_eq!(of("d8:intervali9223372036854775807ee"), MAX_INTERVAL);
    assert_eq!(of("d8:intervali60e12:min intervali120ee"), Duration::from_mins(2));
    let long = parse_announce(b"d12:min intervali9223372036854775807ee").unwrap();
    assert_eq!(long.min_interval, Some(MAX_INTERVAL));
}

#[test]
fn a_failure_is_an_error_with_the_trackers_words() {
    let error = parse_announce(b"d14:failure reason13:not \x1b[31mreg.e").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failure);
    assert_eq!(error.failure_reason(), Some("not \u{FFFD}[31mreg."));
    assert_eq!(error.to_string(), "the tracker says: not \u{FFFD}[31mreg.");
    assert_eq!(error.retry_in(), None);
    let never = parse_announce(b"d14:failure reason1:x8:retry in5:nevere").unwrap_err();
    assert!(never.is_permanent());
    let later = parse_announce(b"d14:failure reason1:x8:retry in1:5e").unwrap_err();
    assert_eq!(later.retry_in(), Some(Duration::from_mins(5)));
    let later = parse_announce(b"d14:failure reason1:x8:retry ini5ee").unwrap_err();
    assert_eq!(later.retry_in(), Some(Duration::from_mins(5)));
    let odd = parse_announce(b"d14:failure reason4:\xfcber8:retry in4:soone").unwrap_err();
    assert_eq!((odd.failure_reason(), odd.retry_in()), (Some("\u{FFFD}ber"), None));
}

#[test]
fn what_is_no_reply_says_so() {
    for body in [&b"<html>\x1b[2J</html>"[..], b"", b"i1e", b"le", b"d5:peers", b"d8:interval"] {
        let error = parse_announce(body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(!error.to_string().contains('\x1b'));
    }
    let said = |body| parse_announce(body).unwrap_err().to_string();
    assert!(said(b"\n<!DOCTYPE html>").contains("is a web page"));
    assert_eq!(said(b" \r\n"), "the reply is empty");
}

#[test]
fn sloppy_encoding_is_read() {
    for body in [
        &b"d5:peers0:8:intervali90ee\n\n"[..],
        b"\r\n d8:intervali90e5:peers0:e<!-- 0.1 s -->",
        b"\xef\xbb\xbfd8:intervali90ee\0",
    ] {
        assert_eq!(parse_announce(body).unwrap().interval, Duration::from_secs(90));
    }
}

#[test]
fn huge_tracker_ids_are_not_sent_back() {
    let body = format!("d10:tracker id1000:{}e", "x".repeat(1000));
    assert_eq!(parse_announce(body.as_bytes()).unwrap().tracker_id, None);
}

#[test]
fn a_scrape() {
    let known = [b'a'; 20];
    let unknown = [b'b'; 20];
    let body =
        b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi2e10:incompletei-3eeee";
    let reply = parse_scrape(body, &[unknown, known]).unwrap();
    let counts = Counts { info_hash: known, complete: 1, downloaded: 2, incomplete: 0 };
    assert_eq!(reply.torrents, [counts]);
    assert_eq!(parse_scrape(b"de", &[known]).unwrap_err().kind(), ErrorKind::Malformed);
    let failed = parse_scrape(b"d14:failure reason2:noe", &[known]).unwrap_err();
    assert_eq!(failed.failure_reason(), Some("no"));
}

/// Bytes that look like a reply and are wrong somewhere.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        &b"d"[..],
        b"e",
        b"l",
        b"i1e",
        b"i-9e",
        b"5:peers",
        b"6:peers6",
        b"8:interval",
        b"2:ip",
        b"4:port",
        b"7:1.2.3.4",
        b"6:abcdef",
        b"12:min interval",
        b"14:failure reason",
        b"0:",
        b"5:files",
        b"20:aaaaaaaaaaaaaaaaaaaa",
        b"8:complete",
        b"8:retry in",
        b"11:external ip",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>) {
        let _ = parse_announce(&body);
        let _ = parse_scrape(&body, &[[0; 20]]);
    }

    #[test]
    fn no_near_reply_panics(body in nearly()) {
        for body in [body.clone(), [b"d".as_slice(), &body, b"e"].concat()] {
            if let Ok(reply) = parse_announce(&body) {
                prop_assert!(reply.interval >= MIN_INTERVAL && reply.interval <= MAX_INTERVAL);
                prop_assert!(reply.peers.len() <= 2 * MAX_PEERS);
                prop_assert!(reply.peers.iter().all(is_peer));
            }
            let _ = parse_scrape(&body, &[[b'a'; 20]]);
        }
    }
}

#[test]
fn a_tracker_names_what_is_as_far_as_itself() {
    let all = ["9.9.9.9:6881", "10.0.0.1:6881", "127.0.0.1:6881", "9.9.9.9:22"];
    let kept = |class| {
        let mut reply = Reply { peers: peers(&all), ..Reply::default() };
        keep_named(&mut reply, class);
        reply.peers
    };
    assert_eq!(kept(Class::Global), peers(&["9.9.9.9:6881"]));
    assert_eq!(kept(Class::Private), peers(&["9.9.9.9:6881", "10.0.0.1:6881"]));
    assert_eq!(kept(Class::Loopback), peers(&["9.9.9.9:6881", "10.0.0.1:6881", "127.0.0.1:6881"]));
}
