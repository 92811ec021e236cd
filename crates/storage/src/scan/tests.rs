//! What a scan does not read, and when it stops.

use std::fs::File;
use std::os::unix::fs::FileExt;

use tempfile::TempDir;

use super::*;
use crate::files::Descriptors;
use crate::spec::{FileSpec, Spec};

const MIB: u64 = 1 << 20;

/// A folder on a file system whose holes are believed, if one is to be had.
fn folder_with_holes() -> Option<TempDir> {
    let folders = [tempfile::tempdir(), tempfile::tempdir_in("/dev/shm")];
    let mut folders = folders.into_iter().flatten();
    folders.find(|folder| sys::has_true_holes(File::open(folder.path()).unwrap()))
}

/// A torrent of one file of `len` bytes, all of it a hole, and the folder it is in.
fn sparse(folder: TempDir, len: u64, piece_length: u32) -> (TempDir, Files) {
    File::create(folder.path().join("data")).unwrap().set_len(len).unwrap();
    let layout = Layout::new(piece_length, &[len]).unwrap();
    let hashes = vec![[0; 20]; layout.piece_count() as usize];
    let file = FileSpec { path: "data".into(), on_disk: true };
    let spec = Spec::from_parts(folder.path(), vec![file], layout, hashes).unwrap();
    (folder, Files::read_only(spec))
}

fn scan<'a>(
    files: &'a Files,
    pieces: &'a [PieceIndex],
    wanted: Wanted,
    cancel: &'a AtomicBool,
) -> Scan<'a> {
    let progress = Progress { checked: 0, total: files.spec().layout().total_len() };
    let backend = Backend::default();
    Scan { files, backend, threads: 2, pieces, wanted, progress, report: &|_| (), cancel }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terabyte_of_holes_is_not_read() {
    let Some(folder) = folder_with_holes() else { return };
    let len = 1 << 40;
    let (folder, files) = sparse(folder, len, 64 << 20);
    let file = File::options().write(true).open(folder.path().join("data")).unwrap();
    file.write_all_at(b"data", len / 2).unwrap();
    let pieces: Vec<_> = files.spec().layout().pieces().collect();
    let zeros = hash(&vec![0; 64 << 20]);
    let others = std::sync::Mutex::new(Vec::new());
    let note = |piece: PieceIndex, digest: Digest| {
        if digest.unwrap().sha1 != zeros {
            others.lock().unwrap().push(piece.get());
        }
    };
    let go = AtomicBool::new(false);
    scan(&files, &pieces, Wanted::SHA1, &go).run(&note).unwrap();
    assert_eq!(*others.lock().unwrap(), [8192]);
}

#[test]
#[cfg(target_os = "linux")]
fn holes_of_version_2_are_not_read_either() {
    let Some(folder) = folder_with_holes() else { return };
    let (_folder, files) = sparse(folder, 16 << 30, 16 << 20);
    let pieces: Vec<_> = files.spec().layout().pieces().collect();
    let leaf = piecehash::sha256_many(&[[&[0; 16_384][..]]])[0];
    let note = |_, digest: Digest| assert_eq!(digest.unwrap().leaves, vec![leaf; 1024]);
    let go = AtomicBool::new(false);
    scan(&files, &pieces, Wanted::LEAVES, &go).run(&note).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn room_that_was_reserved_and_never_written_stays_unread() {
    let Some(folder) = folder_with_holes() else { return };
    let (folder, files) = sparse(folder, 32 * MIB, 1 << 20);
    let file = File::options().write(true).open(folder.path().join("data")).unwrap();
    if !sys::reserve(&file, 32 * MIB).unwrap() {
        return;
    }
    let pieces: Vec<_> = files.spec().layout().pieces().collect();
    let zeros = hash(&vec![0; 1 << 20]);
    let go = AtomicBool::new(false);
    let note = |_, digest: Digest| assert_eq!(digest.unwrap().sha1, zeros);
    scan(&files, &pieces, Wanted::SHA1, &go).run(&note).unwrap();
    // A page that was read, or read ahead, looks like data.
    assert_eq!(sys::next_data(&file, 0), None);
}

#[test]
fn a_scan_of_more_files_than_there_are_descriptors_ends() {
    let folder = tempfile::tempdir().unwrap();
    for (count, len, piece_length) in
        [(40, 100_000, 32_768), (40, 100_000, 150_000), (900, 5, 1_000)]
    {
        let lens = vec![len; count];
        let layout = Layout::new(piece_length, &lens).unwrap();
        let mut bytes = Vec::new();
        let file = |number: usize| {
            let content: Vec<u8> =
                (0..len).map(|at| (at * 7 + number as u64).to_le_bytes()[0]).collect();
            std::fs::write(folder.path().join(number.to_string()), &content).unwrap();
            bytes.extend(content);
            FileSpec { path: number.to_string().into(), on_disk: true }
        };
        let specs: Vec<FileSpec> = (0..count).map(file).collect();
        let digests: Vec<_> = bytes.chunks(piece_length as usize).map(hash).collect();
        let pieces: Vec<_> = layout.pieces().collect();
        let spec = Spec::from_parts(folder.path(), specs, layout, digests.clone()).unwrap();
        for (places, backend) in
            [(1, Backend::Mapped), (2, Backend::Mapped), (2, Backend::Positional)]
        {
            let files = Files::new(spec.clone(), Descriptors::of(places));
            let go = AtomicBool::new(false);
            let scan = Scan { backend, threads: 3, ..scan(&files, &pieces, Wanted::SHA1, &go) };
            let count = AtomicUsize::new(0);
            let note = |piece: PieceIndex, digest: Digest| {
                assert_eq!(digest.unwrap().sha1, digests[piece.as_usize()], "{piece}");
                count.fetch_add(1, Ordering::Relaxed);
            };
            scan.run(&note).unwrap();
            assert_eq!(count.into_inner(), pieces.len());
        }
    }
}

#[test]
fn it_stops_soon_over_holes_and_data() {
    for hole in [true, false] {
        let (folder, files) = sparse(tempfile::tempdir().unwrap(), 64 * MIB, 16_384);
        if !hole {
            let file = File::options().write(true).open(folder.path().join("data")).unwrap();
            file.write_all_at(&vec![1; 64 << 20], 0).unwrap();
        }
        let pieces: Vec<_> = files.spec().layout().pieces().collect();
        let cancel = AtomicBool::new(false);
        let count = AtomicUsize::new(0);
        let note = |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            cancel.store(true, Ordering::Relaxed);
        };
        let error = scan(&files, &pieces, Wanted::SHA1, &cancel).run(&note).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Cancelled);
        // Of 4,096: what two threads had begun side by side.
        let count = count.load(Ordering::Relaxed);
        assert!(count <= 4 * piecehash::lanes(), "{count}, hole: {hole}");
    }
}

fn hash(bytes: &[u8]) -> [u8; 20] {
    piecehash::sha1(&[bytes])
}
