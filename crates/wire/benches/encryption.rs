//! Owns the measure of what encryption costs: both ends of a connection on one thread, bare, through a stream in the
//! clear, and through RC4; and of a handshake. Never asserts a speed.
#![expect(clippy::expect_used, reason = "a bench without a loopback has nothing to say")]

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;

use divan::Bencher;
use divan::counter::BytesCount;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use wire::mse::{Allowed, Initiator, Noise, Responder, disguise};
use wire::net::{Batch, Config, Encryption, Stream, Transport, channel, run};
use wire::{Handshake, Message, PeerId, Pool, Reserved};

const BLOCK_LEN: usize = 16384;
const BLOCK_BYTES: u32 = 16384;

/// Blocks sent in all, and at once.
const BLOCKS: u32 = 4096;
const AHEAD: u32 = 32;

const INFO_HASH: [u8; 20] = [7; 20];

fn main() {
    divan::main();
}

fn noise(byte: u8) -> Noise {
    let fill = |to: &mut [u8]| {
        to.fill(byte);
        Ok::<_, Infallible>(())
    };
    let Ok(noise) = Noise::draw(fill);
    noise
}

fn hello() -> Handshake {
    Handshake { reserved: Reserved::NONE, info_hash: INFO_HASH, peer_id: PeerId([1; 20]) }
}

fn find(disguised: [u8; 20]) -> Option<[u8; 20]> {
    (disguised == disguise(&INFO_HASH)).then_some(INFO_HASH)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a local port");
    let addr = listener.local_addr().expect("a bound address");
    let (dialed, accepted) = tokio::join!(wire::net::connect(addr, None), listener.accept());
    (dialed.expect("a listener"), accepted.expect("a connection").0)
}

/// Sends all blocks from one end to the other.
async fn transfer(from: impl Transport, to: impl Transport, pool: &Pool) {
    let (sender, mailbox) = channel();
    let mut next = {
        let (sender, pool) = (sender.clone(), pool.clone());
        let (mut sent, mut left) = (0, 0_u32);
        move |drained: u32| {
            left -= drained;
            let mut messages = Vec::new();
            while sent < BLOCKS && left < AHEAD * BLOCK_BYTES {
                let Some(payload) = pool.try_take(BLOCK_LEN) else { break };
                messages.push(Message::Piece { piece: sent, offset: 0, payload });
                sent += 1;
                left += BLOCK_BYTES;
            }
            sender.send_all(&mut messages);
        }
    };
    next(0);
    let sink = move |batch: Batch| {
        next(batch.drained);
        ControlFlow::Continue(())
    };
    let sending = run(from, mailbox, sink, Config::new(pool.clone()));
    let (_receiver, mailbox) = channel();
    let mut missing = BLOCKS as usize;
    let sink = move |batch: Batch| {
        missing -= batch.messages.len();
        if missing == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let receiving = run(to, mailbox, sink, Config::new(Pool::new(16 << 20)));
    tokio::join!(sending, receiving);
}

fn bytes() -> BytesCount {
    BytesCount::new(BLOCKS as usize * BLOCK_LEN)
}

/// 64 MiB over bare sockets.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn bare(bencher: Bencher<'_, '_>) {
    let (runtime, pool) = (runtime(), Pool::new(16 << 20));
    bencher.counter(bytes()).bench_local(|| {
        runtime.block_on(async {
            let (a, b) = sockets().await;
            transfer(a, b, &pool).await;
        });
    });
}

/// 64 MiB through streams in the clear.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn clear(bencher: Bencher<'_, '_>) {
    let (runtime, pool) = (runtime(), Pool::new(16 << 20));
    bencher.counter(bytes()).bench_local(|| {
        runtime.block_on(async {
            let (a, b) = sockets().await;
            transfer(Stream::plain(a), Stream::plain(b), &pool).await;
        });
    });
}

/// 64 MiB, encrypted by one end and decrypted by the other.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn rc4(bencher: Bencher<'_, '_>) {
    let (runtime, pool) = (runtime(), Pool::new(16 << 20));
    bencher.counter(bytes()).bench_local(|| {
        runtime.block_on(async {
            let (a, b) = sockets().await;
            let noise_a = noise(5);
            let dial = wire::net::outgoing_encrypted(a, hello(), Allowed::Rc4, &noise_a);
            let resolve = |_| Some(hello());
            let noise_b = || Ok(noise(6));
            let take = wire::net::incoming_either(b, Encryption::Require, noise_b, find, resolve);
            let (a, b) = tokio::join!(dial, take);
            transfer(a.expect("an answer").0, b.expect("a call").0, &pool).await;
        });
    });
}

/// Both sides of a handshake: four powers of 160 bits.
#[divan::bench]
fn handshake() -> bool {
    let mut a = Initiator::new(INFO_HASH, Allowed::Both, &hello().encode(), &noise(5));
    let mut b = Responder::new(Allowed::Both, noise(6));
    let mut well = b.receive(&a.take_output(), find).is_ok();
    well &= a.receive(&b.take_output()).is_ok();
    well &= b.receive(&a.take_output(), find).is_ok();
    well &= a.receive(&b.take_output()).is_ok();
    well && a.is_done() && b.is_done()
}
