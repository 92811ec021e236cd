//! `piece layers`: the hashes of version 2 pieces, each layer checked against its file's root.
//! A layer that does not belong to a file of the torrent is never looked at.

use std::collections::BTreeMap;

use bencode::Value;

use super::v2::{TreeFile, V2};
use crate::error::{Error, ErrorKind};
use crate::fields::Fields;
use crate::layout::BLOCK_LEN;
use crate::merkle::{Digest, root_of_layer};
use crate::metainfo::PieceRoot;
use crate::warnings::Warnings;

const LAYERS: &str = "piece layers";

/// The hash of every piece of every file, in order.
pub(super) fn read(
    top: Fields<'_>,
    v2: &V2,
    piece_length: u32,
    warnings: &mut Warnings,
) -> Result<Vec<PieceRoot>, Error> {
    let by_root = by_root(top, warnings);
    let mut layers = Layers { top, leaves_each: piece_length / BLOCK_LEN, by_root };
    let mut pieces = Vec::new();
    for (index, file) in v2.files.iter().enumerate() {
        let Some(root) = file.root else { continue };
        if file.pieces == 1 {
            // The file's root is the hash of its only piece, over a tree just wide enough.
            let leaves = file.file.length.div_ceil(u64::from(BLOCK_LEN));
            let width = u32::try_from(leaves.next_power_of_two()).unwrap_or(layers.leaves_each);
            pieces.push(PieceRoot { root, width });
        } else {
            let layer = layers.checked(root, file, index)?;
            let width = layers.leaves_each;
            pieces.extend(layer.iter().map(|root| PieceRoot { root: *root, width }));
        }
    }
    Ok(pieces)
}

/// All layers by the root they claim to have. (A lookup in the dictionary itself would go through
/// all of it for each file.)
fn by_root<'t>(top: Fields<'t>, warnings: &mut Warnings) -> BTreeMap<&'t [u8], Layer<'t>> {
    let dict = top.optional(LAYERS, "a dictionary", warnings, Value::dict);
    // What is no string is missed only where a file needs it.
    let strings = dict.into_iter().flatten().filter_map(|(root, layer)| {
        Some((root, Layer { bytes: layer.as_bytes()?, checked: false }))
    });
    strings.collect()
}

struct Layer<'t> {
    bytes: &'t [u8],
    /// Equal files share a layer; it is hashed once.
    checked: bool,
}

struct Layers<'t> {
    top: Fields<'t>,
    /// Leaves under each hash of a layer.
    leaves_each: u32,
    by_root: BTreeMap<&'t [u8], Layer<'t>>,
}

impl<'t> Layers<'t> {
    fn checked(
        &mut self,
        root: Digest,
        file: &TreeFile,
        index: usize,
    ) -> Result<&'t [Digest], Error> {
        let wrong = |kind, what| {
            Err(self.top.error(kind, LAYERS, format_args!("{what} info.file tree, file {index}")))
        };
        let Some(layer) = self.by_root.get_mut(root.as_slice()) else {
            return wrong(ErrorKind::Missing, "no hashes for");
        };
        let (hashes, rest) = layer.bytes.as_chunks();
        if !rest.is_empty() || hashes.len() != file.pieces as usize {
            return wrong(ErrorKind::Inconsistent, "not one hash a piece for");
        }
        if !layer.checked && root_of_layer(hashes, self.leaves_each) != root {
            return wrong(ErrorKind::Inconsistent, "the hashes do not have the pieces root of");
        }
        layer.checked = true;
        Ok(hashes)
    }
}
