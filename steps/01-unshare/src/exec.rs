//! Becoming the command: `exec` replaces the program of this process and keeps the rest.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Error;
use nix::errno::Errno;

// ANCHOR: exec
/// Replaces this program by the command: the same process, the same namespaces, another
/// program (`man 2 execve`). It returns only if that failed.
pub fn exec(command: &mut Command) -> Error {
    let error = command.exec();
    explain(command, error)
}
// ANCHOR_END: exec

/// What a failed `exec` says.
pub(crate) fn explain(command: &Command, error: io::Error) -> Error {
    let program = command.get_program().to_string_lossy().into_owned();
    Error::new(error).context(format!("cannot run {program}"))
}

/// The exit code for an error, as shells and util-linux's `unshare` have it: 127 for a command
/// that is not there, 126 for one that cannot be run, 1 for everything of our own.
pub fn exit_code(error: &Error) -> u8 {
    match error.downcast_ref::<io::Error>() {
        None => 1,
        Some(error) if error.kind() == io::ErrorKind::NotFound => 127,
        Some(_) => 126,
    }
}

/// What an error says, in one line: each level's text, and a failed system call by its errno,
/// `ENOENT: No such file or directory`, which is the word to look up in a manual page.
pub fn message(error: &Error) -> String {
    let level = |cause: &(dyn std::error::Error + 'static)| {
        let code = cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        code.map_or_else(|| cause.to_string(), |code| Errno::from_raw(code).to_string())
    };
    error.chain().map(level).collect::<Vec<_>>().join(": ")
}
