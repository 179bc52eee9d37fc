//! The other end: whoever is attached to a container, by `run`, `start -a` or `attach`.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::read;
use step03_pid::{Failed, Insisting, Signals};

use super::SOCKET;
use super::detach::{DetachKeys, Typed};
use super::frames::{Frames, Kind, UNDER_WAY, frame};
use super::terminal::{Raw, print, terminal_size};

/// A connection to a container's monitor.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    heard: Frames,
}

/// What is passed between here and there.
#[derive(Debug, Clone)]
pub struct Attached {
    /// What is typed here.
    pub input: bool,
    /// What the container prints to its standard output,
    pub output: bool,
    /// and to its standard error.
    pub error: bool,
    /// Whether the container has a terminal.
    pub tty: bool,
    /// The keys that leave it running.
    pub detach_keys: DetachKeys,
    /// Whether signals to this process are passed on.
    pub signals: bool,
}

/// How it came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The container has ended, with this exit code, and all is cleaned up.
    Ended(u8),
    /// It runs on: by the keys for that,
    Detached,
    /// or since this signal wants us to end.
    Left(Signal),
}

impl Outcome {
    /// The exit code of whoever was attached.
    pub fn code(self) -> u8 {
        match self {
            Self::Ended(code) => code,
            Self::Detached => 0,
            Self::Left(signal) => 128 + signal as u8,
        }
    }
}

impl Client {
    /// The end of a socket pair whose other end the monitor has.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, heard: Frames::default() }
    }

    /// Connects to the monitor of the container that has this directory; nothing if there is none.
    ///
    /// # Errors
    /// The directory cannot be opened.
    pub fn connect(directory: &Path) -> Result<Option<Self>> {
        let what = || format!("cannot open {}", directory.display());
        let folder = open(directory, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).with_context(what)?;
        match UnixStream::connect(short(&folder)) {
            Ok(stream) => Ok(Some(Self::new(stream))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) => Err(error).context("cannot reach the container's monitor"),
        }
    }

    /// Says something to the monitor. Whether it has gone is found out by listening.
    pub fn say(&mut self, kind: Kind, payload: &[u8]) {
        let _ = self.stream.write_all(&frame(kind, payload));
    }

    // ANCHOR: started
    /// Waits until the command runs.
    ///
    /// # Errors
    /// It could not be run, for the reason that the monitor tells; or the monitor died.
    pub fn hear_started(&mut self) -> Result<()> {
        loop {
            match self.heard.take().context("cannot understand the monitor")? {
                Some((Kind::Started, _)) => return Ok(()),
                Some((Kind::Failed, told)) => {
                    let (code, text) = told.split_first().context("the monitor does not say why")?;
                    return Err(Failed { code: *code, text: String::from_utf8_lossy(text).into() }.into());
                }
                Some(_) => {}
                None if self.read()? => {}
                None => bail!("the container's monitor died"),
            }
        }
    }
    // ANCHOR_END: started

    /// Waits for the end and all that follows from it, and returns the exit code; nothing if the
    /// monitor died.
    ///
    /// # Errors
    /// The monitor cannot be heard or understood.
    pub fn wait(mut self) -> Result<Option<u8>> {
        self.say(Kind::Hush, b"");
        let mut code = None;
        loop {
            match self.heard.take().context("cannot understand the monitor")? {
                Some((Kind::Ended, told)) => code = told.first().copied(),
                Some(_) => {}
                None if self.read()? => {}
                None => return Ok(code),
            }
        }
    }

    fn read(&mut self) -> Result<bool> {
        loop {
            match self.heard.read_from(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                other => return other.context("cannot hear the container's monitor"),
            }
        }
    }

    // ANCHOR: attach
    /// Passes on what is typed and what is printed, until the container has ended or somebody
    /// leaves it.
    ///
    /// # Errors
    /// The monitor was killed, and the container with it.
    pub fn attach(&mut self, attached: &Attached) -> Result<Outcome> {
        let signals = Signals::block()?;
        // Dropped, the terminal is as it was.
        let raw = if attached.tty && attached.input { Raw::set()? } else { None };
        let mut typed = Typed::new(&attached.detach_keys);
        let mut input = attached.input;
        // So much of what was typed the container has not read yet.
        let mut under_way = 0usize;
        let (mut ended, mut insisting) = (None, Insisting::default());
        self.resize(attached);
        loop {
            while let Some((kind, payload)) = self.heard.take().context("cannot understand the monitor")? {
                match kind {
                    Kind::Output if attached.output => print(&io::stdout(), &payload)?,
                    Kind::Error if attached.error => print(&io::stderr(), &payload)?,
                    Kind::Ended => ended = payload.first().copied(),
                    Kind::Taken => under_way = under_way.saturating_sub(number(&payload)),
                    _ => {}
                }
            }
            let mut ready = vec![
                PollFd::new(self.stream.as_fd(), PollFlags::POLLIN),
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            ];
            let stdin = io::stdin();
            if input && ended.is_none() && under_way < UNDER_WAY {
                ready.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
            }
            match poll(&mut ready, PollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                other => other.context("cannot wait for the container")?,
            };
            let ready: Vec<_> = ready.iter().map(|fd| fd.any() == Some(true)).collect();
            if ready[0] && !self.read()? {
                let killed = || Failed { code: 137, text: "the container's monitor was killed".into() };
                return Ok(Outcome::Ended(ended.ok_or_else(killed)?));
            }
            while let Some(caught) = signals.next()? {
                match caught.signal {
                    Signal::SIGWINCH => self.resize(attached),
                    Signal::SIGCONT => {}
                    signal if attached.signals && !attached.tty => {
                        self.say(Kind::Signal, &[signal as u8]);
                        insisting.note(signal)?;
                    }
                    // The window was closed, or somebody wants us to go: the container stays.
                    signal => return Ok(Outcome::Left(signal)),
                }
            }
            if ready.get(2) == Some(&true) {
                let mut buffer = [0; 4096];
                match read(&stdin, &mut buffer) {
                    Ok(length) if length > 0 => {
                        let (keys, leave) = typed.keys(&buffer[..length], attached.tty);
                        self.say(Kind::Input, &keys);
                        under_way += keys.len();
                        if leave {
                            return Ok(Outcome::Detached);
                        }
                    }
                    Err(Errno::EINTR | Errno::EAGAIN) => {}
                    // Where each key is passed on, nobody can type an end: the window was closed, which may be
                    // seen before the signal comes.
                    _ if raw.is_some() => return Ok(Outcome::Left(Signal::SIGHUP)),
                    _ => {
                        self.say(Kind::Close, b"");
                        input = false;
                    }
                }
            }
        }
    }
    // ANCHOR_END: attach

    /// Both terminals have the same size.
    fn resize(&mut self, attached: &Attached) {
        if let Some(size) = terminal_size().filter(|_| attached.tty) {
            self.say(Kind::Resize, &size);
        }
    }
}

fn number(payload: &[u8]) -> usize {
    payload.try_into().map_or(0, u32::from_be_bytes) as usize
}

/// Makes the socket for those who attach.
///
/// # Errors
/// It is there already, or the directory cannot be written.
pub fn bind(directory: &Path) -> Result<UnixListener> {
    let what = || format!("cannot open {}", directory.display());
    let folder = open(directory, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).with_context(what)?;
    Ok(UnixListener::bind(short(&folder))?)
}

/// The socket's path by an open folder: the name of a socket has at most 107 bytes (`man 7 unix`).
pub(super) fn short(folder: &impl std::os::fd::AsRawFd) -> String {
    format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd())
}
