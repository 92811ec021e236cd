//! Owns which handshake comes first on a connection, and the exchange of the encrypted one over a transport. Never draws
//! random numbers, and never decides whether a peer that refuses one kind is tried with another.

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::task::Poll;

use super::handshake::{answer, begin, theirs, within_deadline, write_all};
use super::{CloseReason, Stream, Transport};
use crate::error::{Error, ErrorKind};
use crate::handshake::{Handshake, PROTOCOL};
use crate::mse::{Allowed, Initiator, Noise, Responder};

/// How much is read at once of an encryption handshake: most of them whole.
const READ_LEN: usize = 1024;

/// What an end wants of its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Plaintext only; who comes encrypted is refused.
    Off,
    /// Whatever the peer wants; plaintext if it leaves that to us.
    #[default]
    Prefer,
    /// Nothing that is not encrypted by RC4.
    Require,
}

impl Encryption {
    /// What is agreed to in an encryption handshake; `None` if there is to be none.
    pub fn allowed(self) -> Option<Allowed> {
        match self {
            Self::Off => None,
            Self::Prefer => Some(Allowed::Both),
            Self::Require => Some(Allowed::Rc4),
        }
    }
}

/// As [`outgoing`](super::outgoing), behind an encryption handshake. All of it has one deadline.
///
/// # Errors
/// Why the connection is of no use.
pub async fn outgoing_encrypted<T: Transport>(
    mut transport: T,
    ours: Handshake,
    allowed: Allowed,
    noise: &Noise,
) -> Result<(Stream<T>, Handshake), CloseReason> {
    within_deadline(async {
        let mut side = Initiator::new(ours.info_hash, allowed, &ours.encode(), noise);
        let output = side.take_output();
        exchange(&mut transport, output, |bytes, output| {
            side.receive(bytes)?;
            output.extend(side.take_output());
            Ok(side.is_done())
        })
        .await?;
        let established = side.finish().ok_or(ErrorKind::BadEncryption)?;
        let mut stream = Stream::encrypted(transport, established);
        // Ours went out with the encryption handshake.
        let theirs = theirs(&mut stream, ours).await?;
        Ok((stream, theirs))
    })
    .await
}

/// As [`incoming`](super::incoming), for a peer that may begin with an encryption handshake: the first bytes tell. `find`
/// gives the info-hash with this [`disguise`](crate::mse::disguise); `noise` is drawn only if it is needed.
///
/// # Errors
/// Why the connection is of no use.
pub async fn incoming_either<T: Transport>(
    mut transport: T,
    encryption: Encryption,
    noise: impl FnOnce() -> io::Result<Noise>,
    find: impl Fn([u8; 20]) -> Option<[u8; 20]>,
    resolve: impl FnOnce([u8; 20]) -> Option<Handshake>,
) -> Result<(Stream<T>, Handshake), CloseReason> {
    within_deadline(async {
        let first = begin(&mut transport).await?;
        let plain = first.starts_with(PROTOCOL);
        let allowed = match encryption.allowed() {
            Some(Allowed::Rc4) if plain => return Err(ErrorKind::Unencrypted.into()),
            Some(allowed) if !plain => allowed,
            _ => {
                let mut stream = Stream::plain(transport);
                let theirs = answer(&mut stream, &first, resolve).await?;
                return Ok((stream, theirs));
            }
        };
        let mut side = Responder::new(allowed, noise()?);
        side.receive(&first, &find)?;
        exchange(&mut transport, side.take_output(), |bytes, output| {
            side.receive(bytes, &find)?;
            output.extend(side.take_output());
            Ok(side.is_done())
        })
        .await?;
        let named = side.info_hash();
        let established = side.finish().ok_or(ErrorKind::BadEncryption)?;
        let mut stream = Stream::encrypted(transport, established);
        let first = begin(&mut stream).await?;
        // The key is of one torrent; nobody gets another with it.
        let resolve = |info_hash| if named == Some(info_hash) { resolve(info_hash) } else { None };
        let theirs = answer(&mut stream, &first, resolve).await?;
        Ok((stream, theirs))
    })
    .await
}

/// Sends `output`, and hands what comes to `receive`, which adds to the output and says whether that was all. Reads while
/// it writes, so that two ends with much to say never wait for each other.
async fn exchange(
    transport: &mut impl Transport,
    mut output: Vec<u8>,
    mut receive: impl FnMut(&[u8], &mut Vec<u8>) -> Result<bool, Error>,
) -> Result<(), CloseReason> {
    let mut bytes = [0; READ_LEN];
    loop {
        let read = poll_fn(|cx| {
            while !output.is_empty() {
                match transport.poll_write_vectored(cx, &[IoSlice::new(&output)])? {
                    Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(written) => drop(output.drain(..written)),
                    Poll::Pending => break,
                }
            }
            transport.poll_read_vectored(cx, &mut [IoSliceMut::new(&mut bytes)])
        })
        .await?;
        let Some(bytes) = bytes.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Err(CloseReason::Peer);
        };
        if receive(bytes, &mut output)? {
            return write_all(transport, &output).await;
        }
    }
}
