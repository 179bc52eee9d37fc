//! Signals to the host: caught while it waits, and passed on to the container.
//!
//! A signal that ends the host would run no destructor, and so leave behind what only the host
//! can remove. From here on the host blocks these signals and reads them like data.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

// ANCHOR: signals
/// What is passed on: everything by which people and service managers speak to a process.
const FORWARDED: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCONT,
    Signal::SIGWINCH,
];

/// The signals of the host, blocked and readable (`man 2 signalfd`). Dropped, they are as before.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    before: SigSet,
}

/// A signal that has arrived.
#[derive(Debug, Clone, Copy)]
pub struct Caught {
    /// Which one.
    pub signal: Signal,
    /// A shared terminal made it (^C, a closed window), and sent it to the command as well:
    /// who passes it on again makes it arrive twice.
    pub by_terminal: bool,
}

impl Signals {
    /// Blocks the signals from here on.
    ///
    /// # Errors
    /// EMFILE, ENFILE: no descriptor is free.
    pub fn block() -> Result<Self> {
        Self::block_all(FORWARDED.into_iter().collect())
    }

    /// The same with the news that a child has ended: what process 1 waits for.
    pub(crate) fn block_with_children() -> Result<Self> {
        Self::block_all(FORWARDED.into_iter().chain([Signal::SIGCHLD]).collect())
    }

    fn block_all(set: SigSet) -> Result<Self> {
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before)).context("cannot block signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let fd = SignalFd::with_flags(&set, flags).context("cannot make a signalfd")?;
        Ok(Self { fd, before })
    }

    /// The next signal that waits, if there is one.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn next(&self) -> Result<Option<Caught>> {
        let Some(info) = self.fd.read_signal().context("cannot read a signal")? else {
            return Ok(None);
        };
        let signal = Signal::try_from(info.ssi_signo as i32).context("a signal without a name")?;
        Ok(Some(Caught { signal, by_terminal: info.ssi_code == libc::SI_KERNEL }))
    }

    /// Gives back the mask that was there before: for the container's side, which has a copy.
    pub(crate) fn restore(&self) {
        // The only error is EINVAL, for a wrong first argument.
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.restore();
    }
}
// ANCHOR_END: signals

impl Caught {
    /// Whether a process that does nothing about it would end.
    pub(crate) fn ends_a_process(self) -> bool {
        !matches!(self.signal, Signal::SIGCHLD | Signal::SIGCONT | Signal::SIGWINCH)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
