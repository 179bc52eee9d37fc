//! A container that runs: waiting for it, and what happens meanwhile.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Error, Result, anyhow};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rustix::process::{WaitOptions, WaitStatus, waitpid};

use crate::Signals;
use crate::container::Walls;
use crate::kernel::{keep_all_at_exec, send_signal};
use crate::signals::{Caught, Insisting};

// ANCHOR: running
/// A container whose command runs. Dropped, it is killed, and then its walls are taken down.
#[derive(Debug)]
pub struct Running {
    // In this order they are dropped: the child first, then its walls.
    child: Child,
    _walls: Walls,
    signals: Signals,
}
// ANCHOR_END: running

// ANCHOR: hand_over
impl Running {
    /// Becomes another program, which is the container's parent from now on: an exec changes
    /// neither the process id nor the children, and whatever is open stays so, the pipes that
    /// keep the helpers of the walls alive among it. Returns if that failed; then the container
    /// is killed.
    pub fn hand_over(self, program: &mut Command) -> Error {
        self.signals.restore();
        match keep_all_at_exec() {
            Ok(()) => Error::new(program.exec()).context("cannot hand the container over"),
            Err(error) => Error::new(error).context("cannot keep the descriptors open"),
        }
    }

    /// The command's process id as the host sees it.
    pub fn pid(&self) -> Pid {
        self.child.pid
    }
}
// ANCHOR_END: hand_over

// ANCHOR: serve
/// Something that the host serves while it waits, in the same loop: a terminal, a log.
pub trait Serve {
    /// The descriptors that it waits for, and what for: to be read, to be written. One that has
    /// been closed is left out from then on.
    fn descriptors(&self) -> Vec<(BorrowedFd<'_>, PollFlags)>;

    /// Some of them are ready, or have been closed.
    ///
    /// # Errors
    /// Any error ends the waiting, and with it the container.
    fn serve(&mut self) -> Result<()>;

    /// The command has ended: what it wrote last is there by now, and is served before the end is told.
    ///
    /// # Errors
    /// Those of [`Serve::serve`].
    fn finish(&mut self) -> Result<()>;
}
// ANCHOR_END: serve

// ANCHOR: wait
impl Running {
    pub(crate) fn new(child: Child, walls: Walls, signals: Signals) -> Self {
        Self { child, _walls: walls, signals }
    }

    /// Waits for the end of the command, passes signals on to it, and returns its exit code:
    /// its own, or 128 + n if signal n killed it.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn wait(&mut self) -> Result<u8> {
        self.wait_and_serve(None)
    }

    /// The same, and serves something meanwhile.
    ///
    /// # Errors
    /// Those of [`Serve::serve`].
    pub fn wait_and_serve(&mut self, mut served: Option<&mut dyn Serve>) -> Result<u8> {
        let mut insisting = Insisting::default();
        loop {
            let others = served.as_ref().map_or_else(Vec::new, |served| served.descriptors());
            let ours = [self.child.pidfd.as_fd(), self.signals.as_fd()].map(|fd| (fd, PollFlags::POLLIN));
            let all = ours.into_iter().chain(others);
            let mut ready: Vec<_> = all.map(|(fd, what_for)| PollFd::new(fd, what_for)).collect();
            match poll(&mut ready, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                other => other.context("cannot wait for the container")?,
            };
            let ready: Vec<_> = ready.iter().map(|fd| fd.any() == Some(true)).collect();
            let [ended, signal] = [ready[0], ready[1]];
            let others = ready[2..].contains(&true);
            // A command that prints without end must not keep signals waiting.
            if signal
                && let Some(caught) = self.signals.next()?
                && self.child.pass_on(caught)?
            {
                insisting.note(caught.signal)?;
            }
            if others && let Some(served) = served.as_mut() {
                served.serve()?;
            }
            if ended && !signal {
                if let Some(served) = served {
                    served.finish()?;
                }
                return self.child.wait();
            }
        }
    }
}
// ANCHOR_END: wait

// ANCHOR: child
/// A child process: killed and reaped when it is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: Pid,
    pidfd: OwnedFd,
    ended: Option<WaitStatus>,
}

impl Child {
    pub(crate) fn new(pid: Pid, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, ended: None }
    }

    /// False: it had it already.
    fn pass_on(&self, caught: Caught) -> Result<bool> {
        if caught.has_reached(self.pid) {
            return Ok(false);
        }
        match self.send(caught.signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(true),
            Err(errno) => Err(errno).context("cannot pass a signal on"),
        }
    }

    fn send(&self, signal: Signal) -> Result<(), Errno> {
        send_signal(&self.pidfd, signal as i32)
    }

    /// Waits for the end and returns the exit code.
    pub(crate) fn wait(&mut self) -> Result<u8> {
        self.reap().map(exit_code)
    }

    /// Waits for the end, where there should not have been one yet, and tells it in words.
    pub(crate) fn died_in_set_up(&mut self) -> Error {
        let status = match self.reap() {
            Ok(status) => status,
            Err(error) => return error,
        };
        let how = match status.terminating_signal().map(Signal::try_from) {
            Some(Ok(signal)) => format!("it was killed by {signal}"),
            Some(Err(_)) => format!("it was killed by signal {}", exit_code(status) - 128),
            None => format!("it exited with code {}", exit_code(status)),
        };
        anyhow!("the container died while it was set up: {how}")
    }

    fn reap(&mut self) -> Result<WaitStatus> {
        let pid = rustix::process::Pid::from_raw(self.pid.as_raw());
        loop {
            if let Some(status) = self.ended {
                return Ok(status);
            }
            match waitpid(pid, WaitOptions::empty()) {
                Ok(ended) => self.ended = ended.map(|(_, status)| status),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno).context("cannot wait for the container"),
            }
        }
    }
}

/// The exit code: its own, or 128 + n if signal n ended it, as shells have it.
pub(crate) fn exit_code(status: WaitStatus) -> u8 {
    let by_signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(by_signal).unwrap_or(125) as u8
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // It may have ended by itself meanwhile: then there is only its status to collect.
            let _ = self.send(Signal::SIGKILL);
            let _ = self.reap();
        }
    }
}
// ANCHOR_END: child
