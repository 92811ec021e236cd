//! The wire codec: however a stream is cut, it says the same; what it said can be written and read
//! again; and the send queue sends just that.

use std::cell::RefCell;
use std::io::IoSlice;

use wire::limits::BLOCK_LEN;
use wire::{Decoder, Error, HANDSHAKE_LEN, Handshake, Message, Payload, Pool, SendQueue};

use crate::script::Script;

/// Fewer than a run of blocks may have, so that its end has to be waited for.
const POOL_BLOCKS: usize = 10;

/// A last cut from here on stands for a run of usual blocks in front, and for reads that take several of them.
const FIRST_RUN: u8 = 240;

thread_local! {
    /// Buffers are used again from run to run: only the first run pays for them.
    static POOL: RefCell<Pool> = RefCell::new(Pool::new(POOL_BLOCKS * BLOCK_LEN));
}

/// What a stream amounts to.
#[derive(Debug, PartialEq)]
struct Said {
    messages: Vec<Message>,
    /// Why it ended, if it ended badly.
    error: Option<Error>,
    skipped: u64,
    /// Whether it stopped within a message.
    mid_message: bool,
}

/// The first bytes say how to cut the rest, which is a peer's stream, perhaps behind a run of blocks.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let cuts: [u8; 4] = std::array::from_fn(|_| script.byte());
    handshake(script.0);
    let blocks = cuts[3].saturating_sub(FIRST_RUN);
    let unit = if blocks == 0 { 1 } else { BLOCK_LEN / 32 };
    let cuts = cuts.map(|cut| usize::from(cut) * unit);
    let mut stream = Vec::new();
    for piece in 0..u32::from(blocks) {
        let payload = Payload::detached(vec![script.0.first().copied().unwrap_or(0); BLOCK_LEN]);
        Message::Piece { piece, offset: 0, payload }.encode(&mut stream);
    }
    stream.extend_from_slice(script.0);
    let stream = stream.as_slice();

    let whole = listen(stream, &[usize::MAX]);
    let cut = listen(stream, &cuts);
    assert_eq!(whole, cut, "it depends on how the stream was cut: {cuts:?}");

    let mut written = Vec::new();
    for message in &whole.messages {
        let before = written.len();
        message.encode(&mut written);
        assert_eq!(written.len() - before, message.encoded_len());
    }
    if whole.skipped == 0 {
        assert_eq!(stream.get(..written.len()), Some(&written[..]), "one way to write a message");
        assert!(whole.mid_message || whole.error.is_some() || written.len() == stream.len());
    }
    let again = listen(&written, &[usize::MAX]);
    assert_eq!(again.messages, whole.messages);
    assert!(again.error.is_none() && again.skipped == 0 && !again.mid_message);
    send(whole.messages, &written, &cuts);
}

fn handshake(stream: &[u8]) {
    let Some(bytes) = stream.first_chunk::<HANDSHAKE_LEN>() else { return };
    if let Ok(handshake) = Handshake::decode(bytes) {
        assert_eq!(handshake.encode(), *bytes);
    }
}

/// Decodes the stream, fed in slices of at most these lengths, in turns.
fn listen(stream: &[u8], cuts: &[usize]) -> Said {
    let mut decoder = Decoder::new(POOL.with_borrow(Pool::clone));
    let mut said = Said { messages: Vec::new(), error: None, skipped: 0, mid_message: false };
    let mut rest = stream;
    let mut cuts = cuts.iter().cycle();
    loop {
        match decoder.next_message() {
            Ok(Some(message)) => {
                said.messages.push(message);
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                assert_eq!(decoder.next_message().as_ref(), Err(&error), "and again");
                said.error = Some(error);
                break;
            }
        }
        if let Some(len) = decoder.wanted() {
            decoder.supply(Payload::detached(vec![0; len]));
            continue;
        }
        if rest.is_empty() {
            break;
        }
        let next = (*cuts.next().expect("a cycle")).clamp(1, rest.len());
        let fed = decoder.feed(rest.get(..next).expect("no longer than it is"));
        assert!(fed > 0, "there is room while no buffer is wanted");
        rest = rest.get(fed..).expect("no more than there was");
    }
    said.skipped = decoder.skipped();
    said.mid_message = decoder.is_mid_message();
    said
}

/// Sends all of it, in writes of any size. A choke takes blocks back, so those stay out.
fn send(messages: Vec<Message>, written: &[u8], cuts: &[usize]) {
    if messages.contains(&Message::Choke) {
        return;
    }
    let mut queue = SendQueue::new();
    let mut blocks = 0;
    for message in messages {
        if let Message::Piece { payload, .. } = &message {
            blocks += payload.len();
        }
        assert_eq!(queue.push(message), 0);
    }
    assert_eq!(queue.bytes(), written.len());
    let (mut sent, mut drained) = (Vec::new(), 0);
    for most in cuts.iter().cycle().map(|cut| (*cut).max(1)) {
        let mut slices = [IoSlice::new(&[]); 5];
        let count = queue.slices(&mut slices);
        let before = sent.len();
        for slice in slices.iter().take(count) {
            let room = most - (sent.len() - before);
            sent.extend_from_slice(slice.get(..room.min(slice.len())).expect("cut to its length"));
        }
        if sent.len() == before {
            break;
        }
        drained += queue.advance(sent.len() - before);
    }
    assert!(queue.is_empty());
    assert_eq!((sent.as_slice(), drained), (written, blocks));
}
