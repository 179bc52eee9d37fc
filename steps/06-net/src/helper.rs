//! A helper program that lives as long as a pipe to it is open.
//!
//! The kernel closes the pipe when we end, however we end: whoever reads from it then knows.

use std::io::{PipeReader, Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{AccessFlags, Pid, access};

// ANCHOR: helper
/// No helper may be silent for longer while it starts.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running helper: its input is the pipe, and what it prints is heard here.
#[derive(Debug)]
pub(crate) struct Helper {
    name: String,
    child: Child,
    output: PipeReader,
}

impl Helper {
    /// Starts the program. Standard output and standard error are one stream, unless it gets something else in place
    /// of the latter.
    pub(crate) fn start(command: &mut Command, error: Option<OwnedFd>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (output, writer) = pipe().context("cannot make a pipe")?;
        let also = match error {
            Some(error) => error,
            None => writer.try_clone().context("cannot make a pipe")?.into(),
        };
        let child = command
            .stdin(Stdio::piped())
            .stdout(writer)
            .stderr(also)
            .env("LC_ALL", "C")
            // ^Z stops all of our group: a helper that is stopped could not end when we do.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        // The command holds our copies of the writing end: without them, end of file is heard.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { name, child, output })
    }

    /// Writes to its standard input.
    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("the input is closed")?;
        input.write_all(text.as_bytes()).with_context(|| format!("cannot write to {}", self.name))
    }

    /// Listens until `enough` of what was printed, or until the end of it.
    pub(crate) fn hear(&mut self, enough: &dyn Fn(&str) -> bool) -> Result<String> {
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&heard);
            if enough(&text) {
                return Ok(text.into_owned());
            }
            let mut ready = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            let limit = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::NONE);
            if poll(&mut ready, limit).with_context(|| format!("cannot wait for {}", self.name))? == 0 {
                bail!("{} has not answered for {} seconds", self.name, PATIENCE.as_secs());
            }
            match self.output.read(&mut buffer).with_context(|| format!("cannot hear {}", self.name))? {
                0 => return Ok(text.into_owned()),
                length => heard.extend(&buffer[..length]),
            }
        }
    }

    /// Closes the pipe, which ends it, and waits until it is gone.
    pub(crate) fn end(&mut self) {
        self.let_go();
        // If somebody has stopped it, it goes on, and reads the end of file.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGCONT);
        let _ = self.child.wait();
    }

    /// Closes the pipe, and leaves it alone with its end.
    pub(crate) fn let_go(&mut self) {
        self.child.stdin = None;
    }
}
// ANCHOR_END: helper

// ANCHOR: program
/// Where a program is: in the folders of PATH, or in those of the administrator, which an
/// ordinary user's PATH may lack.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| access(file, AccessFlags::X_OK).is_ok())
}
// ANCHOR_END: program
