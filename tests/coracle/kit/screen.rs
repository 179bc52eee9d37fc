//! A person at a terminal: types, reads, and looks at the settings afterwards.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::os::fd::AsFd;
use support::{Background, program, wait_until};

use super::LIMIT;

pub struct Screen {
    person: File,
    // As long as we hold it too, its settings can be read.
    terminal: OwnedFd,
    pub coracle: Background,
    /// Everything that was shown.
    pub shown: String,
    /// How much of that was read already.
    read: usize,
    before: Termios,
}

impl Screen {
    /// Starts a command at a terminal of this size, as the leader of its session. Nothing where that cannot be done;
    /// it is said.
    pub fn of(command: &Command, (rows, columns): (u16, u16)) -> Option<Self> {
        if !super::have(&[("setsid", "util-linux")]) {
            return None;
        }
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // Nobody inherits them: a window is closed when the last one who has the master has closed it.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&slave, size).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let mut setsid = Command::new(program("setsid").unwrap());
        setsid.arg("--ctty").arg(command.get_program()).args(command.get_args());
        setsid.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        setsid.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        setsid.envs(std::env::var_os("XDG_RUNTIME_DIR").map(|folder| ("XDG_RUNTIME_DIR", folder)));
        let end = || Stdio::from(slave.try_clone().unwrap());
        let coracle = Background::spawn(setsid.stdin(end()).stdout(end()).stderr(end())).unwrap();
        let person = File::from(master);
        Some(Self { person, terminal: slave, coracle, shown: String::new(), read: 0, before })
    }

    pub fn types(&mut self, keys: &str) {
        self.person.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, after what was waited for before.
    #[track_caller]
    pub fn shows(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            if let Some(at) = self.shown[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            assert!(start.elapsed() < LIMIT, "{text:?} is not shown: {:?}", self.shown);
            self.look(100);
        }
    }

    /// The size of the window changes, and the kernel tells whoever is in front.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.terminal, size).unwrap();
    }

    /// The window is closed: the kernel hangs the terminal up. What was started there is returned.
    pub fn close(self) -> Background {
        let Self { person, terminal, coracle, .. } = self;
        drop(terminal);
        drop(person);
        coracle
    }

    /// Waits for the end, and returns the exit code.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        let mut status = None;
        wait_until("coracle ends", LIMIT, || {
            self.look(1);
            status = self.coracle.child().try_wait().unwrap();
            status.is_some()
        });
        self.look(1);
        super::Ran::from(std::process::Output { status: status.unwrap(), stdout: vec![], stderr: vec![] })
            .code
    }

    pub fn settings(&self) -> Termios {
        tcgetattr(&self.terminal).unwrap()
    }

    /// Whether keys go to the program one by one, none of them with a meaning for the terminal.
    pub fn is_raw(&self) -> bool {
        !self.settings().local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    #[track_caller]
    pub fn assert_restored(&self) {
        assert_eq!(self.settings(), self.before);
    }

    fn look(&mut self, milliseconds: u16) {
        let mut ready = [PollFd::new(self.person.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(milliseconds)).unwrap() > 0 {
            let mut buffer = [0; 4096];
            let length = self.person.read(&mut buffer).unwrap_or(0);
            self.shown += &String::from_utf8_lossy(&buffer[..length]);
        }
    }
}
