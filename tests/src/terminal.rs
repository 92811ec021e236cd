//! A terminal to run a program on, and what stands on its screen as lines. Never interprets more of what
//! is written than it takes to read it.

use std::collections::VecDeque;
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

/// The line that stands for the erasure of the one before it.
pub const ERASED: &str = "(erased)";

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

/// The screen as plain text: a line for each text that was shown, and [`ERASED`] where one was taken
/// away. Where a program goes back to write over a line, a new one begins.
pub(crate) struct Lines {
    screen: File,
    /// The escape sequence that is being read, without what begins it.
    escape: Option<Vec<u8>>,
    /// Plain bytes that were not read yet.
    plain: VecDeque<u8>,
}

impl Lines {
    pub(crate) fn new(screen: File) -> Self {
        Self { screen, escape: None, plain: VecDeque::new() }
    }

    fn take(&mut self, byte: u8) {
        let Some(escape) = &mut self.escape else {
            match byte {
                ESCAPE => self.escape = Some(Vec::new()),
                b'\r' => self.plain.push_back(b'\n'),
                byte => self.plain.push_back(byte),
            }
            return;
        };
        escape.push(byte);
        // Nearly all begin with a bracket and end with a letter; others have one byte more.
        if escape.first() != Some(&b'[') || byte.is_ascii_alphabetic() {
            if escape == b"[2K" {
                self.plain.extend(format!("\n{ERASED}\n").bytes());
            }
            self.escape = None;
        }
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut raw = [0; 4096];
        while self.plain.is_empty() {
            // The system's way to say that the program's end is closed is an error.
            let read = self.screen.read(&mut raw).unwrap_or(0);
            if read == 0 {
                return Ok(0);
            }
            for byte in raw.get(..read).unwrap_or_default() {
                self.take(*byte);
            }
        }
        self.plain.read(buffer)
    }
}
