//! A terminal of the container's own (`-t`).
//!
//! The host's terminal is never passed in: a program that has it can type into it. The container
//! makes a pair of its own devpts, becomes the master's opposite, and sends the master out.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, bail};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use step03_pid::Isolation;

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
pub(super) fn send(socket: &OwnedFd, descriptor: &OwnedFd) -> Result<()> {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    message.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[io::IoSlice::new(b"t")], &mut message, SendFlags::NOSIGNAL)
        .context("cannot send a descriptor to the host")?;
    Ok(())
}

/// The end of the line by which the terminal comes out.
#[derive(Debug)]
pub struct Opposite(OwnedFd);

/// Both ends.
///
/// # Errors
/// EMFILE, ENFILE: no descriptor is free.
pub fn console() -> Result<(Console, Opposite)> {
    let (to_host, from_container) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
            .context("cannot make a socket pair")?;
    Ok((Console { to_host }, Opposite(from_container)))
}

impl Opposite {
    /// The master, once the container is complete.
    ///
    /// # Errors
    /// The container sent nothing.
    pub fn receive(self) -> Result<OwnedFd> {
        receive(&self.0)
    }
}

pub(super) fn receive(socket: &OwnedFd) -> Result<OwnedFd> {
    let (mut byte, mut space) = ([0], [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))]);
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut data = [io::IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut data, &mut message, RecvFlags::CMSG_CLOEXEC)
        .context("cannot receive a descriptor")?;
    for part in message.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = part {
            return descriptors.next().context("the container sent no descriptor");
        }
    }
    bail!("the container sent no descriptor")
}
