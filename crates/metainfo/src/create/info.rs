//! The `info` dictionary of a new torrent, and the piece layers beside it.
//! Everything was checked before: this only writes.

use bencode::DictEncoder;

use super::{Extras, Plan, Planned};
use crate::layout::BLOCK_LEN;
use crate::merkle::{Digest, root_of_layer};
use crate::metainfo::Version;

impl Plan {
    pub(super) fn info(
        &self,
        info: &mut DictEncoder<'_>,
        sha1: &[[u8; 20]],
        roots: &[Digest],
        extras: &Extras,
    ) {
        info.bytes("name", &self.name);
        info.int("piece length", i64::from(self.layout.piece_length()));
        if self.version != Version::V2 {
            info.bytes("pieces", sha1.as_flattened());
            self.listed(info);
        }
        if self.version != Version::V1 {
            info.int("meta version", 2);
            let files: Vec<TreeFile<'_>> = self.tree_files(roots).collect();
            info.dict("file tree", |tree| branch(tree, &files, 0));
        }
        if extras.private {
            info.int("private", 1);
        }
        if let Some(source) = &extras.source {
            info.bytes("source", source);
        }
    }

    /// The version 1 keys for files.
    fn listed(&self, info: &mut DictEncoder<'_>) {
        if !self.folder {
            for planned in &self.files {
                describe(info, planned);
            }
            return;
        }
        info.list("files", |list| {
            for planned in &self.files {
                list.dict(|entry| {
                    describe(entry, planned);
                    entry.list("path", |path| {
                        planned.file.path.iter().for_each(|component| path.bytes(component));
                    });
                });
            }
        });
    }

    /// Hashes of each piece of the files that have several, by the file's root.
    pub(super) fn layers(&self, layers: &mut DictEncoder<'_>, roots: &[Digest]) {
        for (file, planned) in self.files.iter().enumerate() {
            let layer = self.layer(file, roots);
            // Equal files have one entry: of repeated keys the encoder keeps the first.
            if planned.source.is_some() && layer.len() > 1 {
                layers.bytes(self.root(layer), layer.as_flattened());
            }
        }
    }

    fn tree_files<'p>(&'p self, roots: &'p [Digest]) -> impl Iterator<Item = TreeFile<'p>> {
        let real = self.files.iter().enumerate().filter(|(_, planned)| planned.source.is_some());
        real.map(|(file, planned)| {
            let layer = self.layer(file, roots);
            TreeFile { planned, root: (!layer.is_empty()).then(|| self.root(layer)) }
        })
    }

    /// The piece hashes of a file.
    fn layer<'r>(&self, file: usize, roots: &'r [Digest]) -> &'r [Digest] {
        let pieces = self.layout.file_pieces(file);
        roots.get(pieces.start as usize..pieces.end as usize).unwrap_or_default()
    }

    fn root(&self, layer: &[Digest]) -> Digest {
        root_of_layer(layer, self.layout.piece_length() / BLOCK_LEN)
    }
}

struct TreeFile<'p> {
    planned: &'p Planned,
    root: Option<Digest>,
}

/// Length and attributes, as both formats have them.
fn describe(entry: &mut DictEncoder<'_>, planned: &Planned) {
    // Lengths are below 2^51, see the limits of `Layout`.
    entry.int("length", i64::try_from(planned.file.length).unwrap_or(i64::MAX));
    if planned.source.is_none() {
        entry.bytes("attr", "p");
    } else if planned.file.executable {
        entry.bytes("attr", "x");
    }
}

/// Writes the files that share their first `depth` components. The depth is limited when the plan
/// is made, so the recursion is.
fn branch(tree: &mut DictEncoder<'_>, files: &[TreeFile<'_>], depth: usize) {
    let name = |file: &TreeFile<'_>| file.planned.file.path.get(depth).cloned().unwrap_or_default();
    for group in files.chunk_by(|one, other| name(one) == name(other)) {
        let [first, ..] = group else { continue };
        tree.dict(name(first), |node| {
            if first.planned.file.path.len() > depth + 1 {
                branch(node, group, depth + 1);
            } else {
                node.dict("", |entry| {
                    describe(entry, first.planned);
                    if let Some(root) = first.root {
                        entry.bytes("pieces root", root);
                    }
                });
            }
        });
    }
}
