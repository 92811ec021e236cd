//! The list of hostile peers: what each is called, what it does, and the line of the program's log
//! that proves it was found out. Never plays one.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::peer::Peer;
use testkit::torrent::Torrent;

use super::{encrypted, extended, fast, floods, magnets, seeds, strangers};
use crate::Result;

/// Long enough for what is found out at once, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// A message that never ends, and a reader that never reads, have a minute.
const A_MINUTE: Duration = Duration::from_secs(95);
/// A peer may be silent for three minutes.
const IDLE: Duration = Duration::from_secs(215);

/// One way to be a bad peer.
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) role: Role,
    /// Part of the line of the log that shows that it was noticed.
    pub(super) proof: &'static str,
    /// How often that line comes.
    pub(super) times: usize,
    /// How long after the download's end it may come.
    pub(super) patience: Duration,
}

/// Who makes the connection.
#[derive(Clone, Copy)]
pub(super) enum Role {
    /// The program does, in the clear.
    Dialed(fn(Peer, &Torrent) -> Result<()>),
    /// The program does, encrypted; the peer hangs up on what is not.
    DialedAgain(fn(Peer, &Torrent) -> Result<()>),
    /// The peer does, to where the program listens.
    Comes(fn(SocketAddr, &Torrent) -> Result<()>),
}

const NOT_BITTORRENT: &str = "does not speak the BitTorrent protocol";
const OTHER_TORRENT: &str = "names another torrent than expected";
const SLOW_HANDSHAKE: &str = "did not finish its handshake in time";
const USELESS: &str = "too many messages that say nothing";
const BAD_BITFIELD: &str = "bitfield of the wrong length or with spare bits set";
const NO_ENCRYPTION: &str = "encryption handshake makes no sense";
const IN_THE_CLEAR: &str = "the peer does not encrypt";
const CHATTER: &str = "too many keep-alives or cancels";
const REQUEST_FLOOD: &str = "far more requests than its queue holds";
const UNREADABLE: &str = "too many extended messages that can't be read";
const EXTENDED_LENGTH: &str = "an extended message of the wrong length";
const NOT_FAST: &str = "fast message, though the handshakes did not agree on them";
const BAD_HAVE_ALL: &str = "have all or have none after other words on its pieces";
const BAD_HINT: &str = "suggestion of a piece that does not exist";
const HINT_FLOOD: &str = "too many suggestions";
const MISFIT: &str = "metadata that does not fit the length it claimed";
/// What it does breaks no rule. That it is asked no more than is useful is its own complaint.
const MET: &str = "connected, Dialed";
const BAD_REQUEST: &str = "request outside the torrent or over 32 KiB";
const UNREQUESTED: &str = "too many blocks that were not requested";
const STATE_FLOOD: &str = "choke or interest changed too often";
/// What is said of a peer that owes blocks and stops.
pub(super) const ASKED_OF_OTHERS: &str = "is asked of another peer";
const HUNG_UP: &str = "the peer closed the connection";

/// All that can be played where the torrent is known.
pub(super) fn acts(long: bool) -> Vec<Act> {
    let mut acts = of_the_core(long);
    acts.extend(of_extensions());
    acts
}

