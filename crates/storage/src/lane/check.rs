//! Hashing whole pieces and writing the good ones: from memory several side by side, from the file
//! where blocks went there early or were there before.
//! It never writes a block of a piece whose hash is wrong.

use std::iter;
use std::sync::Arc;

use metainfo::{BLOCK_LEN, Block, Layout, PieceIndex};
use piecehash::{Sha1, sha1_many};

use super::early::Digests;
use super::{Lane, Waiting};
use crate::backend::Positional;
use crate::error::Error;
use crate::hold::{Held, Key};
use crate::job::{Checked, Done, What};
use crate::recheck::ATTEMPTS;
use crate::span::{Batch, Doubt};
use crate::torrent::Torrent;
use crate::watch::Mark;
use crate::write::{MAX_SLICES, write_blocks};

/// A piece being checked.
struct Case<B> {
    key: Key,
    /// Whether the digest of each block is wanted even if it is good.
    digests: bool,
    torrent: Arc<Torrent>,
    held: Held<B>,
    /// Of the blocks that are on disk already, as they were written.
    early: Digests,
    /// What was known of the piece's files before, if it is doubtful.
    mark: Option<Mark>,
    result: Result<[u8; 20], Fault>,
}

/// Why a piece has no hash, or is not in its files.
#[derive(Clone)]
enum Fault {
    Failed(Error),
    /// Another program changed blocks that were written early.
    Changed,
}

impl<B> Case<B> {
    fn piece(&self) -> PieceIndex {
        self.key.1
    }

    fn layout(&self) -> &Layout {
        self.torrent.files.spec().layout()
    }

    /// Whether the block is in memory.
    fn is_kept(&self, number: usize) -> bool {
        self.held.blocks.get(number).is_some_and(Option::is_some)
    }

    /// The digest of a block as it was written early.
    fn written(&self, number: usize) -> Option<[u8; 20]> {
        self.early.get(number).copied().flatten()
    }

    fn is_good(&self) -> bool {
        let expected = self.torrent.files.spec().expected(self.piece());
        matches!((&self.result, expected), (Ok(digest), Some(hash)) if digest == hash)
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]> + Send + 'static> Lane<B> {
    /// Checks every piece that waits for it, and writes those that are good.
    pub(super) fn check_all(&mut self) {
        if self.checks.is_empty() {
            return;
        }
        let mut cases = self.cases();
        hash_in_memory(&mut cases);
        for case in cases.iter_mut().filter(|case| !case.held.is_whole()) {
            case.result = hash_mixed(case);
        }
        cases.sort_unstable_by_key(|case| case.key);
        write_good(&mut cases);
        for case in cases {
            self.conclude(case);
        }
    }

    /// Takes the waiting pieces out of the hold.
    fn cases(&mut self) -> Vec<Case<B>> {
        let mut cases = Vec::with_capacity(self.checks.len());
        for Waiting { key, digests } in std::mem::take(&mut self.checks) {
            let (id, piece) = key;
            let open = self.shared.torrent(id);
            let Some(torrent) = open.filter(|open| open.files.spec().expected(piece).is_some())
            else {
                self.fail(id, What::Check { piece }, Error::closed());
                continue;
            };
            let layout = torrent.files.spec().layout();
            let held = self.hold.take(key).unwrap_or_else(|| self.hold.nothing(layout, piece));
            let early = self.early.take(key);
            let mark = torrent.watch.mark(&torrent.files, piece);
            cases.push(Case { key, digests, torrent, held, early, mark, result: Ok([0; 20]) });
        }
        cases
    }

    fn conclude(&mut self, case: Case<B>) {
        let is_good = case.is_good();
        let (torrent, piece) = case.key;
        let outcome = match &case.result {
            Err(Fault::Failed(error)) => Err(error.clone()),
            Err(Fault::Changed) => Ok(Checked::Changed),
            Ok(_) if is_good && !case.digests => Ok(Checked::Good { blocks: Vec::new() }),
            Ok(_) => block_digests(&case).map(|blocks| {
                if is_good { Checked::Good { blocks } } else { Checked::Bad { blocks } }
            }),
        };
        if is_good {
            case.torrent.note_piece(piece);
            if let Some(mark) = case.mark {
                case.torrent.watch.hashed(&case.torrent.files, piece, mark);
            }
        }
        match outcome {
            Ok(outcome) => self.done.push(Done::Checked { torrent, piece, outcome }),
            Err(error) => self.fail(torrent, What::Check { piece }, error),
        }
        self.hold.recycle(case.held);
    }
}

/// Hashes the pieces that are whole in memory, side by side.
fn hash_in_memory<B: AsRef<[u8]>>(cases: &mut [Case<B>]) {
    let whole = |case: &&mut Case<B>| case.held.is_whole();
    let digests = {
        let in_memory = cases.iter().filter(|case| case.held.is_whole());
        sha1_many(&in_memory.map(bytes_in_memory).collect::<Vec<Vec<&[u8]>>>())
    };
    for (case, digest) in cases.iter_mut().filter(whole).zip(digests) {
        case.result = Ok(digest);
    }
}

