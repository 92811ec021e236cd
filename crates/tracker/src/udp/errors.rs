//! What the system heard of our datagrams: that nothing listens at the port that one went to. A socket
//! that talks to many hosts is told so only if it asks for it, and only Linux has a way to ask.

use std::io;
use std::net::{SocketAddr, UdpSocket};

/// From now on the system keeps what it hears.
#[cfg(target_os = "linux")]
pub(super) fn keep(socket: &UdpSocket, is_ipv6: bool) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    if is_ipv6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    }
    Ok(())
}

/// Where datagrams went that were refused since the last call.
#[cfg(target_os = "linux")]
pub(super) fn refused(socket: &UdpSocket) -> Vec<SocketAddr> {
    let mut refused = Vec::new();
    // The system keeps a bounded number of them.
    while let Some((to, is_refusal)) = next(socket) {
        refused.extend(to.filter(|_| is_refusal));
    }
    refused
}

/// The next of what the system kept: where the datagram went, and whether the port refused it.
#[cfg(target_os = "linux")]
fn next(socket: &UdpSocket) -> Option<(Option<SocketAddr>, bool)> {
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd as _;

    use nix::libc::{ECONNREFUSED, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, sockaddr_in6};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};

    // What was sent is not needed again.
    let mut sent = [0; 1];
    let mut sent = [IoSliceMut::new(&mut sent)];
    let mut facts = nix::cmsg_space!(nix::libc::sock_extended_err, sockaddr_in6);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let fd = socket.as_raw_fd();
    let kept = recvmsg::<SockaddrStorage>(fd, &mut sent, Some(&mut facts), flags).ok()?;
    let to = kept.address.and_then(|to| {
        let v4 = to.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
        v4.or_else(|| to.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
    });
    let is_refusal = kept.cmsgs().ok()?.any(|fact| match fact {
        ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
            let said = [SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6].contains(&error.ee_origin);
            said && i32::try_from(error.ee_errno) == Ok(ECONNREFUSED)
        }
        _ => false,
    });
    Some((to, is_refusal))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep(_: &UdpSocket, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refused(_: &UdpSocket) -> Vec<SocketAddr> {
    Vec::new()
}
