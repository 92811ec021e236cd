//! For the fuzzer, not part of the interface: resume files of any bytes. It owns the rules that hold
//! whatever they say; never touches a file.

use std::path::PathBuf;

use metainfo::{InfoHash, Layout};
use storage::FileSystem;

use super::{DIGEST_LEN, Place};

/// Two files of five pieces each.
const PIECES: u32 = 10;

/// What they are on.
const FS: Option<FileSystem> = Some(FileSystem { device: 7, id: 9 });

/// Reads `bytes` as a resume file as they are, and again with the checksum they ought to have.
///
/// # Panics
/// If a claim has no checksum to vouch for it, or is not what is written when it is saved again.
pub fn any_bytes(bytes: &[u8]) {
    let Ok(layout) = Layout::new(16, &[80, 80]) else { return };
    let place = Place {
        path: PathBuf::from("/state/resume"),
        info_hash: InfoHash::from([b'h'; 20]),
        root: PathBuf::from("/data"),
    };
    if place.decode(bytes, &layout, FS).is_ok() {
        let body = bytes.len().checked_sub(DIGEST_LEN).and_then(|end| bytes.get(..end));
        assert!(body.is_some_and(|body| bytes.ends_with(&piecehash::sha1(&[body]))));
    }
    let sealed = [bytes, &piecehash::sha1(&[bytes])].concat();
    if let Ok(state) = place.decode(&sealed, &layout, FS) {
        assert_eq!(state.synced.len(), PIECES);
        assert_eq!(state.stamps.len(), layout.file_count());
        let saved = place.encode(&state, FS);
        let again = place.decode(&saved, &layout, FS);
        assert!(again.is_ok_and(|again| {
            again.synced == state.synced
                && again.stamps == state.stamps
                && again.ours == state.ours
                && again.ended == state.ended
        }));
    }
}
