//! Hostile peers that speak extended messages (BEP 10), metadata exchange (BEP 9) and peer exchange
//! (BEP 11), and abuse them. Each plays one connection that the program made, until the program ends it.

use testkit::extended::id_of;
use testkit::message::Message;
use testkit::peer::Peer;
use testkit::torrent::Torrent;

use super::seeds::{answer, answer_as, hold};
use crate::Result;

/// The bit of extended messages.
pub(super) const RESERVED: [u8; 8] = [0, 0, 0, 0, 0, 0x10, 0, 0];
const EXTENDED: u8 = 20;
/// A byte of messages that are refused for their length.
const TOO_LONG: &[u8] = b"d";
/// What the extensions are called in handshakes.
const METADATA: &str = "ut_metadata";
const EXCHANGE: &str = "ut_pex";
/// Small messages of a flood: many times what any limit allows.
const FLOOD: usize = 10_000;
/// Large ones.
const LARGE: usize = 100;
/// Messages that name peers.
const MESSAGES: u32 = 100;
/// A number that the program gives out for one of its extensions.
const SOME_ID: u8 = 1;
/// Contacts of one message, none of which is there: 127.1.0.0/16 refuses at once.
const CONTACTS: u32 = 200;

fn message(id: u8, payload: &[u8]) -> Vec<u8> {
    Message::Other { id: EXTENDED, body: [&[id], payload].concat() }.encode()
}

/// Shakes hands, sends these bytes and waits for the end.
fn says(mut peer: Peer, torrent: &Torrent, bytes: &[u8]) -> Result<()> {
    answer_as(&mut peer, torrent, "extends", RESERVED)?;
    peer.send_raw(bytes)?;
    hold(peer)
}

/// The same with messages of an extension, under the number that the program takes them.
fn says_of(
    mut peer: Peer,
    torrent: &Torrent,
    extension: &str,
    payloads: impl Iterator<Item = Vec<u8>>,
) -> Result<()> {
    answer_as(&mut peer, torrent, "extends", RESERVED)?;
    peer.send_raw(&message(0, b"d1:md11:ut_metadatai7e6:ut_pexi8eee"))?;
    let id = peer.expect(|message| id_of(message, extension))?;
    for payload in payloads {
        peer.send_raw(&message(id, &payload))?;
    }
    hold(peer)
}

fn again(payload: &[u8], times: usize) -> impl Iterator<Item = Vec<u8>> {
    std::iter::repeat_n(payload.to_vec(), times)
}

pub(super) fn handshakes_of_garbage(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &message(0, b"no dictionary").repeat(FLOOD))
}

pub(super) fn handshake_too_long(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &message(0, &TOO_LONG.repeat(17 << 10)))
}

/// Each tells of another port, another name and other numbers.
pub(super) fn handshakes(peer: Peer, torrent: &Torrent) -> Result<()> {
    let number = |n: usize| {
        let (id, port) = (n % 200 + 1, n % 60_000 + 1);
        let payload = format!(
            "d1:md6:ut_pexi{id}ee13:metadata_sizei{n}e1:pi{port}e4:reqqi{n}e11:upload_onlyi0e1:v5:{n:05}e"
        );
        message(0, payload.as_bytes())
    };
    says(peer, torrent, &(0..FLOOD).flat_map(number).collect::<Vec<_>>())
}

/// Dictionaries in dictionaries, as deep as a message is long.
pub(super) fn bottomless(peer: Peer, torrent: &Torrent) -> Result<()> {
    says(peer, torrent, &message(0, &b"d1:a".repeat(4 << 10)).repeat(LARGE))
}

pub(super) fn without_the_bit(mut peer: Peer, torrent: &Torrent) -> Result<()> {
    answer(&mut peer, torrent, "extends")?;
    peer.send_raw(&message(SOME_ID, b"de").repeat(FLOOD))?;
    hold(peer)
}

pub(super) fn metadata_requests(peer: Peer, torrent: &Torrent) -> Result<()> {
    says_of(peer, torrent, METADATA, again(b"d8:msg_typei0e5:piecei0ee", FLOOD))
}

pub(super) fn metadata_rejects(peer: Peer, torrent: &Torrent) -> Result<()> {
    says_of(peer, torrent, METADATA, again(b"d8:msg_typei2e5:piecei0ee", FLOOD))
}

pub(super) fn metadata_unasked(peer: Peer, torrent: &Torrent) -> Result<()> {
    let mut payload = b"d8:msg_typei1e5:piecei0e10:total_sizei16384ee".to_vec();
    payload.resize(payload.len() + (16 << 10), 0);
    says_of(peer, torrent, METADATA, again(&payload, LARGE))
}

pub(super) fn metadata_too_long(peer: Peer, torrent: &Torrent) -> Result<()> {
    says_of(peer, torrent, METADATA, again(&TOO_LONG.repeat(18 << 10), 1))
}

pub(super) fn metadata_of_garbage(peer: Peer, torrent: &Torrent) -> Result<()> {
    says_of(peer, torrent, METADATA, again(b"8:msg_type", FLOOD))
}

pub(super) fn exchange_of_garbage(peer: Peer, torrent: &Torrent) -> Result<()> {
    says_of(peer, torrent, EXCHANGE, again(b"li1e", FLOOD))
}

pub(super) fn exchange_too_long(peer: Peer, torrent: &Torrent) -> Result<()> {
    says_of(peer, torrent, EXCHANGE, again(&TOO_LONG.repeat(18 << 10), 1))
}

/// Names ever more peers that are not there.
pub(super) fn exchange_flood(peer: Peer, torrent: &Torrent) -> Result<()> {
    let payload = |first: u32| {
        let numbers = first * CONTACTS..(first + 1) * CONTACTS;
        let contact = |number: u32| {
            let [.., high, low] = number.to_be_bytes();
            [127, 1, high, low, 0, 1]
        };
        let contacts: Vec<u8> = numbers.flat_map(contact).collect();
        [format!("d5:added{}:", contacts.len()).as_bytes(), &contacts, b"e"].concat()
    };
    says_of(peer, torrent, EXCHANGE, (0..MESSAGES).map(payload))
}
