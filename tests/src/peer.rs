//! A scripted peer: says exactly what the test tells it to and hands over exactly what it hears.
//!
//! Owns one blocking connection, dialed or accepted. Never decides anything by itself, except in
//! [`Peer::serve`], where a test only needs a seed.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::message::Message;
use crate::torrent::Torrent;
use crate::{PATIENCE, Result};

/// More than any message of a well-behaved peer: a length beyond it fails the test.
const LONGEST: u32 = 4 << 20;

/// What a handshake begins with.
const PROTOCOL: [u8; 20] = *b"\x13BitTorrent protocol";

/// The first 68 bytes of a connection, without the protocol's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The bits of the extensions.
    pub reserved: [u8; 8],
    /// Which torrent.
    pub info_hash: [u8; 20],
    /// Who.
    pub peer_id: [u8; 20],
}

impl Handshake {
    /// A handshake without extensions. `name` becomes the end of the peer id.
    pub fn new(info_hash: [u8; 20], name: &str) -> Self {
        let mut peer_id = *b"-SC0000-............";
        let kept = name.len().min(12);
        peer_id[20 - kept..].copy_from_slice(&name.as_bytes()[..kept]);
        Self { reserved: [0; 8], info_hash, peer_id }
    }

    /// The 68 bytes.
    pub fn encode(&self) -> [u8; 68] {
        let mut out = [0; 68];
        out[..20].copy_from_slice(&PROTOCOL);
        out[20..28].copy_from_slice(&self.reserved);
        out[28..48].copy_from_slice(&self.info_hash);
        out[48..].copy_from_slice(&self.peer_id);
        out
    }

    /// From the 68 bytes.
    pub fn decode(bytes: &[u8; 68]) -> Result<Self> {
        if bytes[..20] != PROTOCOL {
            return Err("the handshake does not name the protocol".into());
        }
        let mut handshake = Self { reserved: [0; 8], info_hash: [0; 20], peer_id: [0; 20] };
        handshake.reserved.copy_from_slice(&bytes[20..28]);
        handshake.info_hash.copy_from_slice(&bytes[28..48]);
        handshake.peer_id.copy_from_slice(&bytes[48..]);
        Ok(handshake)
    }
}

/// Where a scripted peer waits to be dialed.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
}

impl Listener {
    /// Listens on a free port of 127.0.0.1.
    pub fn bind() -> Result<Self> {
        Self::bind_to(Ipv4Addr::LOCALHOST.into())
    }

    /// Listens on a free port of `ip`.
    pub fn bind_to(ip: IpAddr) -> Result<Self> {
        Ok(Self { socket: TcpListener::bind((ip, 0))? })
    }

    /// Where to dial.
    pub fn addr(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Waits to be dialed; not a byte is read or written.
    pub fn accept_raw(&self) -> Result<Peer> {
        let (stream, _) = self.socket.accept()?;
        Peer::from_stream(stream)
    }

    /// Waits to be dialed and shakes hands as the one that answers.
    pub fn accept(&self, ours: &Handshake) -> Result<(Peer, Handshake)> {
        let mut peer = self.accept_raw()?;
        let theirs = peer.read_handshake()?;
        peer.send_raw(&ours.encode())?;
        Ok((peer, theirs))
    }
}

/// One connection.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects; not a byte is read or written.
    pub fn dial_raw(addr: SocketAddr) -> Result<Self> {
        Self::from_stream(TcpStream::connect_timeout(&addr, PATIENCE)?)
    }

