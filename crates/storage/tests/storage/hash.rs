//! Hashing for new torrents of version 2, against hashes made the plain way.

use std::sync::atomic::AtomicBool;

use metainfo::{Extras, Metainfo, NewFile, Plan, Version, merkle_root};
use storage::{FileSpec, Options, hash_plan};

use crate::support::on_both;

const PIECE: u32 = 65_536;
const BLOCK: usize = 16_384;

#[test]
fn all_hashes_of_a_plan_come_from_one_pass() {
    let lengths = [200_000_usize, 0, 1, 65_536, 16_385, 131_072];
    let contents: Vec<Vec<u8>> = lengths
        .map(|len| (0..len).map(|n| ((n * 7 + len) % 251).to_le_bytes()[0]).collect())
        .into();
    let folder = tempfile::tempdir().unwrap();
    let file = |(number, bytes): (usize, &Vec<u8>)| {
        let name = number.to_string();
        std::fs::write(folder.path().join(&name), bytes).unwrap();
        NewFile { path: vec![name.into()], length: bytes.len() as u64, executable: false }
    };
    let files: Vec<NewFile> = contents.iter().enumerate().map(file).collect();
    // Each file begins with a piece, and its last piece may be narrower if it is the only one.
    let roots: Vec<[u8; 32]> = contents
        .iter()
        .flat_map(|bytes| {
            bytes.chunks(PIECE as usize).map(|piece| {
                let leaves: Vec<_> =
                    piece.chunks(BLOCK).map(|block| piecehash::sha256(&[block])).collect();
                let width = if bytes.len() > PIECE as usize { 4 } else { 1 };
                merkle_root(&leaves, width)
            })
        })
        .collect();
    on_both(|backend| {
        for version in [Version::V1, Version::V2, Version::Hybrid] {
            let plan = Plan::folder(version, "name", PIECE, files.clone()).unwrap();
            let specs: Vec<FileSpec> = plan
                .sources()
                .map(|source| FileSpec {
                    path: source
                        .map(|number| std::str::from_utf8(&files[number].path[0]).unwrap().into())
                        .unwrap_or_default(),
                    on_disk: source.is_some(),
                })
                .collect();
            let mut options = Options::default();
            options.backend = backend;
            let cancel = AtomicBool::new(false);
            let hashes =
                hash_plan(folder.path(), &specs, &plan, &options, &|_| (), &cancel).unwrap();
            let torrent = plan.encode(&hashes.sha1, &hashes.roots, &Extras::default()).unwrap();
            // Reading checks the layers against the roots of the files.
            assert_eq!(Metainfo::from_bytes(&torrent).unwrap().version(), version);
            match version {
                Version::V1 => assert!(hashes.roots.is_empty()),
                Version::V2 => assert_eq!((hashes.sha1.len(), &hashes.roots), (0, &roots)),
                Version::Hybrid => {
                    assert_eq!(hashes.roots, roots);
                    let mut first = contents[0][3 * PIECE as usize..].to_vec();
                    first.resize(PIECE as usize, 0);
                    assert_eq!(hashes.sha1[3], piecehash::sha1(&[&first]));
                }
            }
        }
    });
}
