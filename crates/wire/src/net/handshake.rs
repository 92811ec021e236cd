//! Owns the exchange of handshakes over a transport, under one deadline for the whole. Never judges a peer's id.

use std::future::poll_fn;
use std::io::{IoSlice, IoSliceMut};

use tokio::time::timeout;

use super::{CloseReason, Transport};
use crate::error::ErrorKind;
use crate::handshake::{HANDSHAKE_LEN, Handshake};
use crate::limits::HANDSHAKE_DEADLINE;

/// Where in a handshake the peer id begins: all before it is needed to answer.
const PEER_ID_AT: usize = HANDSHAKE_LEN - 20;

/// Shakes hands with a peer that we connected to, and gives what it said. It must name the torrent that we named.
///
/// # Errors
/// Why the connection is of no use.
pub async fn outgoing(
    transport: &mut impl Transport,
    ours: Handshake,
) -> Result<Handshake, CloseReason> {
    within_deadline(async {
        write_all(transport, &ours.encode()).await?;
        let mut bytes = [0; HANDSHAKE_LEN];
        read_exact(transport, &mut bytes).await?;
        let theirs = Handshake::decode(&bytes)?;
        if theirs.info_hash != ours.info_hash {
            return Err(ErrorKind::WrongInfoHash.into());
        }
        Ok(theirs)
    })
    .await
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
        let mut bytes = [0; HANDSHAKE_LEN];
        let (before_id, id) = bytes.split_at_mut(PEER_ID_AT);
        read_exact(transport, before_id).await?;
        let mut known = [0; HANDSHAKE_LEN];
        known[..PEER_ID_AT].copy_from_slice(before_id);
        let ours = resolve(Handshake::decode(&known)?.info_hash).ok_or(ErrorKind::WrongInfoHash)?;
        write_all(transport, &ours.encode()).await?;
        read_exact(transport, id).await?;
        Ok(Handshake::decode(&bytes)?)
    })
    .await
}

async fn within_deadline(
    exchange: impl Future<Output = Result<Handshake, CloseReason>>,
) -> Result<Handshake, CloseReason> {
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

async fn write_all(transport: &mut impl Transport, mut bytes: &[u8]) -> Result<(), CloseReason> {
    while !bytes.is_empty() {
        let written =
            poll_fn(|cx| transport.poll_write_vectored(cx, &[IoSlice::new(bytes)])).await?;
        if written == 0 {
            return Err(CloseReason::Io(std::io::ErrorKind::WriteZero));
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}