    /// The same from an address that is chosen: by its address one stranger is told from others.
    pub fn dial_raw_from(from: IpAddr, addr: SocketAddr) -> Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
        socket.connect_timeout(&addr.into(), PATIENCE)?;
        Self::from_stream(socket.into())
    }

    /// Connects and shakes hands as the one that speaks first.
    pub fn dial(addr: SocketAddr, ours: &Handshake) -> Result<(Self, Handshake)> {
        Self::dial_raw(addr)?.speak_first(ours)
    }

    /// Shakes hands as the one that speaks first.
    pub fn speak_first(mut self, ours: &Handshake) -> Result<(Self, Handshake)> {
        self.send_raw(&ours.encode())?;
        let theirs = self.read_handshake()?;
        Ok((self, theirs))
    }

    fn from_stream(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// Whether the other begins with a handshake in the clear, which is still to be read then.
    pub fn is_dialed_in_the_clear(&self) -> Result<bool> {
        let mut first = [0; PROTOCOL.len()];
        // On one machine a handshake comes whole or not at all.
        let peeked = self.stream.peek(&mut first)?;
        Ok(peeked > 0 && PROTOCOL.starts_with(&first[..peeked]))
    }

    /// Reads the other's handshake.
    pub fn read_handshake(&mut self) -> Result<Handshake> {
        let mut bytes = [0; 68];
        self.stream.read_exact(&mut bytes)?;
        Handshake::decode(&bytes)
    }

    /// Sends any bytes.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Message) -> Result<()> {
        self.send_raw(&message.encode())
    }

    /// The next message. An error if none comes in [`PATIENCE`] or the other hangs up.
    pub fn receive(&mut self) -> Result<Message> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix)?;
        let len = u32::from_be_bytes(prefix);
        if len > LONGEST {
            return Err(format!("a message of {len} bytes").into());
        }
        let mut frame = vec![0; len as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(Message::decode(&frame))
    }

    /// Reads until `pick` finds what the test waits for; what it passes over is lost.
    pub fn expect<T>(&mut self, mut pick: impl FnMut(&Message) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(found) = pick(&self.receive()?) {
                return Ok(found);
            }
        }
        Err("the message that was waited for did not come".into())
    }

    /// Reads and drops everything until the other hangs up.
    pub fn expect_close(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut dropped = [0; 16 * 1024];
        while Instant::now() < deadline {
            match self.stream.read(&mut dropped) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Err("the connection was not closed".into())
    }

    /// Whether the other side still holds the connection, as far as can be told without waiting.
    pub fn is_open(&self) -> bool {
        let blocking = self.stream.set_nonblocking(true);
        let open = match self.stream.peek(&mut [0]) {
            Ok(read) => read > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        blocking.is_ok() && self.stream.set_nonblocking(false).is_ok() && open
    }

    /// How long a single read may take from now on.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(patience))?)
    }

    /// Announces every piece, unchokes, and answers requests until the other hangs up. `spoil` may
    /// change each block before it is sent. Returns the bytes sent.
    pub fn serve(
        self,
        torrent: &Torrent,
        spoil: impl FnMut(u32, u32, &mut Vec<u8>),
    ) -> Result<u64> {
        self.serve_and(torrent, spoil, |_, _| Ok(()))
    }

    /// The same, and `answer` may say something to all other messages.
    pub fn serve_and(
        mut self,
        torrent: &Torrent,
        mut spoil: impl FnMut(u32, u32, &mut Vec<u8>),
        mut answer: impl FnMut(&mut Self, &Message) -> Result<()>,
    ) -> Result<u64> {
        self.send(&Message::Bitfield(torrent.full_bitfield()))?;
        self.send(&Message::Unchoke)?;
        let mut sent = 0;
        loop {
            let message = match self.receive() {
                Ok(message) => message,
                Err(error) if hung_up(&error) => return Ok(sent),
                Err(error) => return Err(error),
            };
            let Message::Request { piece, offset, len } = message else {
                match answer(&mut self, &message) {
                    Err(error) if hung_up(&error) => return Ok(sent),
                    other => other?,
                }
                continue;
            };
            {
                let block = torrent.block(piece, offset, len);
                let mut data = block.ok_or("a request outside the torrent")?.to_vec();
                spoil(piece, offset, &mut data);
                sent += data.len() as u64;
                match self.send(&Message::Piece { piece, offset, data }) {
                    Err(error) if hung_up(&error) => return Ok(sent),
                    other => other?,
                }
            }
        }
    }
}

/// Whether an error means that the other side closed the connection.
fn hung_up(error: &crate::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| matches!(e.kind(), BrokenPipe | ConnectionReset | UnexpectedEof))
}
