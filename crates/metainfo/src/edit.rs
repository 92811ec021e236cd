//! Changing what a torrent says beside its files.
//! The bytes of `info` stay as they are unless something in it is to change.

use bencode::{DictEncoder, Value, encode_dict};

use crate::create::outer;
use crate::error::Error;
use crate::metainfo::Metainfo;
use crate::read;

#[cfg(test)]
mod tests;

/// What to change; `None` leaves a thing alone.
///
/// ```
/// use metainfo::Edit;
///
/// let torrent =
///     b"d8:announce7:udp://a4:infod6:lengthi0e4:name1:x12:piece lengthi16384e6:pieces0:ee";
/// let edit = Edit { tiers: Some(vec![vec!["https://b/announce".into()]]), ..Edit::default() };
/// let edited = edit.apply(torrent)?;
/// assert!(!edited.info_changed);
/// assert!(edited.bytes.starts_with(b"d8:announce18:https://b/announce4:info"));
/// # Ok::<(), metainfo::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Announce URLs in tiers; an empty list removes all.
    pub tiers: Option<Vec<Vec<String>>>,
    /// Web seeds; an empty list removes all.
    pub web_seeds: Option<Vec<String>>,
    /// The comment; an empty text removes it.
    pub comment: Option<String>,
    /// Whether peers may come from trackers only. In `info`, so it changes the info-hash.
    pub private: Option<bool>,
    /// The source tag; an empty text removes it. In `info`, so it changes the info-hash.
    pub source: Option<String>,
}

/// A torrent after an [`Edit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The torrent file; canonical but for an `info` that was left as it was.
    pub bytes: Vec<u8>,
    /// Whether `info` was written anew, and so the info-hash is another: peers of the old torrent
    /// won't be found.
    pub info_changed: bool,
}

impl Edit {
    /// Applies the changes to a torrent file. Keys that nobody here knows are kept; of repeated keys
    /// the first counts, as in reading.
    ///
    /// # Errors
    /// When the bytes are no torrent, or a URL is none.
    pub fn apply(&self, torrent: &[u8]) -> Result<Edited, Error> {
        let before = Metainfo::from_bytes(torrent)?;
        // What the torrent has is not this edit's fault, and other programs may know what to do with it.
        let new = |urls: &[String], there: &[String]| -> Vec<String> {
            urls.iter().filter(|url| !there.contains(url)).cloned().collect()
        };
        let (trackers, there) =
            (self.tiers.as_deref().unwrap_or_default(), before.tiers().concat());
        let web_seeds = self.web_seeds.as_deref().unwrap_or_default();
        outer::check_urls(&[new(&trackers.concat(), &there)], &new(web_seeds, before.web_seeds()))?;
        let document = read::document(torrent)?;
        let info_changed = self.private.is_some_and(|private| private != before.is_private())
            || self.source.as_deref().is_some_and(|to| to != before.source().unwrap_or_default());
        let bytes = encode_dict(|to| {
            for (key, value) in document.root().dict().into_iter().flatten() {
                match key {
                    b"info" if info_changed => to.dict(key, |info| self.info(info, value)),
                    b"info" => to.verbatim(key, value),
                    b"announce" | b"announce-list" if self.tiers.is_some() => {}
                    b"url-list" if self.web_seeds.is_some() => {}
                    b"comment" | b"comment.utf-8" if self.comment.is_some() => {}
                    _ => to.value(key, value),
                }
            }
            outer::trackers(to, self.tiers.as_deref().unwrap_or_default());
            outer::web_seeds(to, self.web_seeds.as_deref().unwrap_or_default());
            if let Some(comment) = self.comment.as_ref().filter(|text| !text.is_empty()) {
                to.bytes("comment", comment);
            }
        });
        Metainfo::from_bytes(&bytes)?;
        Ok(Edited { bytes, info_changed })
    }

    /// A new `info`, in canonical form.
    fn info(&self, to: &mut DictEncoder<'_>, info: Value<'_>) {
        for (key, value) in info.dict().into_iter().flatten() {
            match key {
                b"private" if self.private.is_some() => {}
                b"source" if self.source.is_some() => {}
                _ => to.value(key, value),
            }
        }
        if self.private == Some(true) {
            to.int("private", 1);
        }
        if let Some(source) = self.source.as_ref().filter(|text| !text.is_empty()) {
            to.bytes("source", source);
        }
    }
}
