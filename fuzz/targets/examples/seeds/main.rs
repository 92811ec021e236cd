//! Writes the first seeds below `fuzz/seeds/`: a few good inputs of each kind, from which libFuzzer
//! starts. It owns those files alone; what fuzzing adds beside them (`grown-*`, `found-*`) is never
//! touched.
//!
//! `cargo run -p pieces-fuzz-targets --example seeds`

use std::fs;
use std::path::Path;

mod made;

fn main() -> made::Result<()> {
    for (target, name, bytes) in made::all()?.0 {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
