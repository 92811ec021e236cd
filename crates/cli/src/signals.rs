//! Ctrl-C, SIGTERM and SIGHUP. The first asks a command that has something to put in order to stop; the
//! second, or the first where there is no such thing, ends the process at once, whatever it is doing.
//! Never knows what is being stopped.

use std::sync::{Mutex, PoisonError};

use crate::exit::{Code, Failure};

/// What the first signal calls, and whether it came.
static ASK: Mutex<(Option<Ask>, bool)> = Mutex::new((None, false));

type Ask = Box<dyn Fn() + Send>;

/// From now on signals end the process with [`Code::Unfinished`].
pub(crate) fn listen() -> Result<(), Failure> {
    let heard = || match &mut *ASK.lock().unwrap_or_else(PoisonError::into_inner) {
        (Some(ask), asked @ false) => {
            *asked = true;
            ask();
        }
        _ => std::process::exit(i32::from(Code::Unfinished as u8)),
    };
    ctrlc::set_handler(heard)
        .map_err(|error| Failure::new(Code::Other, format!("cannot listen for signals: {error}")))
}

/// The first signal from now on calls `ask`, which must not wait for anything.
pub(crate) fn ask_first(ask: impl Fn() + Send + 'static) {
    ASK.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Box::new(ask));
}
