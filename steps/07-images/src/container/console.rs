//! A terminal of the container's own (`-t`), and the host's side of it.
//!
//! The host's terminal is never passed in: a program that has it can type into it. The container
//! makes a pair of its own devpts, becomes the master's opposite, and sends the master out.

use std::io::{self, IsTerminal, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, read, setsid, write};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use step03_pid::{Isolation, Serve};

// ANCHOR: console
/// The container's side.
#[derive(Debug)]
pub struct Console {
    to_host: OwnedFd,
}

impl Isolation for Console {
    fn in_container(&self) -> Result<()> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).context("cannot open /dev/ptmx")?;
        unlockpt(&master).context("cannot unlock the terminal")?;
        // By the master and not by its name, which somebody could have swapped (CVE-2025-52565).
        let slave = ioctl_tiocgptpeer(&master, flags).context("cannot open the terminal")?;
        setsid().context("cannot start a session")?;
        ioctl_tiocsctty(&slave).context("cannot take the terminal as the controlling one")?;
        send(&self.to_host, &master)?;
        dup2_stdin(&slave)
            .and(dup2_stdout(&slave))
            .and(dup2_stderr(&slave))
            .context("cannot use the terminal")
    }
}
// ANCHOR_END: console

/// A descriptor travels beside one byte of data (`man 7 unix`, SCM_RIGHTS).
fn send(socket: &OwnedFd, descriptor: &OwnedFd) -> Result<()> {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    message.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[io::IoSlice::new(b"t")], &mut message, SendFlags::NOSIGNAL)
        .context("cannot send the terminal to the host")?;
    Ok(())
}

fn receive(socket: &OwnedFd) -> Result<OwnedFd> {
    let (mut byte, mut space) = ([0], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut data = [io::IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut data, &mut message, RecvFlags::CMSG_CLOEXEC)
        .context("cannot receive the terminal")?;
    for part in message.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = part {
            return descriptors.next().context("the container sent no terminal");
        }
    }
    bail!("the container sent no terminal")
}

/// The host's side: what is typed goes in, what is printed comes out. Dropped, the host's
/// terminal is as it was.
#[derive(Debug)]
pub struct Terminal {
    from_container: OwnedFd,
    master: Option<OwnedFd>,
    input: bool,
    stdin: io::Stdin,
    typed: Vec<u8>,
    before: Option<Termios>,
}

/// Both sides. With `input`, what is typed is passed in.
///
/// # Errors
/// EMFILE, ENFILE: no descriptor is free.
pub fn console(input: bool) -> Result<(Console, Terminal)> {
    let (to_host, from_container) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
            .context("cannot make a socket pair")?;
    let terminal =
        Terminal { from_container, master: None, input, stdin: io::stdin(), typed: Vec::new(), before: None };
    Ok((Console { to_host }, terminal))
}

impl Terminal {
    /// Takes over, once the container is complete: receives the master, and lets every key
    /// through as it is, ^C among them.
    ///
    /// # Errors
    /// The container sent nothing, or the host's terminal cannot be set.
    pub fn begin(&mut self) -> Result<()> {
        let master = receive(&self.from_container)?;
        let flags = OFlag::from_bits_retain(fcntl(&master, FcntlArg::F_GETFL)?);
        fcntl(&master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        self.master = Some(master);
        self.resize();
        if self.input && io::stdin().is_terminal() {
            let before = tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(io::stdin(), OptionalActions::Drain, &raw).context("cannot set the terminal")?;
            self.before = Some(before);
        }
        Ok(())
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
