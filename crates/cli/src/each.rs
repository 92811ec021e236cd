//! Several arguments of one command: each stands for itself, what is wrong with one is told when it
//! happens, and the exit code is that of the worst. Never knows what is done with them.

use std::path::{Path, PathBuf};

use crate::exit::{Code, Failure};
use crate::progress;

/// Acts on each argument, whatever becomes of the others; only who stops one wants none of those that
/// follow.
pub(crate) fn each(
    arguments: &[PathBuf],
    mut act: impl FnMut(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut worst = Code::Done;
    for argument in arguments {
        let Err(failure) = act(argument) else { continue };
        progress::write_line(&format!("error: {failure}"));
        worst = worst.worse(failure.code());
        if failure.code() == Code::Unfinished {
            break;
        }
    }
    if worst == Code::Done { Ok(()) } else { Err(Failure::told(worst)) }
}
