//! Owns one running connection: moves bytes between transport and codec, fairly and without waiting for anyone. Never
//! decides what they are for.

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::deadlines::{Deadlines, Due};
use super::{Batch, CloseReason, Counters, Mailbox, Transport};
use crate::decoder::Decoder;
use crate::limits::{
    BLOCKS_PER_BATCH, MAX_BITFIELD_LEN, MAX_QUEUED, MESSAGES_PER_BATCH, READS_PER_TURN,
    USELESS_BURST, USELESS_PER_SECOND, WRITES_PER_TURN,
};
use crate::message::Message;
use crate::pool::{Pool, Take};
use crate::send_queue::{MAX_SLICES, SendQueue};

/// What a connection needs to know of its surroundings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the blocks that the peer sends will live.
    pub pool: Pool,
    /// The longest bitfield to accept in bytes: an eighth of the torrent's number of pieces, rounded up.
    pub bitfield_limit: usize,
    /// Whether the fast extension is spoken: each request then gets an answer, so blocks that leave the queue unsent are
    /// rejected (BEP 6).
    pub fast: bool,
}

impl Config {
    /// For a torrent whose number of pieces is not known yet.
    pub fn new(pool: Pool) -> Self {
        Self { pool, bitfield_limit: MAX_BITFIELD_LEN, fast: false }
    }
}

/// Runs a connection after its handshake until it ends, and says why it did.
///
/// `sink` gets the batches. It must not block; if it answers `Break`, nobody is interested any more and the connection
/// closes. What the peer sent before it closed or failed is delivered first.
pub async fn run(
    transport: impl Transport,
    mailbox: Mailbox,
    sink: impl FnMut(Batch) -> ControlFlow<()> + Send,
    config: Config,
) -> CloseReason {
    let mut decoder = Decoder::new(config.pool.clone());
    decoder.set_bitfield_limit(config.bitfield_limit);
    let mut queue = SendQueue::new();
    if config.fast {
        queue.set_fast();
    }
    let mut connection = Connection {
        transport,
        mailbox,
        sink,
        pool: config.pool,
        decoder,
        queue,
        deadlines: Deadlines::new(Instant::now()),
        counters: Counters::default(),
        started: Instant::now(),
        batch: None,
        drained: 0,
        dropped: 0,
        buffer: None,
    };
    let reason = poll_fn(|cx| connection.turn(cx)).await;
    connection.mailbox.close(reason, connection.counters());
    reason
}

struct Connection<T, S> {
    transport: T,
    mailbox: Mailbox,
    sink: S,
    pool: Pool,
    decoder: Decoder,
    queue: SendQueue,
    deadlines: Deadlines,
    counters: Counters,
    started: Instant,
    /// The batch that is filling. None while all are under way.
    batch: Option<Batch>,
    /// Block bytes that no batch has told of yet.
    drained: usize,
    dropped: usize,
    /// Waits for memory for the next block.
    buffer: Option<Take>,
}

/// Why reading stopped for this turn.
enum Stopped {
    /// The transport has no more; it will wake us.
    Dry,
    /// Others should have their turn.
    TurnOver,
    /// We lack a batch or a buffer; the one who gives it back will wake us.
    Held,
}

