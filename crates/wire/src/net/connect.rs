//! Owns the making of an outgoing TCP connection. Never decides to whom, or how often.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};

use crate::limits::CONNECT_DEADLINE;

/// Connects to `addr`, from the local address `bind` if one is given, within [`CONNECT_DEADLINE`]. The socket has
/// `TCP_NODELAY` set.
///
/// # Errors
/// Whatever the system says, `TimedOut` after the deadline, `InvalidInput` if `bind` and `addr` are not of one family.
pub async fn connect(addr: SocketAddr, bind: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(ip) = bind {
        if ip.is_ipv4() != addr.is_ipv4() {
            let why = format!("cannot reach {addr} from the address {ip}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    socket.set_nodelay(true)?;
    tokio::time::timeout(CONNECT_DEADLINE, socket.connect(addr)).await?
}
