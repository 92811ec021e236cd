//! Owns the kit of the network tests: a transport in memory that moves a few bytes at a time, and a peer to talk to.

mod deadlines;
mod encryption;
mod flow;
mod handshake;
mod tcp;

use std::io::{self, IoSlice, IoSliceMut};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use super::*;
use crate::{Decoder, Handshake, Message, Payload, PeerId, Pool, Request};

/// An in-memory stream that reads and writes at most so many bytes at a time.
struct Trickle {
    stream: DuplexStream,
    most: usize,
}

impl Transport for Trickle {
    fn poll_read_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(buf) = bufs.iter_mut().find(|buf| !buf.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        let most = self.most.min(buf.len());
        let mut buf = ReadBuf::new(&mut buf[..most]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let buf = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        Pin::new(&mut self.stream).poll_write(cx, &buf[..self.most.min(buf.len())])
    }
}

/// A running connection, and the peer at its other end.
struct Pair {
    handle: Handle,
    batches: UnboundedReceiver<Batch>,
    running: JoinHandle<CloseReason>,
    peer: DuplexStream,
    pool: Pool,
}

/// Starts a connection that moves at most `most` bytes at a time over a stream that holds `capacity` bytes.
fn connected(most: usize, capacity: usize) -> Pair {
    let (ours, peer) = duplex(capacity);
    let (handle, mailbox) = channel();
    let (sender, batches) = unbounded_channel();
    let sink = move |batch| match sender.send(batch) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    let pool = Pool::new(1 << 20);
    let config = Config::new(pool.clone());
    let running = tokio::spawn(run(Trickle { stream: ours, most }, mailbox, sink, config));
    Pair { handle, batches, running, peer, pool }
}

impl Pair {
    /// The next `n` messages from the peer, each batch dropped when it is empty.
    async fn receive(&mut self, n: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        while messages.len() < n {
            let mut batch = self.batches.recv().await.expect("the connection still runs");
            messages.append(&mut batch.messages);
        }
        messages
    }

    /// The next `n` messages to the peer.
    async fn peer_receives(&mut self, n: usize) -> Vec<Message> {
        let mut decoder = Decoder::new(Pool::new(1 << 30));
        let mut messages = Vec::new();
        while messages.len() < n {
            // One byte at a time, so that nothing beyond the last message is taken.
            decoder.feed(&[self.peer.read_u8().await.expect("the connection still runs")]);
            messages.extend(decoder.next_message().unwrap());
        }
        messages
    }

    async fn peer_sends(&mut self, messages: &[Message]) {
        self.peer.write_all(&encode(messages)).await.expect("the connection still reads");
    }
}

fn encode(messages: &[Message]) -> Vec<u8> {
    let mut stream = Vec::new();
    for message in messages {
        message.encode(&mut stream);
    }
    stream
}

fn block(piece: u32, len: usize) -> Message {
    let bytes = (0..len).map(|i| (i as u8) ^ (piece as u8)).collect();
    Message::Piece { piece, offset: 0, payload: Payload::detached(bytes) }
}

fn hello(torrent: u8, name: u8) -> Handshake {
    Handshake {
        reserved: crate::Reserved::NONE,
        info_hash: [torrent; 20],
        peer_id: PeerId([name; 20]),
    }
}
