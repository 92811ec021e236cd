//! Owns the decoder's tests: any split of a stream gives the same messages, and no length that lies gets through.

use proptest::prelude::*;

use super::staging::STAGING_LEN;
use super::*;
use crate::error::ErrorKind;
use crate::extension::Extension;
use crate::limits::BLOCK_LEN;

/// The extended messages that we take have the numbers from 0 to this.
const LAST_EXTENDED_ID: u8 = Extension::ALL.len() as u8;

fn decoder() -> Decoder {
    Decoder::new(Pool::new(1 << 20))
}

/// Every message of `stream`, which arrives `chunks` bytes at a time.
fn decode_split(stream: &[u8], chunks: impl IntoIterator<Item = usize>) -> Vec<Message> {
    let mut decoder = decoder();
    let mut messages = Vec::new();
    let mut rest = stream;
    let mut chunks = chunks.into_iter();
    while !rest.is_empty() {
        let mut chunk = &rest[..chunks.next().unwrap_or(rest.len()).clamp(1, rest.len())];
        rest = &rest[chunk.len()..];
        while !chunk.is_empty() {
            let fed = decoder.feed(chunk);
            assert!(fed > 0, "the decoder always has room for more");
            chunk = &chunk[fed..];
            while let Some(message) = decoder.next_message().expect("a valid stream") {
                messages.push(message);
            }
        }
    }
    assert!(!decoder.is_mid_message());
    messages
}

fn encode(messages: &[Message]) -> Vec<u8> {
    let mut stream = Vec::new();
    for message in messages {
        message.encode(&mut stream);
    }
    stream
}

fn usual_block(piece: u32) -> Message {
    let bytes = (0..BLOCK_LEN as u32).map(|i| (i.wrapping_mul(31) ^ piece) as u8).collect();
    Message::Piece { piece, offset: 16384, payload: Payload::detached(bytes) }
}

