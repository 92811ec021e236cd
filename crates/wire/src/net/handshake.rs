//! Owns the exchange of handshakes over a transport, under one deadline for the whole. Never judges a peer's id.

use std::future::poll_fn;
use std::io::{IoSlice, IoSliceMut};

use tokio::time::timeout;

use super::{CloseReason, Transport};
use crate::error::ErrorKind;
use crate::handshake::{HANDSHAKE_LEN, Handshake};
use crate::limits::HANDSHAKE_DEADLINE;

/// Shakes hands with a peer that we connected to, and gives what it said. It must name the torrent that we named.
///
/// # Errors
/// Why the connection is of no use.
pub async fn outgoing(
    transport: &mut impl Transport,
    ours: Handshake,
) -> Result<Handshake, CloseReason> {
    within_deadline(greet(transport, ours)).await
}

/// [`outgoing`], without a deadline.
pub(super) async fn greet(
    transport: &mut impl Transport,
    ours: Handshake,
) -> Result<Handshake, CloseReason> {
    write_all(transport, &ours.encode()).await?;
    theirs(transport, ours).await
}

/// Reads what a peer answers to `ours`.
pub(super) async fn theirs(
    transport: &mut impl Transport,
    ours: Handshake,
) -> Result<Handshake, CloseReason> {
    let mut bytes = [0; HANDSHAKE_LEN];
    read_exact(transport, &mut bytes).await?;
    let theirs = Handshake::decode(&bytes)?;
    if theirs.info_hash != ours.info_hash {
        return Err(ErrorKind::WrongInfoHash.into());
    }
    Ok(theirs)
}

/// Shakes hands with a peer that connected to us, and gives what it said. `resolve` gets the info-hash that the peer
/// names and answers with our handshake for that torrent, or `None` if we have no such torrent.
///
/// Ours goes out as soon as the torrent is known: BEP 3 lets the peer keep its id back until then.
///
/// # Errors
/// Why the connection is of no use.
pub async fn incoming(
    transport: &mut impl Transport,
    resolve: impl FnOnce([u8; 20]) -> Option<Handshake>,
) -> Result<Handshake, CloseReason> {
    within_deadline(async {
        let begin = begin(transport).await?;
        answer(transport, &begin, resolve).await
    })
    .await
}

/// The beginning of a peer's handshake: all that comes before its id.
pub(super) type Begin = [u8; HANDSHAKE_LEN - 20];

/// Reads that.
pub(super) async fn begin(transport: &mut impl Transport) -> Result<Begin, CloseReason> {
    let mut begin = [0; HANDSHAKE_LEN - 20];
    read_exact(transport, &mut begin).await?;
    Ok(begin)
}

/// Answers a peer whose handshake begins like this, and reads the rest of it.
pub(super) async fn answer(
    transport: &mut impl Transport,
    begin: &Begin,
    resolve: impl FnOnce([u8; 20]) -> Option<Handshake>,
) -> Result<Handshake, CloseReason> {
    let mut bytes = [0; HANDSHAKE_LEN];
    let (before_id, id) = bytes.split_at_mut(begin.len());
    before_id.copy_from_slice(begin);
    let mut known = [0; HANDSHAKE_LEN];
    known.iter_mut().zip(begin).for_each(|(to, from)| *to = *from);
    let ours = resolve(Handshake::decode(&known)?.info_hash).ok_or(ErrorKind::WrongInfoHash)?;
    write_all(transport, &ours.encode()).await?;
    read_exact(transport, id).await?;
    Ok(Handshake::decode(&bytes)?)
}

pub(super) async fn within_deadline<R>(
    exchange: impl Future<Output = Result<R, CloseReason>>,
) -> Result<R, CloseReason> {
    timeout(HANDSHAKE_DEADLINE, exchange).await.unwrap_or(Err(CloseReason::SlowHandshake))
}

/// Fills `bytes`, and reads nothing beyond: what follows is the decoder's.
async fn read_exact(
    transport: &mut impl Transport,
    mut bytes: &mut [u8],
) -> Result<(), CloseReason> {
    while !bytes.is_empty() {
        let read =
            poll_fn(|cx| transport.poll_read_vectored(cx, &mut [IoSliceMut::new(bytes)])).await?;
        if read == 0 {
            return Err(CloseReason::Peer);
        }
        bytes = bytes.get_mut(read..).unwrap_or_default();
    }
    Ok(())
}

/// Hands over all of `bytes`, and sees to it that they leave.
pub(super) async fn write_all(
    transport: &mut impl Transport,
    mut bytes: &[u8],
) -> Result<(), CloseReason> {
    while !bytes.is_empty() {
        let written =
            poll_fn(|cx| transport.poll_write_vectored(cx, &[IoSlice::new(bytes)])).await?;
        if written == 0 {
            return Err(CloseReason::Io(std::io::ErrorKind::WriteZero));
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(poll_fn(|cx| transport.poll_flush(cx)).await?)
}
