//! Magnet URIs: what is taken apart can be put together again, and then says the same.

use metainfo::Magnet;

/// Parses, writes, parses again.
pub fn run(data: &[u8]) {
    let Ok(uri) = std::str::from_utf8(data) else { return };
    match uri.parse::<Magnet>() {
        Ok(magnet) => {
            assert!(magnet.info_hash.is_some() || magnet.info_hash_v2.is_some());
            let written = magnet.to_string();
            assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "safe to show: {written}");
            if written.len() <= metainfo::MAX_MAGNET_LEN {
                assert_eq!(written.parse::<Magnet>().expect("ours"), magnet);
            }
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
}
