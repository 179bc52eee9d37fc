//! Pipes in place of the standard input, output and error.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};
use step03_pid::Isolation;

// ANCHOR: streams
/// The container's ends.
#[derive(Debug)]
pub struct Streams(Option<Ends>);

/// The host's ends.
#[derive(Debug)]
pub struct Ends {
    /// What is typed, if anything is passed in.
    pub input: Option<OwnedFd>,
    /// What is printed.
    pub output: OwnedFd,
    /// What is complained, if that has a way of its own.
    pub error: Option<OwnedFd>,
}

impl Isolation for Streams {
    fn on_host(&mut self, _: Pid) -> Result<()> {
        // The container has its copies. With ours open, nobody would ever read the end of file.
        self.0 = None;
        Ok(())
    }

    fn in_container(&self) -> Result<()> {
        let Some(ends) = &self.0 else { return Ok(()) };
        // In the caller's session, /dev/tty would be the caller's terminal.
        setsid().context("cannot start a session")?;
        if let Some(input) = &ends.input {
            dup2_stdin(input).context("cannot replace the standard input")?;
        }
        dup2_stdout(&ends.output)
            .and_then(|()| dup2_stderr(ends.error.as_ref().unwrap_or(&ends.output)))
            .context("cannot replace the standard output")
    }
}
// ANCHOR_END: streams

/// Both ends of all pipes. `together`: what is complained goes where the output goes, so that the two stay in order.
///
/// # Errors
/// EMFILE, ENFILE: no descriptor is free.
pub fn streams(input: bool, together: bool) -> Result<(Streams, Ends)> {
    let (output, output_inside) = new_pipe()?;
    let (error, error_inside) = some_pipe(!together)?;
    let (input_inside, input) = some_pipe(input)?;
    let inside = Ends { input: input_inside, output: output_inside, error: error_inside };
    Ok((Streams(Some(inside)), Ends { input, output, error }))
}

fn some_pipe(wanted: bool) -> Result<(Option<OwnedFd>, Option<OwnedFd>)> {
    if !wanted {
        return Ok((None, None));
    }
    new_pipe().map(|(read, write)| (Some(read), Some(write)))
}

/// Its reading and its writing end.
fn new_pipe() -> Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC).context("cannot make a pipe")?;
    // Images have links to /dev/stderr as their log, and open it as a user of their own.
    for end in [&read, &write] {
        fchmod(end.as_fd(), Mode::from_bits_truncate(0o666)).context("cannot open a pipe to all users")?;
    }
    Ok((read, write))
}
