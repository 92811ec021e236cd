//! Owns a transport whose bytes may be encrypted: plaintext passes through untouched, RC4 is applied in place to what was
//! read and in one buffer to what is written. Never shakes hands.

use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll, ready};

use super::Transport;
use crate::limits::{SEALED_KEPT, SEALED_LEN};
use crate::mse::{Established, Keystream, Keystreams, Method};

/// A transport after its first words, encrypted or not.
pub struct Stream<T> {
    inner: T,
    /// Bytes of the peer that came before anybody asked for them, in plain.
    early: Vec<u8>,
    /// How an encryption handshake ended, if there was one.
    method: Option<Method>,
    cipher: Option<Box<Cipher>>,
}

/// What RC4 needs.
struct Cipher {
    incoming: Keystream,
    outgoing: Keystream,
    /// What was taken to be written, encrypted. The first `sent` bytes are written; all of them cannot be undone, so they
    /// go out before anything else does.
    sealed: Vec<u8>,
    sent: usize,
}

impl<T> Stream<T> {
    /// Of a peer that speaks in plain, and has not said anything yet.
    pub fn plain(inner: T) -> Self {
        Self { inner, early: Vec::new(), method: None, cipher: None }
    }

    /// Of a peer with which an encryption handshake ended like this.
    pub fn encrypted(inner: T, established: Established) -> Self {
        let Established { method, early, keystreams } = established;
        let cipher = keystreams.map(|Keystreams { incoming, outgoing }| {
            Box::new(Cipher { incoming, outgoing, sealed: Vec::new(), sent: 0 })
        });
        Self { inner, early, method: Some(method), cipher }
    }

    /// How the encryption handshake ended; `None` if there was none.
    pub fn method(&self) -> Option<Method> {
        self.method
    }
}

impl<T: Transport> Transport for Stream<T> {
    fn poll_read_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            return Poll::Ready(Ok(give(&mut self.early, bufs)));
        }
        let read = ready!(self.inner.poll_read_vectored(cx, bufs))?;
        if let Some(cipher) = &mut self.cipher {
            cipher.open(bufs, read);
        }
        Poll::Ready(Ok(read))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(cipher) = &mut self.cipher else {
            return self.inner.poll_write_vectored(cx, bufs);
        };
        ready!(cipher.flush(cx, &mut self.inner))?;
        let taken = cipher.seal(bufs);
        // What the inner transport does not take now, it takes in a later flush.
        if let Poll::Ready(result) = cipher.flush(cx, &mut self.inner) {
            result?;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.cipher {
            Some(cipher) => cipher.flush(cx, &mut self.inner),
            None => Poll::Ready(Ok(())),
        }
    }

    fn unsent(&self) -> usize {
        self.cipher.as_ref().map_or(0, |cipher| cipher.sealed.len() - cipher.sent)
    }
}

impl Cipher {
    /// Decrypts the first `len` bytes of `bufs`, right where they are.
    fn open(&mut self, bufs: &mut [IoSliceMut<'_>], mut len: usize) {
        for buf in bufs {
            let here = len.min(buf.len());
            self.incoming.apply(buf.get_mut(..here).unwrap_or_default());
            len -= here;
        }
    }

    /// Encrypts the beginning of `bufs`, as much as there is room for, and says how much that is.
    fn seal(&mut self, bufs: &[IoSlice<'_>]) -> usize {
        let begin = self.sealed.len();
        for buf in bufs {
            let room = SEALED_LEN.saturating_sub(self.sealed.len());
            self.sealed.extend_from_slice(buf.get(..room).unwrap_or(buf));
        }
        self.outgoing.apply(self.sealed.get_mut(begin..).unwrap_or_default());
        self.sealed.len() - begin
    }

    /// Writes what is encrypted. Ready when nothing is left.
    fn flush(&mut self, cx: &mut Context<'_>, inner: &mut impl Transport) -> Poll<io::Result<()>> {
        while let Some(rest) = self.sealed.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let written = ready!(inner.poll_write_vectored(cx, &[IoSlice::new(rest)]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.sealed.clear();
        self.sealed.shrink_to(SEALED_KEPT);
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

/// Moves the beginning of `bytes` to `bufs` and says how much that is.
fn give(bytes: &mut Vec<u8>, bufs: &mut [IoSliceMut<'_>]) -> usize {
    let mut given = 0;
    for buf in bufs {
        let rest = bytes.get(given..).unwrap_or_default();
        let (here, _) = rest.split_at(rest.len().min(buf.len()));
        let (to, _) = buf.split_at_mut(here.len());
        to.copy_from_slice(here);
        given += here.len();
    }
    bytes.drain(..given);
    if bytes.is_empty() {
        *bytes = Vec::new();
    }
    given
}
