//! The places for connections: how many there may be, each with a descriptor from the budget that files
//! and locks take from too (`storage`'s `descriptors.rs`). Never opens or closes one.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use storage::{Budget, Taken, Use};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// With fewer a busy torrent feels the limit, so the user hears of it.
const FEW: usize = 200;

/// Places that no torrent alone may fill, at the most: newcomers shake hands in them, and only one that
/// did can be given the room of a peer that is idle.
const FOR_NEWCOMERS: usize = 100;

/// How long to wait before trying again what met no descriptor: what files let go of is told only to
/// files.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Descriptors that looking up a name takes: its socket and the files that say whom to ask.
const A_LOOK_UP: usize = 2;

/// Threads that ask HTTP trackers, each with a socket and what looks up a name: one in so many
/// descriptors.
const DESCRIPTORS_A_TRACKER: usize = 16;

/// Places for connections, in the order in which they are asked for.
#[derive(Clone)]
pub(crate) struct Places {
    turns: Arc<Semaphore>,
    /// Those that who comes to us may have: some are left for dialing.
    incoming: Arc<Semaphore>,
    budget: Arc<Budget>,
}

/// Of one connection, to be kept as long as its stream.
pub(crate) struct ConnectionPlace {
    _turn: OwnedSemaphorePermit,
    _incoming: Option<OwnedSemaphorePermit>,
    _taken: Taken,
}

impl Places {
    /// All that the process has for connections.
    pub(crate) fn of_process() -> Self {
        let budget = Budget::of_process();
        let places = budget.most(Use::Connection);
        if budget.all() < FEW {
            log::warn!(
                "few files and connections may be open at a time (ulimit -n), so there will be no \
                 more than {places} peers"
            );
        }
        Self::of(places, budget)
    }

    fn of(places: usize, budget: Arc<Budget>) -> Self {
        let for_dials = places.saturating_sub(for_one_torrent(places)) / 2;
        let incoming = Semaphore::new(places.saturating_sub(for_dials));
        Self { turns: Arc::new(Semaphore::new(places)), incoming: Arc::new(incoming), budget }
    }

    /// As many as a test likes.
    #[cfg(test)]
    pub(crate) fn for_test(places: usize) -> Self {
        Self::of(places, Budget::of_process())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.budget.most(Use::Connection)
    }

    /// The next place; `None` when the session ends. What waits has its turn: whoever comes later does
    /// not get a place earlier.
    pub(crate) async fn take(&self) -> Option<ConnectionPlace> {
        self.take_with(None).await
    }

    /// The same for a connection that comes to us: of half of the places that no torrent alone may fill
    /// it gets none, so that there is always one to dial from.
    pub(crate) async fn take_incoming(&self) -> Option<ConnectionPlace> {
        let incoming = self.incoming.clone().acquire_owned().await.ok()?;
        self.take_with(Some(incoming)).await
    }

    async fn take_with(&self, incoming: Option<OwnedSemaphorePermit>) -> Option<ConnectionPlace> {
        let turn = self.turns.clone().acquire_owned().await.ok()?;
        loop {
            if let Some(taken) = self.budget.take(Use::Connection) {
                return Some(ConnectionPlace { _turn: turn, _incoming: incoming, _taken: taken });
            }
            // Closing a file may wait for its disk.
            let closed = tokio::task::spawn_blocking(storage::close_idle_file).await;
            if !closed.unwrap_or(false) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn close(&self) {
        self.turns.close();
        self.incoming.close();
    }
}

/// Does something that takes a descriptor, again and again as long as the system has none and it is
/// still `wanted`.
pub(crate) async fn patiently<T, F: Future<Output = io::Result<T>>>(
    mut act: impl FnMut() -> F,
    wanted: impl Fn() -> bool,
) -> io::Result<T> {
    loop {
        match act().await {
            Err(error) if storage::ran_out(&error) && wanted() => make_room(error).await,
            other => return other,
        }
    }
}

/// Looks up `host:port`. The system's resolver does not say what it lacked when it fails.
pub(crate) async fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
    loop {
        match tokio::net::lookup_host(name).await {
            Err(error) if storage::there_are(A_LOOK_UP).is_err() => make_room(error).await,
            answer => return Ok(answer?.collect()),
        }
    }
}

/// After the system had no descriptor: what can be closed is closed, and the user is told, but seldom.
pub(crate) async fn make_room(error: io::Error) {
    let told = move || storage::make_room(&storage::explain(&error));
    // Without a thread to have the files closed, waiting is what is left.
    if tokio::task::spawn_blocking(told).await.is_err() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// How many of so many places one torrent may fill: an eighth is left for newcomers, one at least.
pub(crate) fn for_one_torrent(places: usize) -> usize {
    places.saturating_sub((places / 8).clamp(1, FOR_NEWCOMERS)).max(1)
}

/// How many trackers may be asked at a time of as many as one would like to.
pub(crate) fn for_trackers(most: usize) -> usize {
    (Budget::of_process().all() / DESCRIPTORS_A_TRACKER).clamp(2, most.max(2))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What the system answers where the process has no descriptor left.
    const NO_DESCRIPTOR: i32 = 24;

    #[tokio::test]
    async fn a_dial_that_finds_no_descriptor_is_made_again_and_does_not_fail() {
        let tries = Cell::new(0);
        let dial = || {
            tries.set(tries.get() + 1);
            let short = io::Error::from_raw_os_error(NO_DESCRIPTOR);
            let answer = if tries.get() < 3 { Err(short) } else { Ok("connected") };
            async { answer }
        };
        assert_eq!(patiently(dial, || true).await.unwrap(), "connected");
        assert_eq!(tries.get(), 3);
        // Of a torrent that has ended nothing is wanted.
        tries.set(0);
        assert!(storage::ran_out(&patiently(dial, || false).await.unwrap_err()));
        let refused = || async { Err::<(), _>(io::ErrorKind::ConnectionRefused.into()) };
        let error = patiently(refused, || true).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test(start_paused = true)]
    async fn places_come_back_when_they_are_let_go() {
        let places = Places::for_test(1);
        let first = places.take().await.unwrap();
        assert!(tokio::time::timeout(LOOK_AGAIN, places.take()).await.is_err());
        drop(first);
        assert!(places.take().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_to_us_leaves_places_to_dial_from() {
        let places = Places::for_test(32);
        let mut came = Vec::new();
        while let Ok(place) = tokio::time::timeout(LOOK_AGAIN, places.take_incoming()).await {
            came.push(place.unwrap());
        }
        assert_eq!(came.len(), 30);
        assert!(places.take().await.is_some());
    }

    #[test]
    fn one_torrent_leaves_places_to_newcomers() {
        for (places, of_one) in [(24, 21), (7, 6), (2, 1), (400, 350), (800, 700), (64_512, 64_412)]
        {
            assert_eq!(for_one_torrent(places), of_one, "{places} places");
        }
        assert_eq!(for_one_torrent(1), 1, "a torrent without a peer is of no use");
    }
}
