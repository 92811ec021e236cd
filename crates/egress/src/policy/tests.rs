//! The table, row by row and class by class.

use proptest::prelude::*;

use super::*;

/// One address of each class that a host can have, the farthest first.
const ADDRS: [&str; 5] =
    ["9.9.9.9:6881", "100.64.0.9:6881", "192.168.1.9:6881", "169.254.0.9:6881", "127.0.0.1:6881"];
const CLASSES: [Class; 5] =
    [Class::Global, Class::Shared, Class::Private, Class::LinkLocal, Class::Loopback];

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Which of [`ADDRS`] may be named.
fn row(word: Word) -> String {
    let may = |text: &&str| if may_contact(word, addr(text)).is_ok() { 'y' } else { '-' };
    ADDRS.iter().map(may).collect()
}

#[test]
fn each_supplier_names_what_its_row_says() {
    for word in [Word::User, Word::Torrent, Word::Magnet, Word::Itself] {
        assert_eq!(row(word), "yyyyy", "{word:?}");
    }
    assert_eq!(row(Word::Neighbour), "-yyyy");
    let rows = ["y----", "yy---", "yyy--", "yyyy-", "yyyyy"];
    for (class, expected) in CLASSES.into_iter().zip(rows) {
        for word in [Word::Tracker, Word::Redirect, Word::Dht, Word::Pex] {
            assert_eq!(row(word(class)), expected, "{:?}", word(class));
        }
    }
}

fn words() -> impl Iterator<Item = Word> {
    let of = |class| [Word::Tracker, Word::Redirect, Word::Dht, Word::Pex].map(|word| word(class));
    let fixed = [Word::User, Word::Torrent, Word::Magnet, Word::Neighbour, Word::Itself];
    CLASSES.into_iter().flat_map(of).chain(fixed)
}

#[test]
fn no_word_is_good_for_an_address_without_a_host_or_port() {
    for word in words() {
        for nowhere in ["0.0.0.0:1", "224.0.0.1:6881", "255.255.255.255:6881", "203.0.113.1:6881"] {
            assert_eq!(may_contact(word, addr(nowhere)), Err(Refusal::NoHost), "{word:?}");
        }
        for near in ADDRS {
            let mut addr = addr(near);
            addr.set_port(0);
            assert!(may_contact(word, addr).is_err(), "{word:?} {addr}");
        }
    }
}

#[test]
fn services_are_named_by_the_user_only() {
    for word in words().filter(|word| *word != Word::Neighbour) {
        for port in [22, 25, 53, 6667] {
            let there = SocketAddr::new([9, 9, 9, 9].into(), port);
            let expected = if word == Word::User { Ok(()) } else { Err(Refusal::Service(port)) };
            assert_eq!(may_contact(word, there), expected, "{word:?}");
        }
    }
    let neighbour = may_contact(Word::Neighbour, addr("192.168.1.9:53"));
    assert_eq!(neighbour, Err(Refusal::Service(53)));
}

proptest! {
    /// Whatever the form of the address: who is far never names what is near.
    #[test]
    fn the_far_never_name_the_near(v4: [u8; 4], v6: [u8; 16], is_v4: bool, port: u16) {
        let ip = if is_v4 { v4.into() } else { v6.into() };
        let near = Class::of(ip) != Class::Global;
        for word in [Word::Tracker, Word::Redirect, Word::Dht, Word::Pex] {
            let word = word(Class::Global);
            prop_assert!(!near || may_contact(word, SocketAddr::new(ip, port)).is_err());
        }
    }
}
