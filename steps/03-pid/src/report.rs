//! How a run ends: an exit code, and at most one message.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Error, Result};
use nix::sys::signal::Signal;
use step01_unshare::message;

// ANCHOR: failed
/// An error that carries the exit code, as Docker has them: 125 for an error of our own, 126
/// for a command that cannot be run, 127 for one that is not there, 128 + n for signal n.
#[derive(Debug)]
pub struct Failed {
    /// The exit code. Texts are for people, this is for programs.
    pub code: u8,
    /// What went wrong; nothing if there is nothing to say.
    pub text: String,
}

impl Failed {
    /// A signal ended the container before it ran.
    pub(crate) fn by(signal: Signal) -> Error {
        Self { code: 128 + signal as u8, text: String::new() }.into()
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let code = error.downcast_ref::<Self>().map_or(125, |failed| failed.code);
        Self { code, text: message(&error) }
    }
}

/// Prints the error, if there is one, in one place for all steps.
pub fn report(outcome: Result<u8>) -> ExitCode {
    let failed = match outcome.map_err(Failed::from) {
        Ok(code) => return ExitCode::from(code),
        Err(failed) => failed,
    };
    if !failed.text.is_empty() {
        let program = std::env::args_os().next().unwrap_or_default();
        let program = std::path::Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
        // The exit code tells as much, should nobody read this.
        let _ = writeln!(std::io::stderr(), "{program}: {}", failed.text);
    }
    ExitCode::from(failed.code)
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failed {}
// ANCHOR_END: failed
