//! What is on the request line, byte for byte.

use proptest::prelude::*;

use super::*;

fn ask(event: Event) -> Announce {
    Announce {
        url: String::new(),
        info_hash: *b"\x00\x12\x34\x56\x78\x9a\xbc\xde\xf0AB-._~ &%+/",
        peer_id: *b"-PC0100-abcdefghijkl",
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event,
        num_want: None,
        key: 0xBEEF,
        tracker_id: None,
    }
}

fn request(url: &str, ask: &Announce) -> String {
    announce(&parse(url).unwrap().1, ask).to_string()
}

#[test]
fn an_announce_byte_for_byte() {
    assert_eq!(
        request("http://t.example/announce", &ask(Event::Started)),
        "http://t.example/announce?info_hash=%00%124Vx%9A%BC%DE%F0AB-._~%20%26%25%2B%2F\
         &peer_id=-PC0100-abcdefghijkl&port=6881&uploaded=1&downloaded=2&left=3&compact=1\
         &key=0000BEEF&event=started"
    );
}

#[test]
fn the_trackers_own_query_is_kept() {
    for (url, start) in [
        ("http://t/announce?passkey=a%2fb&x", "http://t/announce?passkey=a%2fb&x&info_hash="),
        ("http://t/announce?", "http://t/announce?info_hash="),
        ("http://t/a.php?id=1&", "http://t/a.php?id=1&info_hash="),
        ("http://t/announce#frag", "http://t/announce?info_hash="),
    ] {
        let got = request(url, &ask(Event::Periodic));
        assert!(got.starts_with(start), "{url} gave {got}");
        assert!(!got.contains("event=") && !got.contains("ip="), "{got}");
    }
}

#[test]
fn leaving_asks_for_no_peers() {
    let mut stopped = ask(Event::Stopped);
    stopped.num_want = Some(50);
    assert!(request("http://t/announce", &stopped).ends_with("&event=stopped&numwant=0"));
    let mut more = ask(Event::Periodic);
    more.num_want = Some(50);
    more.tracker_id = Some(b"a&b".to_vec());
    assert!(request("http://t/announce", &more).ends_with("&numwant=50&trackerid=a%26b"));
}

#[test]
fn where_a_tracker_scrapes() {
    let ask = Scrape { url: String::new(), info_hashes: vec![[b'a'; 20], [0; 20]] };
    let of = |url: &str| scrape(&parse(url).unwrap().1, &ask).map(|u| u.to_string());
    let a = "a".repeat(20);
    let zero = "%00".repeat(20);
    assert_eq!(
        of("http://t/x/announce.php?k=1").unwrap(),
        format!("http://t/x/scrape.php?k=1&info_hash={a}&info_hash={zero}")
    );
    for (url, scrapes) in [
        ("http://t/announce/x?k=1", "http://t/scrape/x?k=1&info_hash="),
        ("http://t/announce/announce", "http://t/announce/scrape?info_hash="),
        ("http://t/x/announce", "http://t/x/scrape?info_hash="),
        ("http://u:p@t/announce", "http://u:p@t/scrape?info_hash="),
    ] {
        assert!(of(url).unwrap().starts_with(scrapes), "{url} {:?}", of(url));
    }
    for none in ["http://t/a", "http://t/", "http://t/xannounce", "http://t/x?/announce"] {
        assert_eq!(of(none).unwrap_err().kind(), ErrorKind::Unsupported, "{none}");
    }
    let empty = Scrape { url: String::new(), info_hashes: Vec::new() };
    assert!(scrape(&parse("http://t/announce").unwrap().1, &empty).is_err());
}

#[test]
fn urls_that_are_no_trackers() {
    for bad in [
        "",
        "x",
        "wss://t/announce",
        "http:///",
        "http://t:0/",
        "http://t:99999/",
        "file:///etc/passwd",
        "udp://:80/",
        "udp://t:0/",
        "http://[fe80::1%25eth0]/announce",
        "http://user:secret@host:port/",
        "foo://user:secret@host/",
    ] {
        let Err(error) = parse(bad) else { panic!("{bad} was accepted") };
        assert_eq!(error.kind(), ErrorKind::Url, "{bad}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(parse(&format!("http://t/{}", "x".repeat(MAX_URL))).is_err());
    assert_eq!(parse("UDP://t:80/announce").unwrap().0, Scheme::Udp);
    assert_eq!(parse(" https://t/announce\n").unwrap().0, Scheme::Http);
}

#[test]
fn a_udp_url_is_read_as_leniently_as_any() {
    for (text, expected, data) in [
        ("udp://t:80/announce", "udp://t:80/announce", "/announce"),
        ("UDP://T:6969/Announce?k=ü", "udp://t:6969/Announce?k=%C3%BC", "/Announce?k=%C3%BC"),
        (" udp://bücher.example:1/a b\n", "udp://xn--bcher-kva.example:1/a%20b", "/a%20b"),
        ("udp:\\\\t:1\\a#b", "udp://t:1/a", "/a"),
        ("udp://user:pass@t:1", "udp://t:1", ""),
        ("udp://t:1/", "udp://t:1", ""),
        ("udp://t/announce", "udp://t:80/announce", "/announce"),
        ("udp://[2001:DB8::1]:1/a", "udp://[2001:db8::1]:1/a", "/a"),
    ] {
        let (scheme, url) = parse(text).unwrap();
        assert_eq!((scheme, url.as_str()), (Scheme::Udp, expected), "{text}");
        assert_eq!(path_and_query(&url), data, "{text}");
    }
}

proptest! {
    #[test]
    fn hashes_survive_the_escaping(hash: [u8; 20], id: [u8; 20]) {
        let mut ask = ask(Event::Periodic);
        ask.info_hash = hash;
        ask.peer_id = id;
        let url = announce(&parse("http://t/announce").unwrap().1, &ask);
        let query = url.query().unwrap();
        let value = |key: &str| -> Vec<u8> {
            let part = query.split('&').find_map(|p| p.strip_prefix(key)).unwrap();
            percent_encoding::percent_decode_str(part).collect()
        };
        prop_assert_eq!(value("info_hash="), hash);
        prop_assert_eq!(value("peer_id="), id);
    }

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = parse(&text);
    }
}
