//! Those who are attached to a container.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use nix::poll::PollFlags;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::SndBuf;

use super::frames::{Frames, Kind, frame};

/// As much may wait for one who does not read, in bytes. Then the container has to wait too.
const PATIENCE: usize = 64 * 1024;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: Vec<Client>,
    hurried: bool,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    heard: Frames,
    to_say: Vec<u8>,
    /// How much of what it typed has not gone in yet, in bytes.
    typed: usize,
    hushed: bool,
    gone: bool,
}

// ANCHOR: clients
impl Clients {
    /// One more, who has connected or was there from the beginning.
    pub fn add(&mut self, stream: UnixStream) {
        if stream.set_nonblocking(true).is_ok() {
            let heard = Frames::default();
            let to_say = Vec::new();
            self.all.push(Client { stream, heard, to_say, typed: 0, hushed: false, gone: false });
        }
    }

    /// Lets in whoever waits.
    pub fn accept(&mut self, listener: &UnixListener) {
        while let Ok((stream, _)) = listener.accept() {
            self.add(stream);
        }
    }

    /// The container has ended: what it printed last is all that will come. The kernel keeps it for
    /// those who do not read just now, and they will find it when they do.
    pub fn hurry(&mut self) {
        self.hurried = true;
        for client in &self.all {
            let _ = setsockopt(&client.stream, SndBuf, &(1 << 20));
        }
    }

    /// Whether one of them has so much to read that the container must not print more.
    pub fn are_full(&self) -> bool {
        !self.hurried && self.all.iter().any(|client| client.to_say.len() > PATIENCE)
    }

    /// Tells all of them.
    pub fn tell(&mut self, kind: Kind, payload: &[u8]) {
        let text = frame(kind, payload);
        for client in &mut self.all {
            if !client.hushed || kind == Kind::Ended {
                client.to_say.extend(&text);
                client.say();
            }
        }
        self.all.retain(|client| !client.gone);
    }

    /// So much of what they typed has gone in: they may type as much again. Whose it was does not matter, as long as nobody
    /// gets more than he gave.
    pub fn taken(&mut self, mut count: usize) {
        for client in &mut self.all {
            let its = client.typed.min(count);
            if its > 0 {
                (client.typed, count) = (client.typed - its, count - its);
                client.to_say.extend(frame(Kind::Taken, &(its as u32).to_be_bytes()));
                client.say();
            }
        }
    }

    /// What to wait for. With `listen`, for what they say too.
    pub fn descriptors(&self, listen: bool) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let flags = |client: &Client| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, listen);
            flags.set(PollFlags::POLLOUT, !client.to_say.is_empty());
            flags
        };
        let all = self.all.iter().map(|client| (client.stream.as_fd(), flags(client)));
        // One who has left is told of, whether that is asked for or not, again and again.
        all.filter(|(_, flags)| !flags.is_empty()).collect()
    }

    /// Speaks and listens, as far as that is possible at once. Those who have left are forgotten.
    pub fn serve(&mut self, listen: bool) -> Vec<(Kind, Vec<u8>)> {
        let mut heard = Vec::new();
        for client in &mut self.all {
            client.say();
            if listen {
                client.listen(&mut heard);
            }
        }
        self.all.retain(|client| !client.gone);
        heard
    }

    /// Whether everything that was to be said has been.
    pub fn know_all(&self) -> bool {
        self.all.iter().all(|client| client.to_say.is_empty())
    }

    /// Their descriptors, for whoever goes on with them.
    pub fn into_descriptors(self) -> Vec<OwnedFd> {
        self.all.into_iter().map(|client| client.stream.into()).collect()
    }
}

impl Client {
    fn say(&mut self) {
        while !self.to_say.is_empty() {
            match self.stream.write(&self.to_say) {
                Ok(written) => drop(self.to_say.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    fn listen(&mut self, heard: &mut Vec<(Kind, Vec<u8>)>) {
        match self.heard.read_from(&mut self.stream) {
            Ok(true) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            // What he said before he left counts.
            Ok(false) | Err(_) => self.gone = true,
        }
        loop {
            match self.heard.take() {
                Ok(Some((Kind::Hush, _))) => self.hushed = true,
                Ok(Some((kind, payload))) => {
                    self.typed += if kind == Kind::Input { payload.len() } else { 0 };
                    heard.push((kind, payload));
                }
                Ok(None) => return,
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }
}
// ANCHOR_END: clients
