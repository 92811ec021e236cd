//! Payloads of extended messages: what was understood is within the limits, and is understood the
//! same way when we say it.

use wire::extension::{DontHave, Handshake, Metadata, Pex};
use wire::limits::{MAX_PEX_CONTACTS, METADATA_PIECE_LEN};

/// Reads the bytes as each kind of payload.
pub fn run(data: &[u8]) {
    match Metadata::decode(data) {
        Ok(Some(message)) => {
            if let Metadata::Data { data, .. } = message {
                assert!((1..=METADATA_PIECE_LEN).contains(&data.len()));
            }
            let ours = message.encode();
            assert_eq!(Metadata::decode(&ours), Ok(Some(message)));
        }
        Ok(None) => {}
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
    if let Ok(pex) = Pex::decode(data) {
        assert!(pex.added.len() <= MAX_PEX_CONTACTS && pex.dropped.len() <= MAX_PEX_CONTACTS);
        assert!(pex.added.iter().all(|contact| contact.addr.port() != 0));
        // Written, an address is of one family only, so the order may change, once.
        let once = Pex::decode(&pex.encode()).expect("ours");
        assert_eq!(once.added.len(), pex.added.len());
        assert_eq!(Pex::decode(&once.encode()).expect("ours"), once);
    }
    if let Ok(handshake) = Handshake::decode(data) {
        let client = handshake.client.as_deref().unwrap_or_default();
        assert!(!client.contains(char::is_control), "{client:?}");
        assert!(handshake.port != Some(0) && handshake.metadata_size != Some(0));
        assert_eq!(Handshake::decode(&handshake.encode()).expect("ours"), handshake);
    }
    if let Ok(lost) = DontHave::decode(data) {
        assert_eq!(*lost.encode(), *data);
    }
}
