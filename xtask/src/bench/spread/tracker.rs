//! A tracker that tells all who ask of the same peers. Owns one thread; keeps nothing of those who ask.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::Result;

/// How long to wait for a request, and how often to look whether it is over.
const PATIENCE: Duration = Duration::from_millis(100);

/// Answers until it is dropped.
pub(super) struct Tracker {
    pub(super) url: String,
    over: Arc<AtomicBool>,
}

impl Tracker {
    pub(super) fn start(listen: SocketAddrV4, peers: &[SocketAddrV4]) -> Result<Self> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let mut body = format!("d8:intervali1800e5:peers{}:", 6 * peers.len()).into_bytes();
        for peer in peers {
            body.extend(peer.ip().octets());
            body.extend(peer.port().to_be_bytes());
        }
        body.push(b'e');
        let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let reply = [head.as_bytes(), &body].concat();
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((mut stream, _)) => {
                        // Who asks wrongly gets no answer; the others are answered all the same.
                        let _ = stream
                            .set_nonblocking(false)
                            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
                            .and_then(|()| stream.read(&mut [0; 4096]))
                            .and_then(|_| stream.write_all(&reply));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PATIENCE),
                    Err(_) => return,
                }
            }
        });
        Ok(Self { url: format!("http://{listen}/announce"), over })
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