/// Those that abuse BEP 3.
fn of_the_core(long: bool) -> Vec<Act> {
    use Role::{Comes, Dialed};
    let dialed = |name, script, proof| Act::new(name, Dialed(script), proof);
    let comes = |name, script, proof| Act::new(name, Comes(script), proof);
    let silent = dialed("silence after the handshake", seeds::silent, MET);
    let silent = if long {
        Act { proof: "the peer was silent for too long", patience: IDLE, ..silent }
    } else {
        Act { times: 3, ..silent }
    };
    vec![
        silent,
        // Handshakes.
        dialed("no BitTorrent", strangers::garbage, NOT_BITTORRENT),
        dialed("another info-hash in the answer", strangers::other_torrent, OTHER_TORRENT),
        comes("another info-hash", strangers::comes_for_another, OTHER_TORRENT),
        dialed("our own peer id", strangers::our_id, "the peer is ourselves"),
        // It shows one id from another address, so it is one more peer, and keeps no seed away.
        dialed("a seed's peer id", strangers::a_seeds_id, MET).times(3),
        dialed("a dripped handshake", strangers::dripped_handshake, SLOW_HANDSHAKE),
        comes(
            "half-open connections",
            if long { strangers::thousands } else { strangers::hundreds },
            SLOW_HANDSHAKE,
        )
        .times(90),
        comes("hang up and come back", strangers::comes_and_goes, "connected, Incoming").times(300),
        // Shapes.
        dialed("a length of 4 GiB", floods::giant, "announced a message of 4294967295 bytes"),
        dialed("a length over 1 MiB", floods::too_long, "announced a message of 1048577 bytes"),
        dialed(
            "a choke with a body",
            floods::choke_with_body,
            "a choke message of the wrong length",
        ),
        dialed("an empty block", floods::empty_block, "a piece message of the wrong length"),
        dialed("a truncated message", floods::truncated, HUNG_UP),
        dialed("a dripped message", floods::dripped, "began a message and did not finish it")
            .patience(A_MINUTE),
        // Numbers.
        dialed(
            "a bitfield too long",
            floods::long_bitfield,
            "a bitfield message of the wrong length",
        ),
        dialed("a bitfield too short", floods::short_bitfield, BAD_BITFIELD),
        dialed("spare bits set", floods::spare_bits, BAD_BITFIELD),
        dialed(
            "a have out of range",
            floods::have_out_of_range,
            "have of a piece that does not exist",
        ),
        dialed("a request out of range", floods::request_out_of_range, BAD_REQUEST),
        dialed("a request over 32 KiB", floods::request_too_long, BAD_REQUEST),
        dialed("a block out of range", floods::block_out_of_range, "block outside the torrent"),
        // Floods.
        dialed("endless keep-alives", floods::keep_alives, USELESS),
        dialed("unknown messages", floods::unknown, USELESS),
        dialed("chokes and unchokes", floods::choke_storm, STATE_FLOOD),
        dialed("changes of interest", floods::interest_storm, STATE_FLOOD),
        dialed("the same have", floods::haves, "the same have too often"),
        dialed("cancels", floods::cancels, CHATTER),
        comes("a flood of requests", strangers::request_flood, REQUEST_FLOOD),
        comes("a reader that stalls", strangers::stalled_reader, "does not read what it is sent")
            .patience(A_MINUTE),
        // Blocks.
        dialed("unrequested blocks", floods::unrequested, UNREQUESTED),
        dialed("blocks with the handshake", floods::early, UNREQUESTED),
        dialed("every block twenty times", seeds::duplicates, UNREQUESTED),
        dialed("every block a byte short", seeds::short_blocks, ASKED_OF_OTHERS),
        dialed("false blocks", seeds::liar, "sent false data and is banned"),
        dialed("stall at 50%", seeds::stall_at_half, ASKED_OF_OTHERS),
        dialed("stall at the last block", seeds::stall_at_last, ASKED_OF_OTHERS),
    ]
}