/// The bytes of a piece that is whole in memory, in order, with the padding that no block holds.
fn bytes_in_memory<B: AsRef<[u8]>>(case: &Case<B>) -> Vec<&[u8]> {
    let layout = case.layout();
    if !layout.has_padding() {
        return case.held.kept().collect();
    }
    let (mut bytes, mut end) = (Vec::new(), 0);
    for (block, kept) in case.held.each(layout, case.piece()) {
        bytes.extend(zeros(block.offset() - end));
        bytes.extend(kept);
        end = block.offset() + block.len();
    }
    bytes.extend(zeros(layout.piece_len(case.piece()) - end));
    bytes
}

/// So many zeros, in slices.
fn zeros<'z>(len: u32) -> impl Iterator<Item = &'z [u8]> {
    static ZEROS: [u8; BLOCK_LEN as usize] = [0; BLOCK_LEN as usize];
    let whole = iter::repeat_n(&ZEROS[..], (len / BLOCK_LEN) as usize);
    whole.chain(ZEROS.get(..(len % BLOCK_LEN) as usize))
}

/// Hashes a piece of which some or all blocks are in its files only.
fn hash_mixed<B: AsRef<[u8]>>(case: &Case<B>) -> Result<[u8; 20], Fault> {
    for _ in 0..ATTEMPTS {
        let (mut hash, mut end, mut changed) = (Sha1::new(), 0, false);
        let doubtful = each_block(case, |number, block, bytes| {
            zeros(block.offset() - end).for_each(|zeros| hash.update(zeros));
            hash.update(bytes);
            end = block.offset() + block.len();
            let written = if case.is_kept(number) { None } else { case.written(number) };
            changed |= written.is_some_and(|written| piecehash::sha1(&[bytes]) != written);
        });
        zeros(case.layout().piece_len(case.piece()) - end).for_each(|zeros| hash.update(zeros));
        let doubtful = doubtful.map_err(Fault::Failed)?;
        if changed {
            return Err(Fault::Changed);
        }
        // Else it was hashed while another program wrote.
        if !doubtful {
            return Ok(hash.finish());
        }
    }
    Err(Fault::Changed)
}

/// The SHA-1 of each block, by its number.
fn block_digests<B: AsRef<[u8]>>(case: &Case<B>) -> Result<Vec<[u8; 20]>, Error> {
    if case.held.is_whole() && !case.held.has_padding() {
        return Ok(sha1_many(&case.held.kept().map(|block| [block]).collect::<Vec<_>>()));
    }
    let mut digests = vec![[0; 20]; case.held.blocks.len()];
    each_block(case, |number, _, bytes| {
        if let Some(digest) = digests.get_mut(number) {
            // What was written is what came.
            let written = if case.is_kept(number) { None } else { case.written(number) };
            *digest = written.unwrap_or_else(|| piecehash::sha1(&[bytes]));
        }
    })?;
    Ok(digests)
}

/// Goes through a piece's blocks in order, with their numbers, reading one at a time where it is not
/// kept. Gives whether another program wrote meanwhile.
fn each_block<B: AsRef<[u8]>>(
    case: &Case<B>,
    mut act: impl FnMut(usize, Block, &[u8]),
) -> Result<bool, Error> {
    let layout = case.layout();
    let mut buffer = vec![0; BLOCK_LEN as usize];
    let mut batch = Batch::new();
    for (block, kept) in case.held.each(layout, case.piece()) {
        let Some(number) = layout.block_number(block).map(|number| number as usize) else {
            continue;
        };
        if let Some(data) = kept {
            act(number, block, data);
            continue;
        }
        let into = buffer.get_mut(..block.len() as usize).unwrap_or_default();
        batch.read(&case.torrent, &mut Positional, layout.spans(block), into)?;
        act(number, block, into);
    }
    match batch.settle().pop() {
        Some((_, Doubt::Lost(error))) => Err(error),
        Some((_, Doubt::Written)) => Ok(true),
        None => Ok(false),
    }
}

/// Writes the good pieces, neighbours together.
fn write_good<B: AsRef<[u8]>>(cases: &mut [Case<B>]) {
    let mut rest = cases;
    while !rest.is_empty() {
        let (run, after) = rest.split_at_mut(run_length(rest).max(1));
        rest = after;
        if !run.iter().all(Case::is_good) {
            continue;
        }
        if let Some(error) = write_run(run).err() {
            for case in run {
                case.result = Err(Fault::Failed(error.clone()));
            }
        }
    }
}

/// How many of the cases at the front are good, neighbours, and few enough blocks for one write.
fn run_length<B>(cases: &[Case<B>]) -> usize {
    let Some(first) = cases.first().filter(|case| case.is_good()) else { return 0 };
    let mut blocks = first.held.blocks.len();
    let joins = |pair: &&[Case<B>]| {
        let [before, case] = pair else { return false };
        blocks += case.held.blocks.len();
        Arc::ptr_eq(&before.torrent, &case.torrent)
            && before.piece().get().checked_add(1) == Some(case.piece().get())
            && case.is_good()
            && blocks <= MAX_SLICES
    };
    1 + cases.windows(2).take_while(joins).count()
}

fn write_run<B: AsRef<[u8]>>(run: &[Case<B>]) -> Result<(), Error> {
    let Some(first) = run.first() else { return Ok(()) };
    let layout = first.torrent.files.spec().layout();
    let blocks = run.iter().flat_map(|case| {
        let blocks = case.held.each(layout, case.piece());
        blocks.filter_map(|(block, data)| Some((block, data?)))
    });
    write_blocks(&first.torrent, blocks)
}
