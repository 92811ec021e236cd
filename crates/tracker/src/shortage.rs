//! What is done where the system has no file descriptor for a socket: wait until others let go of
//! theirs, since a tracker is not to blame for that. Never opens anything, but to see whether it could.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The system's numbers for "no more files" of the process and of the whole system, the same on all
/// that we run on.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// How long to wait before trying again where nobody says what else to do.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Descriptors that one request takes at a time: its socket, and what looks up its host.
const A_REQUEST: usize = 3;

/// What is told that there is no descriptor; it makes room, or waits a little while.
#[derive(Clone)]
pub struct Shortage(Arc<dyn Fn(&io::Error) + Send + Sync>);

impl Shortage {
    /// `tell` is called again and again, on the threads that ask trackers, until there is a descriptor.
    pub fn new(tell: impl Fn(&io::Error) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Waits until a request can have what it takes, so that its time only begins then.
    pub(crate) fn wait_for_a_request(&self) {
        while let Some(error) = missing() {
            (self.0)(&error);
        }
    }

    /// Does something that takes a descriptor, as often as it takes as long as there is none and `more`
    /// time.
    pub(crate) fn patiently<T>(
        &self,
        more: impl Fn() -> bool,
        mut act: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match act() {
                Err(error) if ran_out(&error) && more() => (self.0)(&error),
                other => return other,
            }
        }
    }

    /// Looks up a name. The system's resolver does not say what it lacked when it fails.
    pub(crate) fn look_up<T>(&self, mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            let answer = act();
            match missing() {
                Some(error) if answer.is_err() => (self.0)(&error),
                _ => return answer,
            }
        }
    }
}

impl Default for Shortage {
    fn default() -> Self {
        Self::new(|_| thread::sleep(LOOK_AGAIN))
    }
}

impl fmt::Debug for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shortage")
    }
}

/// The system's answer, if it has not the descriptors that a request takes.
fn missing() -> Option<io::Error> {
    let sockets = (0..A_REQUEST).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    // Where there is no IPv4 another error comes, which says nothing of descriptors.
    sockets.collect::<io::Result<Vec<_>>>().err().filter(ran_out)
}

fn ran_out(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_meets_no_descriptor_is_done_again_and_other_errors_are_told() {
        let told = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&told);
        let shortage = Shortage::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let tries = Cell::new(0);
        let act = || {
            tries.set(tries.get() + 1);
            match tries.get() {
                1 => Err(io::Error::from_raw_os_error(EMFILE)),
                2 => Err(io::Error::from_raw_os_error(ENFILE)),
                3 => Ok("a socket"),
                _ => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        };
        assert_eq!(shortage.patiently(|| true, act).unwrap(), "a socket");
        assert_eq!(told.load(Ordering::Relaxed), 2);
        let refused = shortage.patiently(|| true, act).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        tries.set(0);
        assert!(ran_out(&shortage.patiently(|| false, act).unwrap_err()));
    }
}
