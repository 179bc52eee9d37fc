//! Our own terminal, while we are attached to a container's.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use step03_pid::Failed;

use crate::waiting::Waiting;

/// Rows and columns of our terminal, as [`Kind::Resize`] has them.
pub fn terminal_size() -> Option<[u8; 4]> {
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin())).ok()?;
    let ([a, b], [c, d]) = (size.ws_row.to_be_bytes(), size.ws_col.to_be_bytes());
    Some([a, b, c, d])
}

/// The size as a word for the process that makes the container's terminal: `--size=0,24,0,80`.
pub fn size_option() -> Option<String> {
    terminal_size().map(|size| format!("--size={}", size.map(|byte| byte.to_string()).join(",")))
}

/// Nothing stays in a buffer. Whoever does not read any more ends us, as SIGPIPE would.
pub(super) fn print(to: &impl AsFd, text: &[u8]) -> Result<()> {
    let mut to = Waiting::copy(to).context("cannot write to the standard output")?;
    match to.write_all(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            Err(Failed { code: 128 + Signal::SIGPIPE as u8, text: String::new() }.into())
        }
        // The disk is full, or there is nowhere to write: the container goes on.
        _ => Ok(()),
    }
}

/// The terminal passes each key on as it is, ^C among them. Dropped, it is as before.
#[derive(Debug)]
pub(super) struct Raw(Termios);

impl Raw {
    pub(super) fn set() -> Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw).context("cannot set the terminal")?;
        Ok(Some(Self(before)))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}
