//! Throughput of every kernel this machine has, on sixteen pieces of 256 KiB in blocks of 16 KiB,
//! and of the chosen kernels for other numbers of pieces. `cargo bench -p pieces-piecehash`.

use divan::Bencher;
use divan::counter::BytesCount;
use piecehash::Kernel;

const BLOCK: usize = 16 * 1024;
const PIECE: usize = 256 * 1024;

fn main() {
    divan::main();
}

/// `count` pieces, as lists of blocks.
fn pieces(data: &[u8]) -> Vec<Vec<&[u8]>> {
    data.chunks(PIECE).map(|piece| piece.chunks(BLOCK).collect()).collect()
}

fn data(count: usize) -> Vec<u8> {
    (0..count * PIECE).map(|i| i.to_le_bytes()[0]).collect()
}

fn run<D>(bencher: Bencher<'_, '_>, count: usize, hash: impl Fn(&[Vec<&[u8]>]) -> Vec<D> + Sync) {
    let data = data(count);
    let pieces = pieces(&data);
    bencher.counter(BytesCount::new(data.len())).bench(|| hash(&pieces));
}

#[divan::bench(args = Kernel::available())]
fn sha1_kernel(bencher: Bencher<'_, '_>, kernel: Kernel) {
    run(bencher, 16, |pieces| kernel.sha1_many(pieces));
}

#[divan::bench(args = Kernel::available())]
fn sha256_kernel(bencher: Bencher<'_, '_>, kernel: Kernel) {
    run(bencher, 16, |pieces| kernel.sha256_many(pieces));
}

#[divan::bench]
fn sha1_smol(bencher: Bencher<'_, '_>) {
    run(bencher, 16, |pieces| {
        let digest = |piece: &Vec<&[u8]>| {
            let mut hash = sha1_smol::Sha1::new();
            for block in piece {
                hash.update(block);
            }
            hash.digest().bytes()
        };
        pieces.iter().map(digest).collect()
    });
}

#[divan::bench(args = [1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 24])]
fn sha1_chosen(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, count, |pieces| piecehash::sha1_many(pieces));
}

#[divan::bench(args = [1, 2, 3, 4, 5, 8, 16])]
fn sha256_chosen(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, count, |pieces| piecehash::sha256_many(pieces));
}
