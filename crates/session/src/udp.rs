//! UDP sockets, one a family: bound as the DHT and the local discovery need them, read and written
//! without waiting where one socket would hold up the other. Never looks into a datagram.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// The port of local discovery (BEP 14).
const LSD_PORT: u16 = 6771;

/// Its groups.
const LSD_V4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
const LSD_V6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);

/// Longer datagrams are cut; nobody has a reason to send any.
const MAX_DATAGRAM: usize = 2_048;

/// How long to leave a socket alone that cannot be read.
const PAUSE: Duration = Duration::from_millis(100);

/// At least one of the two.
#[derive(Debug)]
pub(crate) struct Sockets {
    v4: Option<Half>,
    v6: Option<Half>,
}

#[derive(Debug)]
enum Half {
    /// Not known to a runtime yet.
    Std(std::net::UdpSocket),
    Tokio(UdpSocket),
}

impl Sockets {
    /// Sockets on `port`, the one that the TCP listener has, or on any other if that is taken.
    pub(crate) fn for_dht(bind: Option<IpAddr>, port: u16) -> Option<Self> {
        Self::open("the DHT", bind, |ip| {
            let bound = plain(SocketAddr::new(ip, port));
            if bound.is_err() {
                log::info!("UDP port {port} is taken; the DHT uses another");
                return plain(SocketAddr::new(ip, 0));
            }
            bound
        })
    }

    /// Sockets that hear the groups of local discovery.
    pub(crate) fn for_lsd(bind: Option<IpAddr>) -> Option<Self> {
        Self::open("local discovery", bind, listening_to_group)
    }

    fn open(
        what: &str,
        bind: Option<IpAddr>,
        open: impl Fn(IpAddr) -> io::Result<std::net::UdpSocket>,
    ) -> Option<Self> {
        let half = |any: IpAddr| {
            let ip = bind.unwrap_or(any);
            if ip.is_ipv4() != any.is_ipv4() {
                return None;
            }
            let socket = storage::with_descriptors(|| open(ip))
                .map_err(|error| log::info!("no socket for {what} at {ip}: {error}"));
            socket.ok().map(Half::Std)
        };
        let v4 = half(Ipv4Addr::UNSPECIFIED.into());
        let v6 = half(Ipv6Addr::UNSPECIFIED.into());
        (v4.is_some() || v6.is_some()).then_some(Self { v4, v6 })
    }

    pub(crate) fn has_v4(&self) -> bool {
        self.v4.is_some()
    }

    pub(crate) fn has_v6(&self) -> bool {
        self.v6.is_some()
    }

    /// The port of the first.
    pub(crate) fn port(&self) -> u16 {
        let addr = |half: &Half| match half {
            Half::Std(socket) => socket.local_addr(),
            Half::Tokio(socket) => socket.local_addr(),
        };
        let first = self.v4.as_ref().or(self.v6.as_ref()).and_then(|half| addr(half).ok());
        first.map_or(0, |addr| addr.port())
    }

    /// Hands them to the runtime that this is called on.
    pub(crate) async fn register(self) -> io::Result<Self> {
        Ok(Self { v4: register(self.v4).await?, v6: register(self.v6).await? })
    }

    /// The next datagram of either family.
    pub(crate) async fn receive(&self) -> Datagram {
        tokio::select! {
            datagram = receive(self.v4.as_ref()) => datagram,
            datagram = receive(self.v6.as_ref()) => datagram,
        }
    }

    /// Sends a datagram, or loses it where the system takes none at the moment.
    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let half = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        if let Some(Half::Tokio(socket)) = half
            && let Err(error) = socket.try_send_to(bytes, to)
        {
            log::trace!("{to}: cannot send a datagram: {error}");
        }
    }

    /// Sends each group of local discovery what `to` makes for it.
    pub(crate) fn send_to_groups(&self, to: impl Fn(lsd::Family) -> Vec<u8>) {
        for (there, family, group) in [
            (self.has_v4(), lsd::Family::V4, IpAddr::from(LSD_V4)),
            (self.has_v6(), lsd::Family::V6, IpAddr::from(LSD_V6)),
        ] {
            if there {
                self.send(SocketAddr::new(group, LSD_PORT), &to(family));
            }
        }
    }
}

/// What came, and from whom.
pub(crate) struct Datagram {
    buffer: [u8; MAX_DATAGRAM],
    len: usize,
    pub(crate) from: SocketAddr,
}

impl Datagram {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

async fn register(half: Option<Half>) -> io::Result<Option<Half>> {
    Ok(match half {
        Some(Half::Std(socket)) => {
            let socket = UdpSocket::from_std(socket)?;
            // Until the runtime has looked at it once, it would lose whatever is sent.
            socket.writable().await?;
            Some(Half::Tokio(socket))
        }
        registered => registered,
    })
}

async fn receive(half: Option<&Half>) -> Datagram {
    let Some(Half::Tokio(socket)) = half else { return std::future::pending().await };
    let mut buffer = [0; MAX_DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((len, from)) => return Datagram { buffer, len, from },
            Err(error) => {
                log::debug!("cannot read a datagram: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn plain(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    bound(addr, |_| Ok(()))
}

/// Every client of the machine hears what is sent to the group.
fn listening_to_group(ip: IpAddr) -> io::Result<std::net::UdpSocket> {
    let any = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    bound(SocketAddr::new(any, LSD_PORT), |socket| {
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        match ip {
            IpAddr::V4(ip) => {
                socket.join_multicast_v4(&LSD_V4, &ip)?;
                if !ip.is_unspecified() {
                    socket.set_multicast_if_v4(&ip)?;
                }
                Ok(())
            }
            IpAddr::V6(_) => socket.join_multicast_v6(&LSD_V6, 0),
        }
    })
}

fn bound(
    addr: SocketAddr,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    prepare(&socket)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}
