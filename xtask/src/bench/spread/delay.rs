//! Makes the way to a peer longer: whatever comes to one address leaves for another some time later, in
//! both directions. Owns the threads of its connections. It neither limits rates nor loses anything.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::Result;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Chunks on their way: what a fast link holds in the time.
const ON_THE_WAY: usize = 256;

/// Listens at `far` and connects what comes to `near`. A peer at an address of `near`'s network is seen
/// there under the one that `alias` gives, so that it can be called back the same way. Ends with the
/// process: its network ends with that too.
pub(super) fn start(
    far: SocketAddrV4,
    near: SocketAddrV4,
    delay: Duration,
    alias: fn(Ipv4Addr) -> Ipv4Addr,
) -> Result<()> {
    let listener = TcpListener::bind(far)?;
    thread::spawn(move || {
        while let Ok((came, from)) = listener.accept() {
            let SocketAddr::V4(from) = from else { continue };
            thread::spawn(move || {
                // Who can't be connected is hung up on, as without the delay.
                if let Ok(goes) = connect(alias(*from.ip()), near) {
                    let _ = join(came, goes, delay);
                }
            });
        }
    });
    Ok(())
}

fn connect(from: Ipv4Addr, to: SocketAddrV4) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
    socket.connect(&SocketAddr::V4(to).into())?;
    Ok(socket.into())
}

fn join(came: TcpStream, goes: TcpStream, delay: Duration) -> std::io::Result<()> {
    came.set_nodelay(true)?;
    goes.set_nodelay(true)?;
    let back = (goes.try_clone()?, came.try_clone()?);
    thread::spawn(move || pass(back.0, back.1, delay));
    pass(came, goes, delay);
    Ok(())
}

/// Passes on what is read, each chunk `delay` after it came, until either end is closed.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (chunks, due) = mpsc::sync_channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let writer = thread::spawn(move || {
        for (at, chunk) in due {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&chunk).is_err() {
                break;
            }
        }
        // It may be closed already.
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let chunk = buffer.get(..count).unwrap_or_default().to_vec();
        if chunks.send((Instant::now() + delay, chunk)).is_err() {
            break;
        }
    }
    drop(chunks);
    let _ = from.shutdown(Shutdown::Read);
    let _ = writer.join();
}
