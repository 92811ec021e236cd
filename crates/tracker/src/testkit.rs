//! Tiny servers for this crate's tests: one HTTP handler a connection, on loopback, on a free
//! port. Never used outside of tests.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use crate::{Announce, Client, Config, Error, Event, Reply};

/// A test that hangs fails after this long.
pub(crate) const HANG: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    /// Each request's head, and who sent it.
    pub(crate) requests: Receiver<(String, SocketAddr)>,
}

impl Server {
    /// Reads a request's head and lets `answer` do the rest.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::on(Ipv4Addr::LOCALHOST.into(), answer)
    }

    pub(crate) fn on(
        ip: IpAddr,
        answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        Self::listening(TcpListener::bind((ip, 0)).unwrap(), answer)
    }

    pub(crate) fn listening(
        listener: TcpListener,
        answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let (heads, requests) = unbounded();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            while let Ok((mut stream, from)) = listener.accept() {
                let (answer, heads) = (Arc::clone(&answer), heads.clone());
                thread::spawn(move || {
                    let mut head = Vec::new();
                    let mut byte = [0];
                    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                        head.push(byte[0]);
                    }
                    let head = String::from_utf8(head).unwrap();
                    let _ = heads.send((head.clone(), from));
                    answer(&head, &mut stream);
                });
            }
        });
        Self { addr, requests }
    }

    /// Answers every request with this status line, these headers and this body.
    pub(crate) fn fixed(status: &str, headers: &str, body: impl Into<Vec<u8>>) -> Self {
        let response = response(status, headers, &body.into());
        Self::start(move |_, stream| {
            let _ = stream.write_all(&response);
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

pub(crate) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn ask(url: &str) -> Announce {
    Announce {
        url: url.to_owned(),
        info_hash: [0xAB; 20],
        peer_id: *b"-PC0100-0123456789ab",
        port: 6881,
        uploaded: 0,
        downloaded: 0,
        left: 100,
        event: Event::Started,
        num_want: Some(50),
        key: 7,
        tracker_id: None,
    }
}

pub(crate) fn quick() -> Config {
    Config { timeout: Duration::from_secs(10), ..Config::default() }
}

/// Announces and waits for the answer.
pub(crate) fn announce(client: &Client, url: &str) -> Result<Reply, Error> {
    let (answer, answered) = unbounded();
    client.announce(ask(url), move |result| answer.send(result).unwrap());
    answered.recv_timeout(HANG).unwrap()
}
