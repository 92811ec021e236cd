//! ureq's lower half: a TCP socket bound to our local address that connects to the given, already
//! admitted addresses and to no others, with deadlines that dripping cannot extend. Never resolves.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};

use crate::shortage::Shortage;

/// "Resolves" to the addresses that were checked: what was checked is what is connected.
#[derive(Debug)]
pub(super) struct Pinned(pub(super) Vec<SocketAddr>);

impl Resolver for Pinned {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addrs = self.empty();
        for addr in &self.0 {
            if addrs.try_push(*addr).is_err() {
                break;
            }
        }
        if addrs.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addrs) }
    }
}

/// Opens TCP connections from a local address.
#[derive(Debug)]
pub(super) struct From {
    pub(super) local: Option<IpAddr>,
    pub(super) shortage: Shortage,
    /// Which of the addresses was connected.
    pub(super) connected: Arc<Mutex<Option<SocketAddr>>>,
}

impl Connector<()> for From {
    type Out = Tcp;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Tcp>, ureq::Error> {
        let deadline = Deadline::new(details.timeout);
        let mut last = ureq::Error::HostNotFound;
        let count = u32::try_from(details.addrs.len()).unwrap_or(u32::MAX);
        for (n, addr) in (0..count).zip(&details.addrs) {
            // An address that swallows packets must leave time for the others.
            let share = deadline.left()? / (count - n).max(1);
            let connect = || connect(self.local, *addr, share);
            match self.shortage.patiently(|| deadline.left().is_ok(), connect) {
                Ok(stream) => {
                    *self.connected.lock().unwrap_or_else(PoisonError::into_inner) = Some(*addr);
                    let (input, output) =
                        (details.config.input_buffer_size(), details.config.output_buffer_size());
                    return Ok(Some(Tcp { stream, buffers: LazyBuffers::new(input, output) }));
                }
                Err(e) if is_timeout(&e) => last = ureq::Error::Timeout(ureq::Timeout::Connect),
                Err(e) => last = e.into(),
            }
        }
        Err(last)
    }
}

fn connect(from: Option<IpAddr>, to: SocketAddr, within: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(ip) = from {
        socket.bind(&SocketAddr::new(ip, 0).into())?;
    }
    socket.connect_timeout(&to.into(), within)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

/// The connection, with ureq's buffers.
#[derive(Debug)]
pub(super) struct Tcp {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let deadline = Deadline::new(timeout);
        let output = self.buffers.output();
        let mut rest = output.get(..amount).unwrap_or_default();
        while !rest.is_empty() {
            self.stream.set_write_timeout(Some(deadline.left()?))?;
            match self.stream.write(rest) {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(e) => deadline.again(e)?,
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let deadline = Deadline::new(timeout);
        loop {
            self.stream.set_read_timeout(Some(deadline.left()?))?;
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(n) => {
                    self.buffers.input_appended(n);
                    return Ok(n > 0);
                }
                Err(e) => deadline.again(e)?,
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // Only asked before a connection is used again, which we never do.
        false
    }
}

/// When ureq's patience ends, as a point in time.
struct Deadline {
    at: Option<Instant>,
    reason: ureq::Timeout,
}

impl Deadline {
    fn new(timeout: NextTimeout) -> Self {
        Self { at: Instant::now().checked_add(*timeout.after), reason: timeout.reason }
    }

    /// Time left; never zero, which sockets take for "for ever".
    fn left(&self) -> Result<Duration, ureq::Error> {
        let at = self.at.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ureq::Error::Timeout(self.reason)) } else { Ok(left) }
    }

    /// Whether to try again after `error`: only if a signal interrupted us.
    fn again(&self, error: io::Error) -> Result<(), ureq::Error> {
        match error.kind() {
            ErrorKind::Interrupted => Ok(()),
            _ if is_timeout(&error) => Err(ureq::Error::Timeout(self.reason)),
            _ => Err(error.into()),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// TLS with roots and session cache shared by all requests.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedTls(Arc<RustlsConnector>);

impl Connector<Tcp> for SharedTls {
    type Out = <RustlsConnector as Connector<Tcp>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<Tcp>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        self.0.connect(details, chained)
    }
}
