//! Magnet URIs: what is taken apart can be put together again, and then says the same; one more bad part
//! changes nothing.

use metainfo::{MAX_MAGNET_LEN, Magnet};

/// Parses, writes, parses again; and once more with a part that makes no sense.
pub fn run(data: &[u8]) {
    let Ok(uri) = std::str::from_utf8(data) else { return };
    match uri.parse::<Magnet>() {
        Ok(magnet) => {
            assert!(magnet.info_hash.is_some() || magnet.info_hash_v2.is_some());
            for warning in &magnet.warnings {
                assert!(!warning.contains(metainfo::is_unprintable), "{warning}");
            }
            let written = magnet.to_string();
            assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "safe to show: {written}");
            let good = Magnet { warnings: Vec::new(), ..magnet };
            if written.len() <= MAX_MAGNET_LEN {
                assert_eq!(written.parse::<Magnet>().expect("ours"), good);
            }
            let more = format!("{written}&amp;x.pe=h:0&so=2-1&tr=%ff&xt=urn:btih:1&%ff=%ff");
            if more.len() <= MAX_MAGNET_LEN {
                let more: Magnet = more.parse().expect("only its last parts are bad");
                assert_eq!(more.warnings.len(), 4);
                assert_eq!(Magnet { warnings: Vec::new(), ..more }, good);
            }
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
}
