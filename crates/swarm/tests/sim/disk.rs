//! A disk in memory that keeps marks instead of bytes, checks the contract of disk jobs, and lies
//! for nodes that lie. It decides nothing about the swarm.

use std::collections::BTreeMap;

use metainfo::{Block, Layout, PieceSet};
use swarm::{Checked, DiskDone, DiskJob};
use wire::Payload;

/// What a liar does to the blocks it reads.
#[derive(Clone, Copy)]
pub(crate) struct Liar {
    /// One block in so many is false.
    pub(crate) one_in: u32,
}

pub(crate) struct Disk {
    layout: Layout,
    have: PieceSet,
    lies: Option<Liar>,
    fails: Option<u32>,
    written: BTreeMap<Block, [u8; 20]>,
}

impl Disk {
    pub(crate) fn new(
        layout: Layout,
        have: PieceSet,
        lies: Option<Liar>,
        fails: Option<u32>,
    ) -> Self {
        Self { layout, have, lies, fails, written: BTreeMap::new() }
    }

    pub(crate) fn perform(&mut self, job: DiskJob, rng: &mut fastrand::Rng) -> Option<DiskDone> {
        match job {
            DiskJob::Write { block, payload } => {
                assert_eq!(payload.len(), block.len() as usize);
                assert!(self.layout.block_number(block).is_some(), "not a block: {block:?}");
                assert!(!self.have.contains(block.piece()), "a piece we have was written");
                let again = self.written.insert(block, digest(&payload));
                assert!(again.is_none(), "written twice: {block:?}");
                None
            }
            DiskJob::Check { piece, digests } => {
                // By number: those that are padding alone came from no peer and are as they should be.
                let numbers = 0..self.layout.block_count(piece);
                let right = numbers.map(|number| self.layout.block(piece, number).map(mark));
                let right: Vec<[u8; 20]> = right.map(Option::unwrap_or_default).collect();
                let mut blocks = right.clone();
                for block in self.layout.blocks(piece) {
                    let number = self.layout.block_number(block).expect("a block") as usize;
                    blocks[number] = self.written.remove(&block).expect("written before its check");
                }
                if self.fails.is_some_and(|one_in| rng.u32(0..one_in) == 0) {
                    return Some(DiskDone::WriteFailed { piece });
                }
                let outcome = if blocks == right {
                    self.have.insert(piece);
                    Checked::Good { blocks: if digests { blocks } else { Vec::new() } }
                } else {
                    Checked::Bad { blocks }
                };
                Some(DiskDone::Checked { piece, outcome })
            }
            DiskJob::Discard { piece } => {
                self.layout.blocks(piece).for_each(|block| {
                    self.written.remove(&block);
                });
                None
            }
            DiskJob::Read { peer, block } => {
                assert!(self.have.contains(block.piece()), "read of a piece we lack");
                let mut bytes = truth(block);
                if self.lies.is_some_and(|liar| rng.u32(0..liar.one_in) == 0) {
                    bytes[0] ^= rng.u8(1..);
                }
                Some(DiskDone::Read { peer, block, payload: Payload::detached(bytes) })
            }
        }
    }

    pub(crate) fn have(&self) -> &PieceSet {
        &self.have
    }
}

/// The right bytes of a block: its mark, and zeros.
fn truth(block: Block) -> Vec<u8> {
    let mut bytes = vec![0; block.len() as usize];
    bytes.iter_mut().zip(mark(block)).for_each(|(to, from)| *to = from);
    bytes
}

/// What the right bytes of a block begin with, instead of a digest of them: its name.
fn mark(block: Block) -> [u8; 20] {
    let mut mark = [0; 20];
    let name = [block.piece().get().to_be_bytes(), block.offset().to_be_bytes()];
    let name = name.as_flattened().iter().take(block.len() as usize - 1);
    mark.iter_mut().skip(1).zip(name).for_each(|(to, from)| *to = *from);
    mark
}

fn digest(bytes: &[u8]) -> [u8; 20] {
    let mut digest = [0; 20];
    digest.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    digest
}
