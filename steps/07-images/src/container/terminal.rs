//! The host's side of a terminal, for a process that ends with us: what `exec` runs.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::sys::signal::Signal;
use nix::unistd::{read, write};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use step03_pid::Serve;

/// The host's side: what is typed goes in, what is printed comes out. Dropped, the host's
/// terminal is as it was.
#[derive(Debug)]
pub struct Terminal {
    master: Option<OwnedFd>,
    input: bool,
    stdin: io::Stdin,
    typed: Vec<u8>,
    before: Option<Termios>,
}

impl Terminal {
    /// Takes over the master: every key is let through as it is, ^C among them. With `input`, what is
    /// typed is passed in.
    ///
    /// # Errors
    /// The host's terminal cannot be set.
    pub fn new(master: OwnedFd, input: bool) -> Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&master, FcntlArg::F_GETFL)?);
        fcntl(&master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let mut this =
            Self { master: Some(master), input, stdin: io::stdin(), typed: Vec::new(), before: None };
        this.resize();
        if input && io::stdin().is_terminal() {
            let before = tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(io::stdin(), OptionalActions::Drain, &raw).context("cannot set the terminal")?;
            this.before = Some(before);
        }
        Ok(this)
    }

    /// Both terminals have the same size. One without a size, 0×0, keeps its default.
    fn resize(&self) {
        if let Some(master) = &self.master
            && let Ok(size) = tcgetwinsize(io::stdout())
            && (size.ws_row, size.ws_col) != (0, 0)
        {
            let _ = tcsetwinsize(master, size);
        }
    }

    fn read_keys(&mut self) {
        let mut buffer = [0; 4096];
        match read(&self.stdin, &mut buffer) {
            Ok(0) | Err(Errno::EIO | Errno::EBADF) => {
                // What a person would do to end the input.
                self.typed.push(4);
                self.input = false;
            }
            Ok(length) => self.typed.extend(&buffer[..length]),
            Err(_) => {}
        }
    }

    fn copy_output(&mut self) {
        let Some(master) = &self.master else { return };
        let mut buffer = [0; 16 * 1024];
        match read(master, &mut buffer) {
            Ok(length) if length > 0 => {
                let mut output = io::stdout();
                // A reader who has gone does not end the container.
                let _ = output.write_all(&buffer[..length]).and_then(|()| output.flush());
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // EIO: the last one who had the terminal open has closed it.
            _ => self.master = None,
        }
    }
}

impl Serve for Terminal {
    fn descriptors(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let Some(master) = &self.master else { return Vec::new() };
        let writing = if self.typed.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
        let mut all = vec![(master.as_fd(), PollFlags::POLLIN | writing)];
        if self.input && self.typed.is_empty() {
            all.push((self.stdin.as_fd(), PollFlags::POLLIN));
        }
        all
    }

    fn serve(&mut self) -> Result<()> {
        if self.input && self.typed.is_empty() && readable(self.stdin.as_fd()) {
            self.read_keys();
        }
        if let Some(master) = &self.master
            && !self.typed.is_empty()
            && let Ok(written) = write(master, &self.typed)
        {
            self.typed.drain(..written);
        }
        self.copy_output();
        Ok(())
    }

    fn take(&mut self, signal: Signal) -> bool {
        if signal == Signal::SIGWINCH {
            self.resize();
        }
        signal == Signal::SIGWINCH
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}

fn readable(descriptor: BorrowedFd<'_>) -> bool {
    let mut ready = [nix::poll::PollFd::new(descriptor, PollFlags::POLLIN)];
    nix::poll::poll(&mut ready, nix::poll::PollTimeout::ZERO).is_ok_and(|count| count > 0)
}
