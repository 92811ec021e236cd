//! HTTPS trackers: certificates are always verified, against the roots that `SSL_CERT_FILE` names.
//!
//! That variable is read once a process, so each case runs this test binary again as a child.
//! `https/` holds a CA whose key was thrown away, and a certificate it signed for `localhost` and
//! `127.0.0.1`; neither is good for anything else.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail like the test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tracker::{Announce, Client, Config, Event};

/// Tells the child which tracker to ask.
const URL: &str = "PIECES_TEST_TRACKER_URL";

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/https").join(name)
}

/// A tracker with the certificate of `https/server.pem`, on all of loopback.
fn serve() -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(fixture("server.pem")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut head = Vec::new();
            let mut byte = [0];
            // A client that does not trust us breaks off here.
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\nd8:intervali600eee");
        }
    });
    addr
}

/// What the child prints.
fn announce(url: &str) -> String {
    let client = Client::start(Config::default()).unwrap();
    let ask = Announce {
        url: url.to_owned(),
        info_hash: [1; 20],
        peer_id: [2; 20],
        port: 1,
        uploaded: 0,
        downloaded: 0,
        left: 0,
        event: Event::Started,
        num_want: None,
        key: 0,
        tracker_id: None,
    };
    let (answer, answered) = channel();
    client.announce(ask, move |result| answer.send(result).unwrap());
    match answered.recv().unwrap() {
        Ok(reply) => format!("interval {:?}", reply.interval),
        Err(error) => format!("error {:?}", error.kind()),
    }
}

#[test]
fn certificates_are_verified() {
    if let Ok(url) = std::env::var(URL) {
        println!("answer: {}", announce(&url));
        return;
    }
    let port = serve().port();
    let cases = [
        ("localhost", "ca.pem", "interval 600s"),
        ("127.0.0.1", "ca.pem", "interval 600s"),
        // Trusted, but for another name.
        ("127.0.0.2", "ca.pem", "error Tls"),
        // A leaf that is no authority, no certificate at all, no file: nothing else is trusted then.
        ("localhost", "server.key", "error Tls"),
        ("localhost", "missing", "error Tls"),
        // The platform's own roots.
        ("localhost", "", "error Tls"),
    ];
    for (host, roots, expected) in cases {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "certificates_are_verified", "--nocapture"]);
        child.env(URL, format!("https://{host}:{port}/announce"));
        child.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        if !roots.is_empty() {
            child.env("SSL_CERT_FILE", fixture(roots));
        }
        let output = child.output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.contains(&format!("answer: {expected}")), "{host} {roots}: {output}");
    }
}