impl<T: Transport, S: FnMut(Batch) -> ControlFlow<()>> Connection<T, S> {
    /// One wake-up: takes what is to be sent, writes, reads, delivers.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        match self.try_turn(cx) {
            Ok(()) => Poll::Pending,
            Err(reason) => Poll::Ready(reason),
        }
    }

    fn try_turn(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let now = Instant::now();
        self.collect(cx)?;
        let wrote = self.write(cx, now);
        if self.batch.is_none() {
            self.batch = self.mailbox.batch(self.counters());
        }
        let read = self.read(cx, now);
        self.deliver()?;
        let write_again = wrote?;
        let stopped = read?;

        let held = matches!(stopped, Stopped::Held);
        while let Poll::Ready(due) = self.deadlines.poll(cx, held) {
            match due {
                Due::Close(reason) => return Err(reason),
                Due::KeepAlive => {
                    self.queue.push(Message::KeepAlive);
                    self.write(cx, now)?;
                }
            }
        }
        if write_again || matches!(stopped, Stopped::TurnOver) {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    fn collect(&mut self, cx: &Context<'_>) -> Result<(), CloseReason> {
        let mut messages = self.mailbox.collect(cx, self.counters())?;
        for message in messages.drain(..) {
            self.dropped += self.queue.push(message);
        }
        self.mailbox.recycle(messages);
        Ok(())
    }

    /// Writes until the transport takes no more, nothing is left, or the turn is over; in the last case gives true.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, CloseReason> {
        let mut writes = 0;
        while !self.queue.is_empty() && writes < WRITES_PER_TURN {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = self.queue.slices(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            let Poll::Ready(written) = self.transport.poll_write_vectored(cx, slices) else {
                break;
            };
            let written = written?;
            if written == 0 {
                return Err(CloseReason::Io(io::ErrorKind::WriteZero));
            }
            let drained = self.queue.advance(written);
            self.drained += drained;
            self.counters.payload_out += drained as u64;
            self.counters.bytes_out += written as u64;
            self.counters.writes += 1;
            self.deadlines.wrote(now);
            writes += 1;
        }
        if self.queue.bytes() > MAX_QUEUED {
            return Err(CloseReason::QueueFull);
        }
        // If it is not done, it wakes us when the stream takes more.
        let _ = self.transport.poll_flush(cx)?;
        let unsent = self.transport.unsent();
        let taken = self.counters.bytes_out.saturating_sub(unsent as u64);
        self.deadlines.waiting(now, taken, self.queue.bytes() + unsent);
        Ok(writes == WRITES_PER_TURN && !self.queue.is_empty())
    }

    /// Reads and decodes until there is no more, the batch is full, or the turn is over.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Stopped, CloseReason> {
        let Some(mut batch) = self.batch.take() else { return Ok(Stopped::Held) };
        let before = self.counters.bytes_in;
        let stopped = self.read_into(&mut batch.messages, cx);
        self.batch = Some(batch);
        if self.counters.bytes_in > before {
            self.deadlines.read(now, self.decoder.begun(), self.decoder.is_mid_message());
        }
        let useless = self.counters.keep_alives + self.decoder.skipped();
        let seconds = now.duration_since(self.started).as_secs();
        if useless > USELESS_BURST + USELESS_PER_SECOND * seconds {
            return Err(CloseReason::Useless);
        }
        stopped
    }

    fn read_into(
        &mut self,
        messages: &mut Vec<Message>,
        cx: &mut Context<'_>,
    ) -> Result<Stopped, CloseReason> {
        let (mut reads, mut blocks) = (0, 0);
        loop {
            if !self.decode_into(messages, &mut blocks, cx)? {
                return Ok(Stopped::Held);
            }
            if reads == READS_PER_TURN || is_full(messages.len(), blocks) {
                return Ok(Stopped::TurnOver);
            }
            let mut slices = std::array::from_fn(|_| IoSliceMut::new(&mut []));
            let count = self.decoder.read_slices(&mut slices);
            let slices = slices.get_mut(..count).unwrap_or_default();
            let Poll::Ready(read) = self.transport.poll_read_vectored(cx, slices) else {
                self.decoder.advance(0);
                return Ok(Stopped::Dry);
            };
            let read = read?;
            if read == 0 {
                return Err(CloseReason::Peer);
            }
            self.decoder.advance(read);
            self.counters.bytes_in += read as u64;
            self.counters.reads += 1;
            reads += 1;
        }
    }

    /// Decodes what is there. False if it has to wait for memory.
    fn decode_into(
        &mut self,
        messages: &mut Vec<Message>,
        blocks: &mut usize,
        cx: &mut Context<'_>,
    ) -> Result<bool, CloseReason> {
        while !is_full(messages.len(), *blocks) {
            if let Some(message) = self.decoder.next_message()? {
                match &message {
                    Message::KeepAlive => {
                        self.counters.keep_alives += 1;
                        continue;
                    }
                    Message::Piece { payload, .. } => {
                        *blocks += 1;
                        self.counters.payload_in += payload.len() as u64;
                    }
                    Message::Cancel(request) => self.dropped += self.queue.cancel(*request),
                    _ => {}
                }
                messages.push(message);
            } else if let Some(len) = self.decoder.wanted() {
                let take = self.buffer.get_or_insert_with(|| self.pool.take(len));
                let Poll::Ready(buffer) = Pin::new(take).poll(cx) else { return Ok(false) };
                self.buffer = None;
                self.decoder.supply(buffer);
            } else {
                break;
            }
        }
        Ok(true)
    }

    /// Hands over what the batch holds, if anything, and gets the next one ready.
    fn deliver(&mut self) -> Result<(), CloseReason> {
        let Some(mut batch) = self.batch.take() else { return Ok(()) };
        batch.drained = take_count(&mut self.drained);
        batch.dropped = take_count(&mut self.dropped);
        if batch.is_empty() {
            self.batch = Some(batch);
            return Ok(());
        }
        if (self.sink)(batch).is_break() {
            return Err(CloseReason::Told);
        }
        self.batch = self.mailbox.batch(self.counters());
        Ok(())
    }

    fn counters(&self) -> Counters {
        Counters { skipped: self.decoder.skipped(), ..self.counters }
    }
}

/// Whether a batch of so many messages, so many blocks among them, is to go.
fn is_full(messages: usize, blocks: usize) -> bool {
    messages >= MESSAGES_PER_BATCH || blocks >= BLOCKS_PER_BATCH
}

/// Takes as much of a count as fits in a batch; the rest, if there ever is one, goes with the next.
fn take_count(count: &mut usize) -> u32 {
    let taken = u32::try_from(*count).unwrap_or(u32::MAX);
    *count -= taken as usize;
    taken
}
