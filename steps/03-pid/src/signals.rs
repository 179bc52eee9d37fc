//! Signals to the host: caught while it waits, and passed on to the container.
//!
//! A signal that ends the host would run no destructor, and so leave behind what only the host
//! can remove. From here on the host blocks these signals and reads them like data.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getpgid, getpid, getsid};

use crate::Failed;
use crate::kernel::{by_default, is_ignored};

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
/// A process has one of these at a time: what a second one finds blocked would stay so in the
/// command.
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
    /// A terminal made it (^C, a closed window), and not a process.
    pub by_terminal: bool,
}

impl Signals {
    /// Blocks the signals from here on. Programs that the host starts inherit this: they end by
    /// SIGKILL or by the end of their input, and ^C does not take them from a living container.
    ///
    /// # Errors
    /// EMFILE, ENFILE: no descriptor is free.
    pub fn block() -> Result<Self> {
        Self::block_all(FORWARDED.into_iter())
    }

    /// The same with the news that a child has ended: what process 1 waits for.
    pub(crate) fn block_with_children() -> Result<Self> {
        Self::block_all(FORWARDED.into_iter().chain([Signal::SIGCHLD]))
    }

    fn block_all(signals: impl Iterator<Item = Signal>) -> Result<Self> {
        // Whoever started us may have ignored it: then no status of a child would reach us.
        by_default(Signal::SIGCHLD);
        // A signal that is ignored, as by `nohup`, would be kept for us as soon as it is blocked.
        let set: SigSet = signals.filter(|signal| !is_ignored(*signal)).collect();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let fd = SignalFd::with_flags(&set, flags).context("cannot make a signalfd")?;
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before)).context("cannot block signals")?;
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

    /// A signal that has arrived and wants the host to end.
    pub(crate) fn end_of_host(&self) -> Result<Option<Signal>> {
        while let Some(caught) = self.next()? {
            if !matches!(caught.signal, Signal::SIGCONT | Signal::SIGWINCH) {
                return Ok(Some(caught.signal));
            }
        }
        Ok(None)
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

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
// ANCHOR_END: signals

// ANCHOR: reached
impl Caught {
    /// Whether the terminal has sent it to `command` as well: whoever passes it on again makes it
    /// arrive twice. A terminal's signals go to all of a process group, but that it was closed is
    /// told to the leader of the session alone (`man 7 credentials`).
    pub(crate) fn has_reached(self, command: Pid) -> bool {
        let told_alone = self.signal == Signal::SIGHUP && getsid(None) == Ok(getpid());
        self.by_terminal && !told_alone && getpgid(Some(command)) == getpgid(None)
    }
}
// ANCHOR_END: reached

// ANCHOR: insisting
/// Somebody who wants to get out and is not heard: process 1 ignores what it does not expect, and ^C is such a thing.
#[derive(Debug, Default)]
pub struct Insisting {
    last: Option<Instant>,
    times: u8,
}

impl Insisting {
    /// Counts what was passed on. At the third request to end within a few seconds whoever passes it on ends himself, as
    /// Docker's client does.
    ///
    /// # Errors
    /// That is so, in Docker's words.
    pub fn note(&mut self, signal: Signal) -> Result<(), Failed> {
        if !matches!(signal, Signal::SIGINT | Signal::SIGTERM) {
            return Ok(());
        }
        let last = self.last.replace(Instant::now());
        let is_one_more = last.is_some_and(|last| last.elapsed() < Duration::from_secs(5));
        self.times = if is_one_more { self.times + 1 } else { 1 };
        match self.times < 3 {
            true => Ok(()),
            false => Err(Failed { code: 1, text: "got 3 SIGTERM/SIGINTs, forcefully exiting".into() }),
        }
    }
}
// ANCHOR_END: insisting
