//! Resume files, with a right checksum and without. Their format is private to its crate, and so are
//! the rules: see `session::fuzz_resume`.

/// Hands the bytes over.
pub fn run(data: &[u8]) {
    session::fuzz_resume(data);
}
