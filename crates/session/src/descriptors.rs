//! How many file descriptors the process may have, and how many of them peers get. Never opens or
//! closes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many as are ever asked for: a thousand torrents with their peers and files.
const ENOUGH: u64 = 65_536;

/// Below this a busy torrent feels the limit, so the user hears of it.
const FEW: u64 = 256;

/// What is left for everything else at the most: storage keeps 512 files open and 256 locked, and what
/// trackers and all that is short-lived take is far less than as much again.
const OTHERS: u64 = 1_024;

/// Places that no torrent alone may fill, at the most: newcomers shake hands in them, and only one that
/// did can be given the room of a peer that is idle.
const FOR_NEWCOMERS: usize = 100;

/// Raises the soft limit as far as the hard one lets us, since 1,024 is a default of old and few
/// systems need it, and gives how many connections there may be at a time: three eighths of what there
/// is, and where there is plenty all but [`OTHERS`]. Storage takes a quarter for files and an eighth for
/// locks at most, which leaves a quarter for the process itself, trackers, the DHT and the local network.
pub(crate) fn for_connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let reach = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_some_and(|current| current < reach) {
        let raised = Rlimit { current: Some(reach), maximum: limit.maximum };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => log::debug!("the limit of open files stays as it is: {error}"),
        }
    }
    let current = limit.current.unwrap_or(ENOUGH).min(ENOUGH);
    let connections = current - (current * 5 / 8).min(OTHERS);
    if current < FEW {
        log::warn!(
            "only {current} files and connections may be open at a time (ulimit -n), so there will \
             be no more than {connections} peers"
        );
    }
    usize::try_from(connections).unwrap_or(usize::MAX).max(1)
}

/// How many of so many places one torrent may fill: an eighth is left for newcomers, one at least.
pub(crate) fn for_one_torrent(places: usize) -> usize {
    places.saturating_sub((places / 8).clamp(1, FOR_NEWCOMERS)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_torrent_leaves_places_to_newcomers() {
        for (places, of_one) in [(24, 21), (7, 6), (2, 1), (400, 350), (800, 700), (64_512, 64_412)]
        {
            assert_eq!(for_one_torrent(places), of_one, "{places} places");
        }
        assert_eq!(for_one_torrent(1), 1, "a torrent without a peer is of no use");
    }
}
