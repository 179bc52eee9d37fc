//! Netlink: how the kernel is asked for links, addresses and routes (`man 7 netlink`,
//! `man 7 rtnetlink`).
//!
//! ```text
// ANCHOR: dialogue
//!   we                                kernel
//!    ├── RTM_NEWLINK: a bridge ────────>┤     a header, a fixed part, attributes
//!    ├<──────────── NLMSG_ERROR: 0 ─────┤     done; otherwise a negative errno
//!    ├── RTM_GETLINK: called coracle0 ─>┤
//!    ├<──────────── RTM_NEWLINK: it ────┤     the same message as an answer
// ANCHOR_END: dialogue
//! ```
//!
//! A message begins with its length, type, flags, a number and the sender's port. An attribute
//! is its length, its kind and a value, padded to four bytes; the value may be attributes again.
//! All numbers are in the byte order of the machine.

use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};

// ANCHOR: message
/// One message without its header.
#[derive(Debug)]
pub(crate) struct Message {
    /// What is asked: `RTM_NEWLINK` …
    pub(crate) kind: u16,
    /// How: `CREATE`, `ACKNOWLEDGE` …
    pub(crate) flags: u16,
    /// The fixed part of this type, and the attributes behind it.
    pub(crate) body: Vec<u8>,
}

/// One attribute, ready to be appended to a body or to be nested in another one.
pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = (4 + value.len()) as u16;
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The value of the first attribute of this kind.
pub(crate) fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (length, kind) = (number(attributes, 0)?, number(attributes, 2)?);
        let value = attributes.get(4..length.into())?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(usize::from(length).next_multiple_of(4)..)?;
    }
}

/// The message is asked for, not reported.
pub(crate) const REQUEST: u16 = 0x1;
/// The kernel says so when it is done.
pub(crate) const ACKNOWLEDGE: u16 = 0x4;
/// Make what is not there, and refuse with EEXIST what is.
pub(crate) const CREATE: u16 = 0x200 | 0x400;
/// The kernel's answer to a request that asks for nothing: an errno, or zero.
const NLMSG_ERROR: u16 = 2;
const HEADER: usize = 16;
// ANCHOR_END: message

// ANCHOR: netlink
/// A conversation with the kernel about the network namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct Netlink(OwnedFd);

impl Netlink {
    pub(crate) fn open() -> Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
            .context("cannot open a netlink socket")?;
        // Port 0: the kernel chooses one for us, and answers to it.
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).context("cannot bind a netlink socket")?;
        Ok(Self(socket))
    }

    /// Asks for one thing and waits for the answer: its body, empty if there is nothing to say.
    pub(crate) fn ask(&self, message: &Message) -> Result<Vec<u8>, Errno> {
        send(self.0.as_raw_fd(), &message.bytes(), MsgFlags::empty())?;
        let mut answer = vec![0; 32 * 1024];
        let length = recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        answer.truncate(length);
        let body = answer.get(HEADER..).ok_or(Errno::EBADMSG)?;
        if number(&answer, 4) != Some(NLMSG_ERROR) {
            return Ok(body.to_vec());
        }
        let code = body.first_chunk().copied().map_or(-libc::EBADMSG, i32::from_ne_bytes);
        if code == 0 { Ok(Vec::new()) } else { Err(Errno::from_raw(-code)) }
    }
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        let length = (HEADER + self.body.len()) as u32;
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend((self.flags | REQUEST).to_ne_bytes());
        // One question at a time needs no number, and port 0 is filled in by the kernel.
        bytes.extend([0; 8]);
        bytes.extend(&self.body);
        bytes
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
// ANCHOR_END: netlink

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_found_again() {
        let attributes = [attribute(3, b"eth0\0"), attribute(4, &1500_u32.to_ne_bytes())].concat();
        assert_eq!(attributes.len(), 12 + 8);
        assert_eq!(find(&attributes, 3), Some(&b"eth0\0"[..]));
        assert_eq!(find(&attributes, 4), Some(&1500_u32.to_ne_bytes()[..]));
        assert_eq!(find(&attributes, 5), None);
    }

    #[test]
    fn damaged_attributes_end_the_search() {
        for damaged in [&[][..], &[0, 0, 0, 0], &[3, 0, 3, 0], &[200, 0, 3, 0, 1], &[8, 0, 1]] {
            assert_eq!(find(damaged, 3), None, "{damaged:?}");
        }
    }
}
