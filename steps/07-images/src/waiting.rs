//! A file of the caller's that may be one which does not wait by itself.
//!
//! Whoever started us may have set O_NONBLOCK on what it handed over, for its own sake: the flag belongs to the file
//! and not to a process (`man 2 fcntl`, F_SETFL). A full pipe then says EAGAIN instead of letting us wait, and what was to
//! be written would be lost. To take the flag away would be to change the caller's file; so we wait by ourselves.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// It is read and written as if it waited.
#[derive(Debug)]
pub(crate) struct Waiting(File);

impl Waiting {
    /// A copy of the descriptor.
    ///
    /// # Errors
    /// EMFILE: no descriptor is free.
    pub fn copy(of: impl AsFd) -> io::Result<Self> {
        Ok(Self(of.as_fd().try_clone_to_owned()?.into()))
    }

    fn until<T>(&self, flags: PollFlags, act: impl Fn(&File) -> io::Result<T>) -> io::Result<T> {
        loop {
            match act(&self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            match poll(&mut [PollFd::new(self.0.as_fd(), flags)], PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Whether nobody will ever read what is written here: a pipe says so before anything is written (`man 2 poll`, POLLERR).
pub(crate) fn nobody_reads(file: impl AsFd) -> bool {
    let mut ready = [PollFd::new(file.as_fd(), PollFlags::empty())];
    poll(&mut ready, PollTimeout::ZERO).is_ok()
        && ready[0].revents().is_some_and(|found| found.contains(PollFlags::POLLERR))
}

/// Whether the other end of a line was closed, as by the end of the process that had it (`man 2 poll`, POLLHUP).
pub(crate) fn other_end_has_gone(line: impl AsFd) -> bool {
    let mut ready = [PollFd::new(line.as_fd(), PollFlags::empty())];
    poll(&mut ready, PollTimeout::ZERO).is_ok()
        && ready[0].revents().is_some_and(|found| found.contains(PollFlags::POLLHUP))
}

impl Read for Waiting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let places = std::cell::RefCell::new(buffer);
        self.until(PollFlags::POLLIN, |mut file| file.read(&mut places.borrow_mut()))
    }
}

impl Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.until(PollFlags::POLLOUT, |mut file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::pipe;
    use std::time::Duration;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;

    #[test]
    fn pipe_that_does_not_wait_is_waited_for() {
        let (mut read, write) = pipe().unwrap();
        for end in [read.as_fd(), write.as_fd()] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        }
        // More than fits at once.
        let text = vec![b'x'; 1 << 20];
        let length = text.len();
        let writer = std::thread::spawn(move || Waiting::copy(&write).unwrap().write_all(&text));
        std::thread::sleep(Duration::from_millis(20));
        assert!(matches!(read.read(&mut [0; 1]), Ok(1)));
        let mut rest = Vec::new();
        Waiting::copy(&read).unwrap().read_to_end(&mut rest).unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(rest.len() + 1, length);
    }
}
