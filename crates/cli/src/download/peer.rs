//! The words for what happened to a connection.

use std::borrow::Cow;

use session::PeerChange;

use crate::text;

/// What follows the address of a peer.
pub(super) fn words(change: &PeerChange) -> String {
    match change {
        PeerChange::Connected { source, peer_id, .. } => {
            let client = client(peer_id).map(|name| format!(", {name}")).unwrap_or_default();
            format!("is connected ({}{client})", text::source(*source))
        }
        PeerChange::Closed { reason } => format!("is closed: {reason}"),
        _ => "changed".into(),
    }
}

/// What a program calls itself: the first 8 characters of its peer id, where those are ASCII. The rest
/// is chance.
pub(super) fn client(peer_id: &[u8; 20]) -> Option<Cow<'_, str>> {
    let (name, _) = peer_id.split_at(8);
    name.iter().all(u8::is_ascii_graphic).then(|| String::from_utf8_lossy(name))
}
