//! Becoming the command: `exec` replaces the program of this process and keeps the rest.

use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{fmt, io};

use anyhow::{Context, Error, Result};
use nix::errno::Errno;

use crate::is_missing;

// ANCHOR: exec
/// Replaces this program by the command: the same process, the same namespaces, another
/// program (`man 2 execve`). It returns only if that failed.
pub fn exec(command: &mut Command) -> Error {
    let error = command.exec();
    explain(command, error)
}
// ANCHOR_END: exec

// ANCHOR: cannot_run
/// What a failed `exec` says.
pub(crate) fn explain(command: &Command, error: io::Error) -> Error {
    let program = command.get_program().to_string_lossy().into_owned();
    Error::new(error).context(CannotRun { program })
}

/// The exit code for an error, as shells and util-linux's `unshare` have it: 127 for a command
/// that is not there, 126 for one that cannot be run, 1 for everything of our own.
pub fn exit_code(error: &Error) -> u8 {
    match error.is::<CannotRun>() {
        true if is_missing(error) => 127,
        true => 126,
        false => 1,
    }
}

/// Marks the errors that are about the command, and not about us.
#[derive(Debug)]
struct CannotRun {
    program: String,
}

impl fmt::Display for CannotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot run {}", self.program.escape_debug())
    }
}
// ANCHOR_END: cannot_run

// ANCHOR: message
/// For the user, on stderr. That nobody reads it, as after `2>&1 | head -1`, is no error; `eprint` would panic.
pub fn tell(text: impl fmt::Display) {
    let _ = write!(io::stderr().lock(), "{text}");
}

/// What a command was asked for, on stdout. That nobody reads it to the end, as before `| head -1`, is no error
/// either; that the disk is full is one.
///
/// # Errors
/// It cannot be written.
pub fn answer(text: impl fmt::Display) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to the standard output")
        }
        _ => Ok(()),
    }
}

/// What an error says, in one line: each level's text, and a failed system call by its errno,
/// `ENOENT: No such file or directory`, which is the word to look up in a manual page. What a stranger's name in it
/// would do to a terminal is shown, and not done.
pub fn message(error: &Error) -> String {
    let text = error.chain().map(level).collect::<Vec<_>>().join(": ");
    let shown = |character: char| match character.is_control() && character != '\n' {
        true => character.escape_debug().to_string(),
        false => character.to_string(),
    };
    text.chars().map(shown).collect()
}

/// The standard library and rustix know the errno too, but print only its meaning.
fn level(cause: &(dyn std::error::Error + 'static)) -> String {
    let code = match cause.downcast_ref::<rustix::io::Errno>() {
        Some(errno) => Some(errno.raw_os_error()),
        None => cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error),
    };
    code.map_or_else(|| cause.to_string(), |code| Errno::from_raw(code).to_string())
}
// ANCHOR_END: message
