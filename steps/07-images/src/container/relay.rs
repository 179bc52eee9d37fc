//! What a command in the foreground prints and reads, passed on by the process that waits for it.
//!
//! The caller's own files are never passed in: who has a descriptor opens the file behind it once more, by
//! /proc/self/fd, and in another way: the terminal to read what is typed, the log behind `>>` to empty it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Error, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use step03_pid::Serve;

use super::streams::{Streams, streams};
use crate::text::tell;

/// As much is under way at a time, in bytes: what a pipe holds.
const LOAD: usize = 64 * 1024;

/// The most that a pipe can hold, in loads (`man 7 pipe`, pipe-max-size).
const LOADS: usize = 16;

/// A pipe that can be written at all takes as much without waiting, in bytes (`man 7 pipe`, PIPE_BUF).
const PORTION: usize = 4096;

// ANCHOR: relay
/// The host's side.
#[derive(Debug)]
pub struct Relay {
    outputs: Vec<Passage>,
    input: Option<Passage>,
}

/// The container's side and the host's. What is not wanted of the output and of the errors is thrown away.
///
/// # Errors
/// EMFILE, ENFILE: no descriptor is free.
pub fn relay(input: bool, output: bool, error: bool) -> Result<(Streams, Relay)> {
    let (stdout, stderr) = (copy(&io::stdout())?, copy(&io::stderr())?);
    // In one file, or on one screen, they are read in the order in which they were written.
    let (inside, ends) = streams(input, output && error && are_one(&stdout, &stderr)?)?;
    let passage = |from, to| Passage { from, to, held: VecDeque::new() };
    let mut outputs = vec![passage(ours(ends.output)?, output.then_some(stdout))];
    if let Some(pipe) = ends.error {
        outputs.push(passage(ours(pipe)?, error.then_some(stderr)));
    }
    let input = ends.input.map(|pipe| Ok::<_, Error>(passage(copy(&io::stdin())?, Some(ours(pipe)?))));
    Ok((inside, Relay { outputs, input: input.transpose()? }))
}

impl Serve for Relay {
    fn descriptors(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        self.outputs.iter().chain(&self.input).map(Passage::waits_for).collect()
    }

    fn serve(&mut self) -> Result<()> {
        // Where nobody reads any more, the command learns of it as it would by itself: by SIGPIPE.
        self.outputs.retain_mut(Passage::pass);
        self.input.take_if(|input| !input.pass());
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.input = None;
        self.outputs.iter_mut().for_each(Passage::pass_all);
        Ok(())
    }
}
// ANCHOR_END: relay

// ANCHOR: passage
/// One way through the wall.
#[derive(Debug)]
struct Passage {
    from: File,
    to: Option<File>,
    held: VecDeque<u8>,
}

impl Passage {
    fn waits_for(&self) -> (BorrowedFd<'_>, PollFlags) {
        match &self.to {
            Some(to) if !self.held.is_empty() => (to.as_fd(), PollFlags::POLLOUT),
            _ => (self.from.as_fd(), PollFlags::POLLIN),
        }
    }

    fn is_ready(&self) -> bool {
        self.wait(PollTimeout::ZERO)
    }

    fn wait(&self, limit: PollTimeout) -> bool {
        let (descriptor, flags) = self.waits_for();
        poll(&mut [PollFd::new(descriptor, flags)], limit).is_ok_and(|count| count > 0)
    }

    /// What can be done without waiting. False: this way is closed.
    fn pass(&mut self) -> bool {
        if self.held.is_empty() && self.is_ready() && !self.read() {
            return false;
        }
        while !self.held.is_empty() && self.is_ready() {
            if !self.write() {
                return false;
            }
        }
        true
    }

    /// What is there, at the end, however long it takes. Others in there may print on: not more than a pipe holds.
    fn pass_all(&mut self) {
        for _ in 0..=LOADS {
            while !self.held.is_empty() {
                // The caller's file may be one that does not wait by itself (O_NONBLOCK).
                self.wait(PollTimeout::NONE);
                if !self.write() {
                    return;
                }
            }
            if !self.is_ready() || !self.read() {
                return;
            }
        }
    }

    fn read(&mut self) -> bool {
        let mut load = [0; LOAD];
        match self.from.read(&mut load) {
            Ok(0) => false,
            Ok(length) => {
                if self.to.is_some() {
                    self.held.extend(&load[..length]);
                }
                true
            }
            Err(error) => is_for_later(&error),
        }
    }

    fn write(&mut self) -> bool {
        let Some(to) = &mut self.to else { return false };
        let (held, _) = self.held.as_slices();
        match to.write(&held[..held.len().min(PORTION)]) {
            Ok(written) => drop(self.held.drain(..written)),
            Err(error) if is_for_later(&error) => {}
            Err(error) => {
                let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
                // Otherwise nobody reads it any more, or the window was closed.
                if !matches!(errno, Errno::EPIPE | Errno::EIO) {
                    tell(format_args!("coracle: cannot pass on what the command prints: {errno}"));
                }
                return false;
            }
        }
        true
    }
}
// ANCHOR_END: passage

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn copy(of: &impl AsFd) -> Result<File> {
    Ok(of.as_fd().try_clone_to_owned().context("cannot duplicate a descriptor")?.into())
}

fn are_one(one: &File, other: &File) -> Result<bool> {
    let number = |file: &File| file.metadata().map(|found| (found.dev(), found.ino()));
    Ok(number(one).context("cannot look at the standard output")?
        == number(other).context("cannot look at the standard error")?)
}

/// Our end of a pipe. Somebody in there may have taken what we were told of: then we do not wait for more.
fn ours(pipe: OwnedFd) -> Result<File> {
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("cannot set a pipe")?;
    Ok(pipe.into())
}
