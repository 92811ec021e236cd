//! The codec against the examples of BEP 5, and against everything that is not quite one.

use super::*;
use crate::limits::{
    K, MAX_DATAGRAM, MAX_DEPTH, MAX_SENT, MAX_TRANSACTION, MAX_VALUES, REPLY_PEERS_V4,
    REPLY_PEERS_V6,
};

const ASKING: Id = Id(*b"abcdefghij0123456789");
const OTHER: Id = Id(*b"mnopqrstuvwxyz123456");

fn query(ask: Ask) -> Message {
    let body = Body::Query(Query { id: ASKING, want: Want::default(), ask });
    Message { transaction: b"aa".to_vec(), read_only: false, seen: None, body }
}

fn reply(reply: Reply) -> Message {
    let body = Body::Reply(reply);
    Message { transaction: b"aa".to_vec(), read_only: false, seen: None, body }
}

/// What we write but for the version, which the examples do not have.
fn plain(message: &Message) -> Vec<u8> {
    let text = message.encode();
    let version = b"1:v4:PC\x00\x01";
    let at = text.windows(version.len()).position(|window| window == version).unwrap();
    [&text[..at], &text[at + version.len()..]].concat()
}

#[test]
fn the_examples_of_bep_5_go_both_ways() {
    let token = Some(b"aoeusnth".to_vec());
    let announce = Ask::AnnouncePeer { info_hash: OTHER, port: None, token: b"aoeusnth".to_vec() };
    let peers = [b"axje.u", b"idhtnm"].map(|peer| crate::addr::decode(peer).unwrap()).to_vec();
    let cases: Vec<(Message, &[u8])> = vec![
        (query(Ask::Ping), b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
        (
            query(Ask::FindNode { target: OTHER }),
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
        ),
        (
            query(Ask::GetPeers { info_hash: OTHER }),
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
        ),
        (
            query(announce),
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti1e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        ),
        (
            reply(Reply { id: OTHER, ..Reply::default() }),
            b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
        ),
        (
            reply(Reply { id: ASKING, peers, token, ..Reply::default() }),
            b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
        ),
        (
            Message {
                body: Body::Error(201, "A Generic Error Ocurred".into()),
                ..query(Ask::Ping)
            },
            b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
        ),
    ];
    for (message, bytes) in cases {
        assert_eq!(Message::decode(bytes).as_ref(), Ok(&message));
        assert_eq!(plain(&message).escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }
}

#[test]
fn extensions_go_both_ways() {
    let nodes = vec![
        (ASKING, "1.2.3.4:5".parse().unwrap()),
        (OTHER, "[2001:db8::7]:6881".parse().unwrap()),
    ];
    let body = Body::Reply(Reply { id: OTHER, nodes, ..Reply::default() });
    let seen = Some("[2001:db8::1]:7".parse().unwrap());
    let message = Message { transaction: vec![0, 255, 7, 9], read_only: true, seen, body };
    assert_eq!(Message::decode(&message.encode()), Ok(message));
    let want = Want { v4: true, v6: true };
    let body = Body::Query(Query { id: ASKING, want, ask: Ask::FindNode { target: OTHER } });
    let message = Message { body, ..query(Ask::Ping) };
    assert_eq!(Message::decode(&message.encode()), Ok(message));
}

#[test]
fn queries_of_the_future_are_answered_with_nodes() {
    let bytes =
        b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q3:get1:t2:aa1:y1:qe";
    assert_eq!(Message::decode(bytes), Ok(query(Ask::FindNode { target: OTHER })));
}

#[test]
fn what_is_wrong_is_told_to_who_asked_and_nobody_else() {
    let refused: &[(&[u8], i64)] = &[
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe", code::UNKNOWN),
        (b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe", code::PROTOCOL),
        (b"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe", code::PROTOCOL),
        (b"d1:q4:ping1:t2:aa1:y1:qe", code::PROTOCOL),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti0e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe",
            code::PROTOCOL,
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti65536e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe",
            code::PROTOCOL,
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti7ee1:q13:announce_peer1:t2:aa1:y1:qe",
            code::PROTOCOL,
        ),
    ];
    for (bytes, code) in refused {
        let malformed = Message::decode(bytes).unwrap_err();
        let shown = bytes.escape_ascii();
        assert_eq!(malformed.refusal, Some((b"aa".to_vec(), *code)), "{shown}");
    }
    let dropped: &[&[u8]] = &[
        b"",
        b"le",
        b"i7e",
        b"d1:t2:aae",
        b"d1:t2:aa1:y1:xe",
        b"d1:y1:qe",
        b"d1:t2:aa1:y1:re",
        b"d1:rd2:id19:abcdefghij012345678e1:t2:aa1:y1:re",
        b"d1:rd2:id20:abcdefghij01234567895:nodes3:abce1:t2:aa1:y1:re",
        b"d1:rd2:id20:abcdefghij01234567896:values2:aae1:t2:aa1:y1:re",
        b"d1:rd2:id20:abcdefghij0123456789e1:t40:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:re",
        b"d1:alllllllleeeeeeeee1:q4:ping1:t2:aa1:y1:qe",
    ];
    for bytes in dropped {
        let malformed = Message::decode(bytes).unwrap_err();
        assert_eq!(malformed.refusal, None, "{}", bytes.escape_ascii());
    }
    let long = [b"d1:x2048:".as_slice(), &[b'x'; 2048], b"e"].concat();
    assert_eq!(Message::decode(&long).unwrap_err().why, "too long");
}

#[test]
fn what_unfolds_is_not_read() {
    let ping = |extra: String, transaction: usize| {
        let id = "a".repeat(20);
        let transaction = format!("{transaction}:{}", "t".repeat(transaction));
        Message::decode(
            format!("d1:ad2:id20:{id}e1:q4:ping1:t{transaction}1:x{extra}1:y1:qe").as_bytes(),
        )
        .map_err(|malformed| malformed.why)
    };
    let nested = |depth| ["l".repeat(depth), "e".repeat(depth)].concat();
    let list = |values| format!("l{}e", "i1e".repeat(values));
    let long = |len: usize| format!("{len}:{}", "x".repeat(len));
    assert!(ping(nested(MAX_DEPTH - 1), 2).is_ok());
    assert_eq!(ping(nested(MAX_DEPTH), 2), Err("no bencode"));
    // Ten values are the message itself.
    assert!(ping(list(MAX_VALUES - 20), 2).is_ok());
    assert_eq!(ping(list(MAX_VALUES), 2), Err("no bencode"));
    assert!(ping(long(MAX_DATAGRAM - 100), 2).is_ok());
    assert_eq!(ping(long(MAX_DATAGRAM), 2), Err("too long"));
    assert!(ping("0:".to_owned(), MAX_TRANSACTION).is_ok());
    let why = "a transaction id that is too long";
    assert_eq!(ping("0:".to_owned(), MAX_TRANSACTION + 1), Err(why));
}

#[test]
fn the_longest_reply_fits_a_packet() {
    for (ip, most) in [("1.2.3.4:5", REPLY_PEERS_V4), ("[2001:db8::7]:6881", REPLY_PEERS_V6)] {
        let addr: SocketAddr = ip.parse().unwrap();
        let both = ["1.2.3.4:5", "[2001:db8::7]:6881"].map(|addr| addr.parse().unwrap());
        let nodes = both.iter().flat_map(|addr| vec![(ASKING, *addr); K]).collect();
        let (token, peers) = (Some(vec![0; 8]), vec![addr; most]);
        let body = Body::Reply(Reply { id: OTHER, nodes, peers, token });
        let transaction = vec![0; 4];
        let len = Message { transaction, read_only: false, seen: Some(addr), body }.encode().len();
        assert!(len <= MAX_SENT, "{ip}: {len} bytes");
    }
}
