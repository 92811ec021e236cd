//! How long torrents take: bytes in, every path and length read.
//!
//! Owns the generated torrents and the figures of the README. Never compares with other crates:
//! those are no dependencies of ours.
#![allow(clippy::unwrap_used, reason = "the torrents are made here")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// A torrent of `files` files in three levels of folders, and `pieces` piece hashes.
fn torrent(files: u32, pieces: usize) -> Vec<u8> {
    bencode::encode_dict(|d| {
        d.bytes("announce", "http://tracker.example/announce");
        d.dict("info", |d| {
            d.list("files", |l| {
                for number in 0..files {
                    l.dict(|d| {
                        // Spread over all magnitudes up to 4 GiB.
                        let length = number.wrapping_mul(2_654_435_761) >> (number % 24);
                        d.int("length", i64::from(length));
                        d.list("path", |l| {
                            l.bytes(format!("season {:02}", number / 1000));
                            l.bytes(format!("part{}", number / 50));
                            l.bytes(format!("track_{number:06} - take.flac"));
                        });
                    });
                }
            });
            d.bytes("name", "collection");
            d.int("piece length", 1 << 20);
            d.bytes("pieces", vec![0x5a; pieces * 20]);
        });
    })
}

/// The sum of the files' lengths and of their paths' lengths.
fn read(input: &[u8]) -> (i64, usize) {
    let document = bencode::decode(input).unwrap();
    let files = document.root().get("info").unwrap().get("files").unwrap();
    let mut sum = (0, 0);
    for file in files.list().unwrap() {
        sum.0 += file.get("length").unwrap().as_int().unwrap();
        for part in file.get("path").unwrap().list().unwrap() {
            sum.1 += part.as_bytes().unwrap().len();
        }
    }
    sum
}

#[divan::bench]
fn parse_100_000_files(bencher: Bencher<'_, '_>) {
    let input = torrent(100_000, 50_000);
    bencher
        .counter(BytesCount::of_slice(&input))
        .bench_local(|| bencode::decode(black_box(&input)).unwrap());
}

#[divan::bench]
fn parse_and_read_100_000_files(bencher: Bencher<'_, '_>) {
    let input = torrent(100_000, 50_000);
    bencher.counter(BytesCount::of_slice(&input)).bench_local(|| read(black_box(&input)));
}

#[divan::bench]
fn parse_and_read_10_mb_of_pieces(bencher: Bencher<'_, '_>) {
    let input = torrent(50, 500_000);
    bencher.counter(BytesCount::of_slice(&input)).bench_local(|| read(black_box(&input)));
}

#[divan::bench]
fn encode_100_000_files(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| torrent(black_box(100_000), 50_000));
}
