//! Owns what a connection needs of a byte stream: vectored reads and writes. Never knows what the bytes are.

use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::net::TcpStream;

/// A two-way byte stream. TCP is one, an encrypted [`Stream`](super::Stream) over it another.
pub trait Transport: Send {
    /// Reads what there is into `bufs`, in order. 0 means that the peer will send no more.
    fn poll_read_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Writes the beginning of `bufs`, as much as the stream takes now.
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Moves on what a write took and the stream did not take yet. Ready when nothing of that is left. A transport that
    /// takes only what it passes on has nothing to do.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// How many bytes wait for [`poll_flush`](Self::poll_flush).
    fn unsent(&self) -> usize {
        0
    }
}

impl Transport for TcpStream {
    fn poll_read_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = bufs.iter().map(|buf| buf.len()).sum();
        loop {
            ready!(self.poll_read_ready(cx))?;
            let read = || self.try_read_vectored(bufs);
            if let Some(result) = until_dry(self, Interest::READABLE, room, read) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = bufs.iter().map(|buf| buf.len()).sum();
        loop {
            ready!(self.poll_write_ready(cx))?;
            let write = || self.try_write_vectored(bufs);
            if let Some(result) = until_dry(self, Interest::WRITABLE, all, write) {
                return Poll::Ready(result);
            }
        }
    }
}

/// Does `operation` on up to `most` bytes; `None` if the socket was not ready after all.
///
/// An operation that moved fewer bytes than it could has met the end of what the socket has, or takes. Telling the
/// runtime so (by `WouldBlock`, the only way it listens to) saves the system call that would find out the same. An event
/// that comes in between is not lost: the runtime clears only the readiness it knew of before.
fn until_dry(
    stream: &TcpStream,
    interest: Interest,
    most: usize,
    operation: impl FnOnce() -> io::Result<usize>,
) -> Option<io::Result<usize>> {
    let mut moved = None;
    let result = stream.try_io(interest, || {
        let n = operation()?;
        moved = Some(n);
        if 0 < n && n < most { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
    });
    match (moved, result) {
        (Some(n), _) => Some(Ok(n)),
        (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
        (None, result) => Some(result),
    }
}
