//! What HTTP trackers answer, announces, scrapes and redirects: within the limits, or an error that may
//! be shown, and no password for another server.

use tracker::{Error, limits, request_url};

/// Reads the bytes as either kind of reply, and as a redirect's `Location`.
pub fn run(data: &[u8]) {
    match tracker::parse_announce(data) {
        Ok(reply) => {
            assert!(reply.peers.len() <= 2 * limits::MAX_PEERS, "so many an address family");
            assert!(reply.peers.iter().all(|peer| peer.port() != 0 && !peer.ip().is_multicast()));
            assert!(reply.interval >= limits::MIN_INTERVAL);
            assert!(reply.interval <= limits::MAX_INTERVAL);
            assert!(reply.min_interval.is_none_or(|least| least <= limits::MAX_INTERVAL));
            reply.warning.iter().for_each(|text| shown(text));
            let id = reply.tracker_id.map_or(0, |id| id.len());
            assert!(id <= limits::MAX_TRACKER_ID);
        }
        Err(error) => harmless(&error),
    }
    // The seeds speak of torrents that are nothing but one letter.
    let asked = [[b'a'; 20], [b'b'; 20]];
    match tracker::parse_scrape(data, &asked) {
        Ok(reply) => {
            assert!(reply.torrents.len() <= asked.len());
            assert!(reply.torrents.iter().all(|counts| asked.contains(&counts.info_hash)));
        }
        Err(error) => harmless(&error),
    }
    for from in
        ["http://user:pass%21@tracker.example/announce", "https://user:pass%21@tracker.example/x"]
    {
        redirected(from, data);
    }
}

fn redirected(from: &str, location: &[u8]) {
    let Ok(from) = request_url::read(from) else { return };
    let Ok(Some(mut to)) = request_url::redirect(&from, 302, Some(location)) else { return };
    assert!(to.fragment().is_none());
    let same = from.host_str() == to.host_str();
    let login = request_url::take_login(&mut to);
    assert!(to.username().is_empty() && to.password().is_none());
    let said = location.windows(4).any(|four| four == b"user");
    let ours = request_url::take_login(&mut from.clone());
    assert!(same || said || login != ours, "our password for {to}");
}

fn harmless(error: &Error) {
    shown(&error.to_string());
}

fn shown(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    // A word of ours and a tracker's, each cut.
    assert!(text.chars().count() <= 2 * limits::MAX_TEXT, "{text:?}");
}
