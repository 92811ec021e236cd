//! Owns the tests over real sockets on the loopback.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::limits::{BLOCK_LEN, CONNECT_DEADLINE};

const BLOCKS: u32 = 1000;

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (dialed, accepted) = tokio::join!(connect(addr, None), listener.accept());
    (dialed.unwrap(), accepted.unwrap().0)
}

#[tokio::test]
async fn a_thousand_blocks_cross_a_real_socket_in_few_system_calls() {
    let (mut a, mut b) = tcp_pair().await;
    let resolve = |_| Some(hello(7, b'b'));
    let (at_a, at_b) = tokio::join!(outgoing(&mut a, hello(7, b'a')), incoming(&mut b, resolve));
    assert_eq!((at_a, at_b), (Ok(hello(7, b'b')), Ok(hello(7, b'a'))));

    let pool = Pool::new(4 << 20);
    let (sender, mailbox) = channel();
    let (drained_to, mut drained) = unbounded_channel();
    let tell = move |batch: Batch| {
        drained_to.send(batch.drained).map_or(ControlFlow::Break(()), ControlFlow::Continue)
    };
    let sending = tokio::spawn(run(a, mailbox, tell, Config::new(pool.clone())));
    let (receiver, mailbox) = channel();
    let (blocks_to, mut blocks) = unbounded_channel();
    let take =
        move |batch| blocks_to.send(batch).map_or(ControlFlow::Break(()), ControlFlow::Continue);
    let receiving = tokio::spawn(run(b, mailbox, take, Config::new(pool.clone())));

    let send = async {
        for first in (0..BLOCKS).step_by(100) {
            sender
                .send_all(&mut (first..first + 100).map(|piece| block(piece, BLOCK_LEN)).collect());
            let mut left = 100 * BLOCK_LEN as u32;
            while left > 0 {
                left -= drained.recv().await.unwrap();
            }
        }
    };
    let receive = async {
        let mut next = 0;
        while next < BLOCKS {
            for message in blocks.recv().await.unwrap().messages.drain(..) {
                assert_eq!(message, block(next, BLOCK_LEN));
                next += 1;
            }
        }
    };
    tokio::join!(send, receive);
    sender.close();
    assert_eq!(sending.await.unwrap(), CloseReason::Told);
    assert_eq!(receiving.await.unwrap(), CloseReason::Peer);

    let (out, into) = (sender.counters(), receiver.counters());
    assert_eq!(out.payload_out, u64::from(BLOCKS) * BLOCK_LEN as u64);
    assert_eq!((into.payload_in, into.bytes_in), (out.payload_out, out.bytes_out));
    assert!(out.writes < u64::from(BLOCKS) / 4, "{out:?}");
    assert!(into.reads < 2 * u64::from(BLOCKS), "{into:?}");
    assert_eq!(pool.in_use(), 0);
}

#[tokio::test]
async fn connecting_uses_the_bound_address_and_no_delay() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let stream = connect(addr, Some(from)).await.unwrap();
    assert_eq!(stream.local_addr().unwrap().ip(), from);
    assert!(stream.nodelay().unwrap());

    let error = connect(addr, Some(IpAddr::V6(Ipv6Addr::LOCALHOST))).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_is_given_up_at_the_deadline() {
    // Nobody accepts, and the system queues one or two: to all others it says nothing.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut made = Vec::new();
    let (begun, error) = loop {
        let begun = tokio::time::Instant::now();
        match connect(addr, None).await {
            Ok(stream) => made.push(stream),
            Err(error) => break (begun, error),
        }
        assert!(made.len() < 10, "the queue has no end");
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed().as_secs(), CONNECT_DEADLINE.as_secs());
}
