//! Owns the measure of the codec in memory, and of a connection over the loopback. Never asserts a speed.
#![expect(clippy::expect_used, reason = "a bench without a loopback has nothing to say")]

use std::io::{IoSlice, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::ControlFlow;

use divan::Bencher;
use divan::counter::BytesCount;
use wire::net::{Batch, CloseReason, Config};
use wire::{Decoder, MAX_SLICES, Message, Payload, Pool, Request, SendQueue};

/// One mebibyte of blocks.
const BLOCKS: u32 = 64;
const BLOCK_LEN: usize = 16384;

fn main() {
    divan::main();
}

/// So many blocks as they are on the wire.
fn stream(blocks: u32) -> Vec<u8> {
    let mut stream = Vec::new();
    for piece in 0..blocks {
        let payload = Payload::detached(vec![7; BLOCK_LEN]);
        Message::Piece { piece, offset: 0, payload }.encode(&mut stream);
    }
    stream
}

/// Decodes all of `stream`, and gives the number of messages.
fn decode(decoder: &mut Decoder, mut stream: &[u8]) -> usize {
    let mut messages = 0;
    while !stream.is_empty() {
        let fed = decoder.feed(stream);
        stream = stream.get(fed..).unwrap_or_default();
        while let Ok(Some(_)) = decoder.next_message() {
            messages += 1;
        }
    }
    messages
}

/// A mebibyte of blocks, the copying from memory included.
#[divan::bench]
fn decode_blocks(bencher: Bencher<'_, '_>) {
    let stream = stream(BLOCKS);
    let mut decoder = Decoder::new(Pool::new(1 << 20));
    bencher.counter(BytesCount::of_slice(&stream)).bench_local(|| decode(&mut decoder, &stream));
}

/// A thousand requests.
#[divan::bench]
fn decode_requests(bencher: Bencher<'_, '_>) {
    let mut stream = Vec::new();
    for piece in 0..1000 {
        Message::Request(Request { piece, offset: 0, len: 16384 }).encode(&mut stream);
    }
    let mut decoder = Decoder::new(Pool::new(1 << 20));
    bencher.counter(BytesCount::of_slice(&stream)).bench_local(|| decode(&mut decoder, &stream));
}

/// A mebibyte of blocks queued and given to vectored writes that take all, as a fast peer's socket does.
#[divan::bench]
fn send_blocks(bencher: Bencher<'_, '_>) {
    let pool = Pool::new(2 << 20);
    let mut queue = SendQueue::new();
    bencher.counter(BytesCount::new(BLOCKS as usize * BLOCK_LEN)).bench_local(|| {
        for piece in 0..BLOCKS {
            if let Some(payload) = pool.try_take(BLOCK_LEN) {
                queue.push(Message::Piece { piece, offset: 0, payload });
            }
        }
        let mut drained = 0;
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = queue.slices(&mut slices);
            let len = slices.iter().take(count).map(|slice| slice.len()).sum();
            drained += queue.advance(len);
        }
        drained
    });
}

/// 64 MiB from a thread that only writes, through a connection over the loopback.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn receive_over_loopback(bencher: Bencher<'_, '_>) {
    let stream = stream(4096);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a local port");
    let addr = listener.local_addr().expect("a bound address");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let pool = Pool::new(16 << 20);
    bencher.counter(BytesCount::of_slice(&stream)).bench_local(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut socket, _) = listener.accept().expect("a connection");
                socket.write_all(&stream).expect("a reader");
            });
            let reason = runtime.block_on(async {
                let socket = wire::net::connect(addr, None).await.expect("a listener");
                let (_handle, mailbox) = wire::net::channel();
                let sink = |batch: Batch| {
                    drop(batch);
                    ControlFlow::Continue(())
                };
                wire::net::run(socket, mailbox, sink, Config::new(pool.clone())).await
            });
            assert_eq!(reason, CloseReason::Peer);
        });
    });
}
