//! What the monitor serves: log, terminal or pipes, and those who are attached.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, read, write};
use step03_pid::{Signals, inherited};

use super::Settings;
use super::clients::Clients;
use super::frames::{Kind, UNDER_WAY, resize};
use super::log::{self, Log};

/// Everything that the monitor serves.
pub(super) struct Served {
    pub signals: Signals,
    pub lock: Option<OwnedFd>,
    pub clients: Clients,
    pub log: Option<Log>,
    listener: Option<UnixListener>,
    outputs: Vec<(usize, File)>,
    terminal: Option<File>,
    input: Option<File>,
    input_once: bool,
    closing: bool,
    typed: Vec<u8>,
}

impl Served {
    pub fn new(settings: &Settings) -> Result<Self> {
        let open =
            |number: Option<RawFd>| number.map(inherited).transpose().context("a descriptor is missing");
        let file = |number| -> Result<Option<File>> {
            let Some(descriptor) = open(number)? else { return Ok(None) };
            let flags = OFlag::from_bits_retain(fcntl(&descriptor, FcntlArg::F_GETFL)?);
            fcntl(&descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
            Ok(Some(descriptor.into()))
        };
        let mut outputs = Vec::new();
        for (stream, number) in [settings.output, settings.error].into_iter().enumerate() {
            outputs.extend(file(number)?.map(|pipe| (stream, pipe)));
        }
        let terminal = file(settings.terminal)?;
        if let Some(terminal) = &terminal {
            outputs.push((0, terminal.try_clone().context("cannot duplicate a descriptor")?));
        }
        let mut clients = Clients::default();
        if let Some(client) = open(settings.client)? {
            clients.add(UnixStream::from(client));
        }
        let listener = open(settings.listener)?.map(UnixListener::from);
        if let Some(listener) = &listener {
            listener.set_nonblocking(true).context("cannot set a socket")?;
        }
        let directory = settings.root.join("containers").join(&settings.id);
        let path = log::path_in(&directory, &settings.id);
        let log = settings.log.map(|limits| Log::open(&path, limits));
        let mut this = Self {
            signals: Signals::block()?,
            lock: open(settings.lock)?,
            listener,
            clients,
            outputs,
            terminal,
            input: file(settings.input)?,
            input_once: settings.input_once,
            closing: false,
            typed: Vec::new(),
            log: log.transpose().with_context(|| format!("cannot write {}", path.display()))?,
        };
        // Whoever waits for the start finds everything in its place.
        this.clients.tell(Kind::Started, b"");
        Ok(this)
    }

    /// Until something is to be done.
    pub fn wait(&self, ended: Option<BorrowedFd<'_>>) -> Result<()> {
        let mut all = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        all.extend(ended.map(|ended| PollFd::new(ended, PollFlags::POLLIN)));
        all.extend(self.listener.as_ref().map(|listener| PollFd::new(listener.as_fd(), PollFlags::POLLIN)));
        for (descriptor, flags) in self.clients.descriptors(self.can_take_more()) {
            all.push(PollFd::new(descriptor, flags));
        }
        if !self.clients.are_full() {
            all.extend(self.outputs.iter().map(|(_, output)| PollFd::new(output.as_fd(), PollFlags::POLLIN)));
        }
        if let Some(input) = self.terminal.as_ref().or(self.input.as_ref())
            && !self.typed.is_empty()
        {
            all.push(PollFd::new(input.as_fd(), PollFlags::POLLOUT));
        }
        let limit = if ended.is_some() { PollTimeout::NONE } else { PollTimeout::from(100u8) };
        match poll(&mut all, limit) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno).context("cannot wait for the container"),
        }
    }

    /// Whoever keeps to [`UNDER_WAY`] is always listened to: he may have a signal to say. Several may type at once.
    fn can_take_more(&self) -> bool {
        self.typed.len() < 4 * UNDER_WAY
    }

    /// Does whatever can be done without waiting.
    pub fn serve(&mut self, child: Pid) {
        if let Some(listener) = &self.listener {
            self.clients.accept(listener);
        }
        for (kind, payload) in self.clients.serve(self.can_take_more()) {
            self.obey(child, kind, &payload);
        }
        self.pass_input();
        if !self.clients.are_full() {
            self.pass_output();
        }
    }

    fn obey(&mut self, child: Pid, kind: Kind, payload: &[u8]) {
        match (kind, payload) {
            (Kind::Input, typed) if self.terminal.is_some() || self.input.is_some() => {
                self.typed.extend(typed)
            }
            // Nobody reads it any more.
            (Kind::Input, typed) => self.clients.taken(typed.len()),
            // What a person would type to end the input.
            (Kind::Close, _) if self.input_once && self.terminal.is_some() => self.typed.push(4),
            (Kind::Close, _) if self.input_once => self.closing = true,
            (Kind::Resize, size) => {
                if let Some(terminal) = &self.terminal {
                    resize(terminal, size);
                }
            }
            (Kind::Signal, &[number]) => {
                if let Ok(signal) = Signal::try_from(i32::from(number)) {
                    let _ = kill(child, signal);
                }
            }
            _ => {}
        }
    }

    fn pass_input(&mut self) {
        let Some(input) = self.terminal.as_ref().or(self.input.as_ref()) else { return };
        if !self.typed.is_empty() {
            match write(input, &self.typed) {
                Ok(written) => {
                    self.typed.drain(..written);
                    self.clients.taken(written);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                // Nobody reads it any more.
                Err(_) => {
                    self.clients.taken(self.typed.len());
                    self.typed.clear();
                    self.input = None;
                }
            }
        }
        if self.closing && self.typed.is_empty() {
            self.input = None;
        }
    }

    fn pass_output(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let (clients, log) = (&mut self.clients, &mut self.log);
        self.outputs.retain(|(stream, output)| match read(output, &mut buffer) {
            Ok(length) if length > 0 => {
                clients.tell([Kind::Output, Kind::Error][*stream], &buffer[..length]);
                if let Some(log) = log {
                    // On a full disk the container goes on, and its log has a gap.
                    let _ = log.write(*stream, &buffer[..length]);
                }
                true
            }
            Err(Errno::EAGAIN | Errno::EINTR) => true,
            // The end, or EIO: nobody has the terminal open any more.
            _ => false,
        });
    }

    /// Whether nothing can be printed any more.
    pub fn has_ended(&self) -> bool {
        self.outputs.is_empty()
    }
}
