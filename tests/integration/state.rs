//! The folder that state is kept in between runs.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use testkit::PATIENCE;
use testkit::cli::Cli;

use crate::stage::Stage;

#[test]
fn state_of_folders_that_are_gone_goes_away_by_itself() {
    let stage = Stage::new();
    let kept = stage.dir("state");
    let dir = stage.full_dir("whole");
    let days = |days: u64| SystemTime::now() - Duration::from_hours(24 * days);
    let write = |letter: &str, days: SystemTime| {
        let path = kept.join(format!("pieces/{}-{}.resume", letter.repeat(40), "0".repeat(16)));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"d4:root12:/gone/nowheree").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(days).unwrap();
        path
    };
    let (old, fresh) = (write("a", days(40)), write("b", days(20)));
    let seed = Cli::seed(&stage.file, &dir).unwrap().arg("-v").start().unwrap();
    seed.wait_line(PATIENCE, |line| line.contains("old state").then_some(())).unwrap();
    assert!(!old.exists() && fresh.exists(), "{}", seed.log());
}
