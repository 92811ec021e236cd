//! Conversations with UDP trackers that send any datagrams at all. The conversations are private to
//! their crate, and so are their rules: see `tracker::fuzz_udp`.

/// Hands the script over.
pub fn run(data: &[u8]) {
    tracker::fuzz_udp(data);
}
