//! A terminal of the page: a pty of its own with an interactive shell behind it.
//!
//! ```text
//!   this program                         bash, at the other end of the pty
//!    ├──────── PS1=@@1f3a.1@@ ────────────>┤     a prompt that nothing else prints
//!    ├<─────── @@1f3a.1@@ ─────────────────┤     at the prompt
//!    ├──────── whoami ────────────────────>┤     the pty does not echo
//!    ├<─────── coracle  @@1f3a.1@@ ────────┤     the output, and the prompt is back
//! ```
//! A shell that a command starts gets a prompt of its own in the same way, so that one knows which shell answers.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{Pid, fchown};

use super::interrupt;
use super::person::Person;

/// What a reader's terminal usually has.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// More than this many bytes at once are an endless loop, not an output.
const FLOOD: usize = 64 * 1024;

/// One pty, its shell, and what came out of it and was not looked at yet.
pub struct Terminal {
    pub master: File,
    pub shell: Pid,
    /// The prompt of the outer shell, of the shell inside it, and so on.
    pub levels: Vec<Level>,
    pub pending: Vec<u8>,
    /// When something came last.
    pub last: Instant,
    pub closed: bool,
}

/// A shell, known by its prompt.
pub struct Level {
    pub marker: String,
    /// The shell prints what is typed: it has a pty of its own, and no `stty` to turn that off.
    pub echoes: bool,
}

impl Terminal {
    /// Opens a pty and starts a shell on it, as `person`; it has no prompt of ours yet.
    ///
    /// setsid(1) makes the pty the controlling terminal of the shell, so that `^C` and job control work.
    pub fn open(person: &Person, folder: &std::path::Path) -> Result<Self> {
        let pty = openpty(&SIZE, None).context("cannot open a pty")?;
        let (master, slave) = (File::from(pty.master), pty.slave);
        fcntl(&master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).context("cannot close the pty on exec")?;
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("cannot make the pty non-blocking")?;
        let mut settings = tcgetattr(&slave).context("cannot read the settings of the pty")?;
        settings.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&slave, SetArg::TCSANOW, &settings).context("cannot turn off the echo of the pty")?;
        if let Some((uid, gid)) = person.change_to {
            fchown(&slave, Some(uid), Some(gid)).context("cannot give the pty to its user")?;
        }
        let shell = start_shell(person, folder, slave)?;
        Ok(Self {
            master,
            shell,
            levels: Vec::new(),
            pending: Vec::new(),
            last: Instant::now(),
            closed: false,
        })
    }

    /// Sends keys. A terminal that is gone is noticed when it is read.
    pub fn send(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        let start = Instant::now();
        while !bytes.is_empty() && start.elapsed() < Duration::from_secs(5) {
            match self.master.write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(5))
                }
                Err(_) => return,
            }
        }
    }

    /// Takes in what has come, without waiting; not more than a page could ever print.
    pub fn take_in(&mut self) {
        let mut bytes = [0; 4096];
        while !self.floods() {
            match self.master.read(&mut bytes) {
                Ok(length @ 1..) => {
                    self.pending.extend(&bytes[..length]);
                    self.last = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // EIO: nobody holds the other end any more.
                Ok(0) | Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    /// Whether so much has come that no page could print it.
    pub fn floods(&self) -> bool {
        self.pending.len() > FLOOD
    }

    /// The first prompt among what has come: its depth and what stands before it, which is taken out.
    pub fn take_prompt(&mut self) -> Option<(usize, String)> {
        let find =
            |marker: &str| self.pending.windows(marker.len()).position(|window| window == marker.as_bytes());
        let places =
            self.levels.iter().enumerate().filter_map(|(depth, level)| Some((find(&level.marker)?, depth)));
        let (place, depth) = places.min()?;
        let text = String::from_utf8_lossy(&self.pending[..place]).into_owned();
        self.pending.drain(..place + self.levels[depth].marker.len());
        Some((depth, text))
    }

    /// Takes out all that has come.
    pub fn take_all(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }

    /// Whether the terminal's own shell has ended.
    pub fn is_over(&self) -> bool {
        self.closed || nix::sys::signal::kill(self.shell, None).is_err()
    }

    /// Whether the outer shell is the one that keys go to (`man 3 tcgetpgrp`).
    pub fn shell_is_in_front(&self) -> bool {
        nix::unistd::tcgetpgrp(&self.master) == Ok(self.shell)
    }
}

fn start_shell(person: &Person, folder: &std::path::Path, slave: OwnedFd) -> Result<Pid> {
    let other = |fd: &OwnedFd| fd.try_clone().map(Stdio::from).context("cannot duplicate the pty");
    let mut shell = Command::new("setsid");
    shell.args(["--ctty", "bash", "--norc", "--noprofile", "--noediting", "-i"]);
    shell.env_clear().envs(person.environment.iter().cloned()).current_dir(folder);
    shell.stdin(other(&slave)?).stdout(other(&slave)?).stderr(other(&slave)?);
    if let Some((uid, gid)) = person.change_to {
        shell.uid(uid.as_raw()).gid(gid.as_raw());
    }
    drop(slave);
    let child = interrupt::spawn(&mut shell).context("no shell: setsid (util-linux) and bash are needed")?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

impl AsFd for Terminal {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.master.as_fd()
    }
}
