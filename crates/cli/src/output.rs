//! Writing results to stdout. A reader that went away (`| head`) ends the command quietly; any
//! other failure is reported.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::exit::{Code, Failure};

/// The version of every JSON shape that docs/json.md describes. Keys may be added under the same
/// number; one that changes its meaning or goes away raises it.
pub(crate) const JSON_FORMAT: u32 = 1;

/// Writes text to stdout through `write`.
pub(crate) fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(Code::Io, format!("cannot write to stdout: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes `value` as one indented JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    text(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}
