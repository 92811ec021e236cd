//! A terminal to run a program on, and what stands on its screen as lines. Never interprets more of what
//! is written than it takes to read it.

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::Result;

/// The size that a terminal has by tradition.
const SIZE: Winsize = Winsize { ws_col: 80, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 };

/// What begins an escape sequence.
const ESCAPE: u8 = 0x1b;

/// The end that the screen is read from, and the one for the program. The terminal controls no process:
/// signals are sent to the program, not typed.
pub(crate) fn open() -> Result<(File, File)> {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&screen)?;
    unlockpt(&screen)?;
    let name = ptsname(&screen, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let inside = rustix::fs::open(name.as_c_str(), flags, Mode::empty())?;
    tcsetwinsize(&inside, SIZE)?;
    Ok((File::from(screen), File::from(inside)))
}

/// The screen as plain text: a line for each text that was shown, without blanks at its end. Where a
/// program goes back to write over a line, a new one begins.
pub(crate) struct Lines {
    screen: File,
    /// Within an escape sequence, and whether its first byte was seen.
    escape: Option<bool>,
}

impl Lines {
    pub(crate) fn new(screen: File) -> Self {
        Self { screen, escape: None }
    }

    /// The byte to read in place of this one, if any.
    fn plain(&mut self, byte: u8) -> Option<u8> {
        match (self.escape, byte) {
            (None, ESCAPE) => self.escape = Some(false),
            (None, b'\r') => return Some(b'\n'),
            (None, byte) => return Some(byte),
            // Nearly all begin with a bracket and end with a letter; others have one byte more.
            (Some(false), b'[') => self.escape = Some(true),
            (Some(true), byte) if !byte.is_ascii_alphabetic() => {}
            (Some(_), _) => self.escape = None,
        }
        None
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut raw = vec![0; buffer.len()];
        loop {
            // The system's way to say that the program's end is closed is an error.
            let read = self.screen.read(&mut raw).unwrap_or(0);
            let bytes = raw.get(..read).unwrap_or_default();
            let mut slots = buffer.iter_mut();
            let mut kept = 0;
            for byte in bytes.iter().filter_map(|byte| self.plain(*byte)) {
                if let Some(slot) = slots.next() {
                    *slot = byte;
                    kept += 1;
                }
            }
            if read == 0 || kept > 0 {
                return Ok(kept);
            }
        }
    }
}