/// Those that abuse what came after BEP 3.
fn of_extensions() -> Vec<Act> {
    use Role::{Comes, Dialed, DialedAgain};
    let dialed = |name, script, proof| Act::new(name, Dialed(script), proof);
    let again = |name, script, proof| Act::new(name, DialedAgain(script), proof);
    let comes = |name, script, proof| Act::new(name, Comes(script), proof);
    vec![
        // Encryption.
        comes("noise for an encryption handshake", encrypted::comes_with_noise, NO_ENCRYPTION),
        comes("half an encryption handshake", encrypted::comes_halfway, SLOW_HANDSHAKE),
        comes("a key that keeps no secret", encrypted::comes_with_no_key, NO_ENCRYPTION),
        again("an answer of noise", encrypted::answers_with_noise, NO_ENCRYPTION),
        again("half an answer", encrypted::answers_halfway, SLOW_HANDSHAKE),
        again("an answer that keeps no secret", encrypted::answers_with_no_key, NO_ENCRYPTION),
        again("an answer in the clear", encrypted::answers_in_the_clear, IN_THE_CLEAR),
        // The fast extension.
        dialed("have all without the extension", fast::without_the_bit, NOT_FAST),
        dialed("have all twice", fast::have_all_twice, BAD_HAVE_ALL),
        dialed("have none twice", fast::have_none_twice, BAD_HAVE_ALL),
        dialed("have none after a have", fast::have_none_after_a_have, BAD_HAVE_ALL),
        dialed(
            "have all with a body",
            fast::have_all_with_a_body,
            "a have all message of the wrong length",
        ),
        dialed("a suggestion out of range", fast::suggest_out_of_range, BAD_HINT),
        dialed("an allowance out of range", fast::allow_out_of_range, BAD_HINT),
        dialed("suggestions", fast::suggestions, HINT_FLOOD),
        dialed("allowances", fast::allowances, HINT_FLOOD),
        dialed("a reject out of range", fast::reject_out_of_range, BAD_REQUEST),
        dialed(
            "rejects of what was not asked",
            fast::rejects_unasked,
            "too many rejects of what was not requested",
        ),
        dialed("every request rejected", fast::rejects_all, MET).times(3),
        // Extended messages.
        dialed("extended handshakes of garbage", extended::handshakes_of_garbage, UNREADABLE),
        dialed("an endless extended handshake", extended::handshake_too_long, EXTENDED_LENGTH),
        dialed("extended handshakes", extended::handshakes, CHATTER),
        dialed("dictionaries without bottom", extended::bottomless, UNREADABLE),
        dialed("extended messages without the bit", extended::without_the_bit, CHATTER),
        dialed("requests for metadata", extended::metadata_requests, REQUEST_FLOOD),
        dialed("rejects of metadata", extended::metadata_rejects, CHATTER),
        dialed("metadata that nobody wants", extended::metadata_unasked, UNREQUESTED),
        dialed("a long piece of metadata", extended::metadata_too_long, EXTENDED_LENGTH),
        dialed("metadata of garbage", extended::metadata_of_garbage, UNREADABLE),
        dialed("peer exchange of garbage", extended::exchange_of_garbage, UNREADABLE),
        dialed("a long peer exchange", extended::exchange_too_long, EXTENDED_LENGTH),
        dialed(
            "peers that are not there",
            extended::exchange_flood,
            "peer exchange far more often than once a minute",
        ),
    ]
}

/// Those that can only be played where the metadata is not known yet.
pub(super) fn of_magnets() -> Vec<Act> {
    let dialed = |name, script, proof| Act::new(name, Role::Dialed(script), proof);
    vec![
        dialed("metadata of 4 GB", magnets::beyond_all_limits, MET).times(3),
        dialed("false metadata", magnets::false_metadata, "is proved to have sent false data"),
        dialed("metadata of another total", magnets::another_total, MISFIT),
        dialed("metadata cut short", magnets::short_piece, MISFIT),
        dialed("metadata promised and kept back", magnets::silence, MET).times(3),
        dialed("metadata refused", magnets::refusals, MET).times(3),
        dialed("metadata before it is asked for", magnets::unasked, UNREQUESTED),
        dialed(
            "a have beyond all torrents",
            magnets::have_beyond,
            "have of a piece that does not exist",
        ),
        dialed("a bitfield of another torrent", magnets::other_bitfield, BAD_BITFIELD),
    ]
}

impl Act {
    fn new(name: &'static str, role: Role, proof: &'static str) -> Self {
        Self { name, role, proof, times: 1, patience: SOON }
    }

    fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}
