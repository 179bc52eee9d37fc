//! `^C` in front of this program: processes and folders that it has made go first, then the program ends.

use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGINT, SIGTERM and SIGHUP, as a descriptor (`man 2 signalfd`).
pub struct Interrupt(SignalFd);

impl Interrupt {
    pub fn new() -> Result<Self> {
        signals().thread_block().context("cannot block signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let fd = SignalFd::with_flags(&signals(), flags).context("cannot make a signalfd")?;
        Ok(Self(fd))
    }

    /// An error if a signal came.
    pub fn check(&self) -> Result<()> {
        match self.0.read_signal() {
            Ok(Some(_)) => bail!("interrupted"),
            _ => Ok(()),
        }
    }
}

/// Starts a child that can be interrupted itself: it would inherit that these signals are blocked.
pub fn spawn(command: &mut Command) -> Result<Child> {
    signals().thread_unblock().context("cannot unblock signals")?;
    let child = command.spawn();
    signals().thread_block().context("cannot block signals")?;
    child.with_context(|| format!("cannot run {}", command.get_program().display()))
}

fn signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect()
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
