//! A container that runs: waiting for it, and what happens meanwhile.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::Signals;
use crate::container::Walls;
use crate::engine::send_signal;
use crate::signals::Caught;

// ANCHOR: running
/// A container whose command runs. Dropped, it is killed, and then its walls are taken down.
#[derive(Debug)]
pub struct Running {
    // In this order they are dropped: the child first, then its walls.
    child: Child,
    _walls: Walls,
    signals: Signals,
}

/// Something that the host serves while it waits, in the same loop: a terminal, a log.
pub trait Serve {
    /// The descriptors that it waits for, and what for: to be read, to be written.
    fn descriptors(&self) -> Vec<(BorrowedFd<'_>, PollFlags)>;

    /// Some of them are ready, or have been closed.
    ///
    /// # Errors
    /// Any error ends the waiting, and with it the container.
    fn serve(&mut self) -> Result<()>;

    /// A signal has arrived. Returns true if there is no need to pass it on.
    fn take(&mut self, signal: Signal) -> bool;
}

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
            if ready[2..].contains(&true)
                && let Some(served) = served.as_mut()
            {
                served.serve()?;
                continue;
            }
            if ready[1]
                && let Some(caught) = self.signals.next()?
            {
                let taken = served.as_mut().is_some_and(|served| served.take(caught.signal));
                if !taken {
                    self.child.pass_on(caught)?;
                }
                continue;
            }
            if ready[0] {
                return self.child.wait();
            }
        }
    }
}
// ANCHOR_END: running

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

    fn pass_on(&self, caught: Caught) -> Result<()> {
        if caught.by_terminal {
            return Ok(());
        }
        match send_signal(&self.pidfd, caught.signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno).context("cannot pass a signal on"),
        }
    }

    /// Waits for the end and returns the exit code, 128 + n for signal n.
    pub(crate) fn wait(&mut self) -> Result<u8> {
        Ok(match self.reap()? {
            WaitStatus::Exited(_, code) => code as u8,
            WaitStatus::Signaled(_, signal, _) => 128 + signal as u8,
            other => anyhow::bail!("cannot understand the wait status {other:?}"),
        })
    }

    /// Waits for the end and tells it in words.
    pub(crate) fn wait_status(&mut self) -> Result<String> {
        Ok(match self.reap()? {
            WaitStatus::Exited(_, code) => format!("it exited with code {code}"),
            WaitStatus::Signaled(_, signal, _) => format!("it was killed by {signal}"),
            other => format!("{other:?}"),
        })
    }

    fn reap(&mut self) -> Result<WaitStatus> {
        loop {
            if let Some(status) = self.ended {
                return Ok(status);
            }
            match waitpid(self.pid, None) {
                Ok(status) => self.ended = Some(status),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("cannot wait for the container"),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // It may have ended by itself meanwhile: then there is only its status to collect.
            let _ = send_signal(&self.pidfd, Signal::SIGKILL);
            let _ = self.reap();
        }
    }
}
