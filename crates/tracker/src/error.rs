//! What can go wrong with one request, in one line that can be shown. Never carries a stranger's
//! text that was not cleaned before.

use std::fmt;
use std::time::Duration;

use crate::text;

/// Why a tracker gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_in: Option<Duration>,
}

/// What sort of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL cannot be used: not a URL, or a scheme that is not `http`, `https` or `udp`.
    Url,
    /// The address may not be asked (see [`Policy`](crate::Policy)), at first or after a redirect.
    Refused,
    /// The host's name has no address.
    Resolve,
    /// No connection, or it broke.
    Connect,
    /// The tracker's certificate could not be verified, or TLS failed otherwise.
    Tls,
    /// No complete answer in time.
    Timeout,
    /// The HTTP status is not a success, or there were too many redirects.
    Status,
    /// The reply is larger than the limits allow.
    TooLarge,
    /// The reply is not what a tracker says.
    Malformed,
    /// The tracker understood and refused: its `failure reason`.
    Failure,
    /// The tracker cannot do this, such as a scrape.
    Unsupported,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_in: None }
    }

    /// A failure that the tracker put into words; `reason` is cleaned here.
    pub(crate) fn failure(reason: &[u8], retry_in: Option<Duration>) -> Self {
        Self { kind: ErrorKind::Failure, message: text::clean(reason), retry_in }
    }

    /// The same, naming the host; a tracker's own words stay as they are.
    pub(crate) fn at(mut self, host: &str) -> Self {
        if self.kind != ErrorKind::Failure {
            self.message = format!("{host}: {}", self.message);
        }
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The tracker's own words, if it answered with a failure. Cleaned and shortened.
    pub fn failure_reason(&self) -> Option<&str> {
        (self.kind == ErrorKind::Failure).then_some(self.message.as_str())
    }

    /// How long the tracker wants to be left alone (BEP 31), `Duration::MAX` for "for ever".
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_in
    }

    /// Whether asking the same again cannot help.
    pub fn is_permanent(&self) -> bool {
        matches!(self.kind, ErrorKind::Url | ErrorKind::Unsupported)
            || self.retry_in == Some(Duration::MAX)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ErrorKind::Failure {
            f.write_str("the tracker says: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
