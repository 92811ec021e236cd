//! What a datagram says: an HTTP-like request with a port and one or more info-hashes (BEP 14). Never
//! decides what to do about it.

use std::fmt::Write as _;

use crate::limits::{MAX_DATAGRAM, MAX_READ};

const FIRST_LINE: &str = "BT-SEARCH * HTTP/1.1";

/// Which of the two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `239.192.152.143:6771`
    V4,
    /// `[ff15::efc0:988f]:6771`
    V6,
}

impl Family {
    /// The group's address and port, as the `Host` header has it.
    pub fn host(self) -> &'static str {
        match self {
            Self::V4 => "239.192.152.143:6771",
            Self::V6 => "[ff15::efc0:988f]:6771",
        }
    }
}

/// Somebody has torrents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The TCP port he listens on.
    pub port: u16,
    /// The torrents; at least one.
    pub info_hashes: Vec<[u8; 20]>,
    /// By which the sender knows his own announces.
    pub cookie: Option<String>,
}

impl Announce {
    /// The datagram for a group.
    pub fn to(&self, family: Family) -> Vec<u8> {
        let mut text =
            format!("{FIRST_LINE}\r\nHost: {}\r\nPort: {}\r\n", family.host(), self.port);
        for info_hash in &self.info_hashes {
            text.push_str("Infohash: ");
            for byte in info_hash {
                let _ = write!(text, "{byte:02x}");
            }
            text.push_str("\r\n");
        }
        if let Some(cookie) = &self.cookie {
            let _ = write!(text, "cookie: {cookie}\r\n");
        }
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }

    /// What a datagram says; `None` if it is no announce. Headers may come in any order and case.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_DATAGRAM {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.split("\r\n");
        if !lines.next()?.eq_ignore_ascii_case(FIRST_LINE) {
            return None;
        }
        let (mut port, mut info_hashes, mut cookie) = (None, Vec::new(), None);
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "port" => port = Some(value.parse().ok().filter(|port| *port != 0)?),
                "infohash" if info_hashes.len() < MAX_READ => info_hashes.push(hash(value)?),
                "cookie" => cookie = Some(value.to_owned()),
                _ => {}
            }
        }
        (!info_hashes.is_empty()).then_some(Self { port: port?, info_hashes, cookie })
    }
}

fn hash(text: &str) -> Option<[u8; 20]> {
    let digits = text.as_bytes();
    let mut hash = [0; 20];
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let digit =
                char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())?;
            *byte = *byte << 4 | digit;
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::MAX_HASHES;

    #[test]
    fn the_form_is_that_of_bep_14() {
        let announce =
            Announce { port: 6881, info_hashes: vec![[0xab; 20]], cookie: Some("c".into()) };
        let text = "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n\
                    Infohash: abababababababababababababababababababab\r\ncookie: c\r\n\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&announce.to(Family::V4)), text);
        let v6 = String::from_utf8(announce.to(Family::V6)).unwrap();
        assert!(v6.contains("\r\nHost: [ff15::efc0:988f]:6771\r\n"));
    }

    #[test]
    fn others_ways_are_read() {
        let text = b"bt-search * http/1.1\r\nINFOHASH:ABABABABABABABABABABABABABABABABABABABAB\r\n\
                     X-Y: z\r\nport:  7 \r\n\r\n";
        let read = Announce::parse(text);
        assert_eq!(read, Some(Announce { port: 7, info_hashes: vec![[0xab; 20]], cookie: None }));
    }

    #[test]
    fn what_is_wrong_is_ignored() {
        let good = "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: \
                    abababababababababababababababababababab\r\n\r\n";
        assert!(Announce::parse(good.as_bytes()).is_some());
        for (from, to) in [
            ("Port: 1", "Port: 0"),
            ("Port: 1", "Port: 65536"),
            ("Port: 1", "Port 1"),
            ("Port: 1", "P: 1"),
        ]
        .into_iter()
        .chain([("BT-", "HT-"), ("abab", "aba"), ("abab", "abag"), ("Infohash", "Hash")])
        {
            assert_eq!(Announce::parse(good.replacen(from, to, 1).as_bytes()), None, "{to}");
        }
        assert_eq!(Announce::parse(&[0xff; 40]), None);
        let long = good.replacen("Port", &format!("X: {}\r\nPort", "y".repeat(1_500)), 1);
        assert_eq!(Announce::parse(long.as_bytes()), None);
    }

    #[test]
    fn the_longest_fits_a_packet() {
        let info_hashes = vec![[1; 20]; MAX_HASHES];
        let announce = Announce { port: 65_535, info_hashes, cookie: Some("0".repeat(16)) };
        assert!(announce.to(Family::V6).len() <= 1_400);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            port in 1..=u16::MAX, hashes in proptest::collection::vec(any::<[u8; 20]>(), 1..20),
            cookie in proptest::option::of("[0-9a-f]{1,16}"),
        ) {
            let announce = Announce { port, info_hashes: hashes, cookie };
            prop_assert_eq!(Announce::parse(&announce.to(Family::V4)), Some(announce));
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            let _ = Announce::parse(&bytes);
            let _ = Announce::parse(&[b"BT-SEARCH * HTTP/1.1\r\n", text.as_bytes()].concat());
        }
    }
}
