//! The line between the two sides: one socket pair, on which each message arrives whole.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

use crate::Signals;

// ANCHOR: channel
/// No message is longer: an error's text is cut.
const LONGEST: usize = 16 * 1024;

/// What can happen while one side waits for the other.
pub(crate) enum Heard {
    /// A word, or the text of an error.
    Word(Vec<u8>),
    /// Somebody wants the host to end.
    Signal(Signal),
    /// The other side is gone, or has become the command.
    End,
}

/// One end. Both close themselves at exec.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Both ends. SOCK_SEQPACKET keeps the borders between messages (`man 7 unix`).
    pub(crate) fn pair() -> Result<(Self, Self)> {
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .context("cannot make a socket pair")?;
        Ok((Self(one), Self(other)))
    }

    /// Says a word. That the other side is gone is found out by listening.
    pub(crate) fn say(&self, word: &[u8]) {
        let word = &word[..word.len().min(LONGEST)];
        let _ = send(self.0.as_raw_fd(), word, MsgFlags::MSG_NOSIGNAL);
    }

    /// Waits for a word; `None` at end of file.
    pub(crate) fn hear_word(&self) -> Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; LONGEST];
        let length = self.receive(&mut buffer, MsgFlags::empty()).context("cannot hear the other side")?;
        buffer.truncate(length);
        Ok(if buffer.is_empty() { None } else { Some(buffer) })
    }

    /// Whether the other side is gone, and everything that it said has been heard.
    pub(crate) fn has_ended(&self) -> bool {
        self.look() == Ok(0)
    }

    /// Waits for a word or for a signal, whichever comes first.
    pub(crate) fn hear(&self, signals: &Signals) -> Result<Heard> {
        loop {
            let mut ready = [
                PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut ready, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                other => other.context("cannot wait for the container")?,
            };
            let has_signal = ready[1].any() == Some(true);
            // The signal is there, so that whatever is not here by now came after it. A signal to
            // a command that already runs must not be taken for one to its creation.
            if self.look() != Err(Errno::EAGAIN) {
                return Ok(self.hear_word()?.map_or(Heard::End, Heard::Word));
            }
            if has_signal && let Some(signal) = signals.end_of_host()? {
                return Ok(Heard::Signal(signal));
            }
        }
    }

    /// Looks without waiting: at the next word, the end of file, or EAGAIN.
    fn look(&self) -> Result<usize, Errno> {
        self.receive(&mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT)
    }

    /// The length of what was received, 0 at end of file (`man 2 recv`).
    fn receive(&self, buffer: &mut [u8], flags: MsgFlags) -> Result<usize, Errno> {
        loop {
            match recv(self.0.as_raw_fd(), buffer, flags) {
                // ECONNRESET is told once, when the other side has left without hearing all that
                // we said. What it said itself is still to be had.
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                other => return other,
            }
        }
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
// ANCHOR_END: channel