fn any_message() -> impl Strategy<Value = Message> {
    let request =
        || any::<(u32, u32, u32)>().prop_map(|(piece, offset, len)| Request { piece, offset, len });
    let block = (any::<(u32, u32, u8)>(), 1..=MAX_BLOCK_LEN);
    prop_oneof![
        (0..7)
            .prop_map(|kind| match kind {
                0 => Message::KeepAlive,
                1 => Message::Choke,
                2 => Message::Unchoke,
                3 => Message::Interested,
                4 => Message::HaveAll,
                5 => Message::HaveNone,
                _ => Message::NotInterested,
            })
            .boxed(),
        any::<u32>().prop_map(Message::Have).boxed(),
        any::<u32>().prop_map(Message::Suggest).boxed(),
        any::<u32>().prop_map(Message::AllowedFast).boxed(),
        request().prop_map(Message::Reject).boxed(),
        (0..=LAST_EXTENDED_ID)
            .prop_flat_map(|id| (Just(id), 0..=extension::max_len(id).expect("one of ours")))
            .prop_map(|(id, len)| Message::Extended { id, payload: vec![id; len].into() })
            .boxed(),
        any::<u16>().prop_map(Message::Port).boxed(),
        request().prop_map(Message::Request).boxed(),
        request().prop_map(Message::Cancel).boxed(),
        proptest::collection::vec(any::<u8>(), 0..6000)
            .prop_map(|bits| Message::Bitfield(bits.into()))
            .boxed(),
        block
            .prop_map(|((piece, offset, seed), len)| {
                let bytes = (0..len).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect();
                Message::Piece { piece, offset, payload: Payload::detached(bytes) }
            })
            .boxed(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_messages(
        messages in proptest::collection::vec(any_message(), 1..12),
        chunks in proptest::collection::vec(prop_oneof![1..20_usize, 1..5000_usize, 1..40_000_usize], 1..40),
    ) {
        let stream = encode(&messages);
        prop_assert_eq!(decode_split(&stream, chunks.into_iter().cycle()), messages);
    }

    #[test]
    fn whatever_comes_between_blocks_is_found(
        runs in proptest::collection::vec((0..12_u32, any_message()), 1..6),
        chunks in proptest::collection::vec(prop_oneof![1..40_000_usize, 1..300_000_usize], 1..10),
    ) {
        let run = |(blocks, other)| (0..blocks).map(usual_block).chain([other]);
        let messages: Vec<Message> = runs.into_iter().flat_map(run).collect();
        let stream = encode(&messages);
        prop_assert_eq!(decode_split(&stream, chunks.into_iter().cycle()), messages);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_errors_stay(
        stream in proptest::collection::vec(prop_oneof![3 => Just(0_u8), 2 => 0..16_u8, 1 => any::<u8>()], 0..400),
    ) {
        let mut decoder = decoder();
        let mut rest = stream.as_slice();
        while !rest.is_empty() {
            let fed = decoder.feed(rest);
            rest = &rest[fed..];
            loop {
                match decoder.next_message() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        prop_assert_eq!(decoder.next_message(), Err(error));
                        return Ok(());
                    }
                }
            }
        }
    }
}

#[test]
fn one_byte_at_a_time() {
    let messages = || {
        let bytes: Vec<u8> = (0..BLOCK_LEN).map(|i| (i % 251) as u8).collect();
        vec![
            Message::Bitfield(Box::new([0xff; 100])),
            Message::Unchoke,
            Message::Piece { piece: 7, offset: 16384, payload: Payload::detached(bytes) },
            Message::KeepAlive,
            Message::Request(Request { piece: 1, offset: 2, len: 3 }),
        ]
    };
    let stream = encode(&messages());
    assert_eq!(decode_split(&stream, std::iter::repeat(1)), messages());
}

#[test]
fn every_wrong_length_is_refused_before_its_body_arrives() {
    use ErrorKind::{MessageTooLong, WrongLength};
    let longest_block = 9 + MAX_BLOCK_LEN as u32;
    let cases: &[(u32, u8, ErrorKind)] = &[
        (2, id::CHOKE, WrongLength),
        (2, id::UNCHOKE, WrongLength),
        (5, id::INTERESTED, WrongLength),
        (9, id::NOT_INTERESTED, WrongLength),
        (4, id::HAVE, WrongLength),
        (6, id::HAVE, WrongLength),
        (1, id::HAVE, WrongLength),
        (12, id::REQUEST, WrongLength),
        (14, id::REQUEST, WrongLength),
        (12, id::CANCEL, WrongLength),
        (14, id::CANCEL, WrongLength),
        (2, id::PORT, WrongLength),
        (5, id::PORT, WrongLength),
        (1, id::PIECE, WrongLength),
        (9, id::PIECE, WrongLength),
        (longest_block + 1, id::PIECE, WrongLength),
        (1 + 100 + 1, id::BITFIELD, WrongLength),
        (2, id::HAVE_ALL, WrongLength),
        (2, id::HAVE_NONE, WrongLength),
        (4, id::SUGGEST, WrongLength),
        (6, id::ALLOWED_FAST, WrongLength),
        (12, id::REJECT, WrongLength),
        (14, id::REJECT, WrongLength),
        (1, id::EXTENDED, WrongLength),
        (MAX_MESSAGE_LEN + 1, id::PIECE, MessageTooLong),
        (MAX_MESSAGE_LEN + 1, 20, MessageTooLong),
        (u32::MAX, id::BITFIELD, MessageTooLong),
        (0x1342_6974, b'T', MessageTooLong),
    ];
    for &(len, id, kind) in cases {
        let mut decoder = decoder();
        decoder.set_bitfield_limit(100);
        decoder.feed(&len.to_be_bytes());
        decoder.feed(&[id]);
        let error = decoder.next_message().expect_err("a wrong length");
        assert_eq!(error.kind(), kind, "{id} of {len}: {error}");
        assert_eq!(decoder.pool.in_use(), 0);
    }
}

#[test]
fn a_wrong_length_is_told_with_the_name_of_its_message() {
    let names = [
        (id::CHOKE, "a choke"),
        (id::UNCHOKE, "an unchoke"),
        (id::INTERESTED, "an interested"),
        (id::NOT_INTERESTED, "a not interested"),
        (id::HAVE, "a have"),
        (id::BITFIELD, "a bitfield"),
        (id::REQUEST, "a request"),
        (id::PIECE, "a piece"),
        (id::CANCEL, "a cancel"),
        (id::PORT, "a port"),
        (id::SUGGEST, "a suggest"),
        (id::HAVE_ALL, "a have all"),
        (id::HAVE_NONE, "a have none"),
        (id::REJECT, "a reject"),
        (id::ALLOWED_FAST, "an allowed fast"),
        (id::EXTENDED, "an extended"),
    ];
    // Too long for each of them, though not for a message of a kind that is not known.
    let len = MAX_MESSAGE_LEN;
    for (id, name) in names {
        let mut decoder = decoder();
        decoder.set_bitfield_limit(100);
        decoder.feed(&len.to_be_bytes());
        decoder.feed(&[id, 0]);
        let error = decoder.next_message().expect_err("a wrong length");
        let told = format!("the peer announced {name} message of the wrong length {len}");
        assert_eq!(error.to_string(), told);
    }
}

#[test]
fn an_extended_message_is_held_to_the_limit_of_its_kind() {
    for id in 0..=LAST_EXTENDED_ID {
        let max = extension::max_len(id).unwrap();
        let messages = [Message::Extended { id, payload: vec![b'x'; max].into() }];
        let stream = encode(&messages);
        assert_eq!(decode_split(&stream, [3, 700]), messages);

        let mut decoder = decoder();
        decoder.feed(&u32::try_from(2 + max + 1).unwrap().to_be_bytes());
        decoder.feed(&[id::EXTENDED]);
        assert_eq!(decoder.next_message(), Ok(None), "which kind it is must still come");
        decoder.feed(&[id]);
        assert_eq!(decoder.next_message().map_err(|e| e.kind()), Err(ErrorKind::WrongLength));
    }
}

#[test]
fn an_extended_message_takes_memory_as_it_arrives() {
    let mut decoder = decoder();
    let max = extension::max_len(0).unwrap();
    decoder.feed(&u32::try_from(2 + max).unwrap().to_be_bytes());
    decoder.feed(&[id::EXTENDED, 0, b'd']);
    assert_eq!(decoder.next_message(), Ok(None));
    assert!(decoder.is_mid_message());
    let State::Bytes { bytes, .. } = &decoder.state else { panic!("within the message") };
    assert!(bytes.capacity() < 100, "{} bytes held for one", bytes.capacity());
}

#[test]
fn the_longest_and_shortest_of_each_kind_pass() {
    for len in [1, BLOCK_LEN, MAX_BLOCK_LEN] {
        let payload = Payload::detached(vec![9; len]);
        let messages = [Message::Piece { piece: 0, offset: 0, payload }];
        assert_eq!(decode_split(&encode(&messages), [100, 20_000]), messages);
    }
    let messages = [Message::Bitfield(vec![1; MAX_BITFIELD_LEN].into())];
    assert_eq!(decode_split(&encode(&messages), []), messages);
}

#[test]
fn unknown_messages_are_skipped_and_counted() {
    let mut stream = Vec::new();
    for (id, len) in [(21_u8, 1_u32), (id::EXTENDED, 70_000), (255, MAX_MESSAGE_LEN)] {
        stream.extend(len.to_be_bytes());
        stream.push(id);
        // Of the extended message these are the number too, and none that we gave out.
        stream.resize(stream.len() + len as usize - 1, 77);
        Message::Have(len).encode(&mut stream);
    }
    let mut decoder = decoder();
    let mut rest = stream.as_slice();
    let mut haves = Vec::new();
    while !rest.is_empty() {
        rest = &rest[decoder.feed(rest)..];
        while let Some(message) = decoder.next_message().unwrap() {
            haves.push(message);
        }
    }
    assert_eq!(haves, [1, 70_000, MAX_MESSAGE_LEN].map(Message::Have));
    assert_eq!(decoder.skipped(), 3);
    assert_eq!(decoder.pool.in_use(), 0, "skipping takes no buffer");
}

#[test]
fn a_block_takes_its_buffer_with_its_first_byte_and_waits_for_one_if_there_is_none() {
    let pool = Pool::new(MAX_BLOCK_LEN);
    let mut decoder = Decoder::new(pool.clone());
    let stream = encode(&[
        Message::Piece { piece: 3, offset: 0, payload: Payload::detached(vec![5; BLOCK_LEN]) },
        Message::Choke,
    ]);

    decoder.feed(&stream[..PIECE_HEAD_LEN]);
    assert_eq!(decoder.next_message(), Ok(None));
    assert!(decoder.is_mid_message());
    assert_eq!((pool.in_use(), decoder.wanted()), (0, None), "a header alone holds nothing");

    let hogs = [pool.try_take(1).unwrap(), pool.try_take(1).unwrap()];
    decoder.feed(&stream[PIECE_HEAD_LEN..][..10]);
    assert_eq!(decoder.next_message(), Ok(None));
    assert_eq!(decoder.wanted(), Some(BLOCK_LEN));

    drop(hogs);
    decoder.supply(pool.try_take(7).unwrap());
    assert_eq!(decoder.wanted(), Some(BLOCK_LEN), "a payload of another length is no use");
    decoder.supply(pool.try_take(BLOCK_LEN).unwrap());
    assert_eq!((pool.in_use(), decoder.wanted()), (BLOCK_LEN, None));
    assert_eq!(decoder.next_message(), Ok(None));

    let mut slices = std::array::from_fn(|_| IoSliceMut::new(&mut []));
    assert_eq!(decoder.read_slices(&mut slices), 2);
    let [block, staging, ..] = slices;
    assert_eq!((block.len(), staging.len()), (BLOCK_LEN - 10, STAGING_LEN));
    assert_eq!(decoder.feed(&stream[PIECE_HEAD_LEN + 10..]), BLOCK_LEN - 10 + 5);
    let message = decoder.next_message().unwrap();
    assert!(
        matches!(&message, Some(Message::Piece { payload, .. }) if payload[..] == [5; BLOCK_LEN])
    );
    assert_eq!(decoder.next_message(), Ok(Some(Message::Choke)));
    drop(message);
    assert_eq!(pool.in_use(), 0);
}

/// Feeds as much at a time as the decoder takes, and gives the messages and the number of reads.
fn feed_all(decoder: &mut Decoder, stream: &[u8]) -> (Vec<Message>, usize) {
    let (mut rest, mut reads, mut messages) = (stream, 0, Vec::new());
    while !rest.is_empty() {
        rest = &rest[decoder.feed(rest)..];
        reads += 1;
        while let Some(message) = decoder.next_message().unwrap() {
            messages.push(message);
        }
    }
    (messages, reads)
}

#[test]
fn a_fast_peer_costs_one_read_for_eight_blocks() {
    let blocks: Vec<Message> = (0..104).map(usual_block).collect();
    let mut decoder = Decoder::new(Pool::new(4 << 20));
    let (messages, reads) = feed_all(&mut decoder, &encode(&blocks));
    assert_eq!(messages, blocks);
    assert!(reads <= 4 + 104 / (1 + BLOCKS_AHEAD), "{reads} reads");
}

#[test]
fn places_for_blocks_are_held_for_a_read_only_and_within_the_budget() {
    let pool = Pool::new(6 * BLOCK_LEN);
    let mut decoder = Decoder::new(pool.clone());
    let blocks: Vec<Message> = (0..20).map(usual_block).collect();
    let stream = encode(&blocks);
    let (first, rest) = stream.split_at(stream.len() - 100);
    let mut left = first;
    let mut most = 0;
    while !left.is_empty() {
        let mut slices = std::array::from_fn(|_| IoSliceMut::new(&mut []));
        most = most.max(decoder.read_slices(&mut slices));
        assert!(pool.in_use() <= pool.budget());
        left = &left[decoder.feed(left)..];
        while decoder.next_message().unwrap().is_some() {}
        assert!(pool.in_use() <= BLOCK_LEN, "none but of the block that is arriving");
    }
    assert_eq!(most, 2 + 2 * 5, "as many as there are buffers beside that of the arriving block");

    let mut slices = std::array::from_fn(|_| IoSliceMut::new(&mut []));
    decoder.read_slices(&mut slices);
    decoder.advance(0);
    assert_eq!(pool.in_use(), BLOCK_LEN);
    assert_eq!(feed_all(&mut decoder, rest).0, blocks[19..]);
    assert_eq!(pool.in_use(), 0);
}
