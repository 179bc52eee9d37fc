//! The engine: how a container is born.
//!
//! ```text
//!   host                                  container
//!    ├─────────────── clone3 ───────────────┐     born in all its namespaces at once
//!    on_host                                arms the parent-death signal, waits
//!    ├───────────────── go ────────────────>┤
//!    waits                                  in_container; arms the signal again
//!    ├<─────────────── ready ───────────────┤     or, at any time, the text of an error
//!    observes, records, hands out the pid   waits: complete, not yet exec'd
//!    ├───────────────── go ────────────────>┤
//!    ├<─── an error's text, or end of file ─┤     CLOEXEC closed it: the command runs
//! ```
//!
//! All of the workshop's `unsafe` code is in this file.

use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid};
use step01_unshare::{Namespaces, hint};

use crate::channel::{Channel, Heard};
use crate::container::Walls;
use crate::exec::exec;
use crate::init::init;
use crate::running::Child;
use crate::{Container, Failed, Last, Running, Signals};

const GO: &[u8] = b"go";
const READY: &[u8] = b"ready";

// ANCHOR: host
/// A container that is complete and waits for its second go. Dropped, it is gone.
#[derive(Debug)]
pub struct Created {
    // In this order they are dropped: the child first, then its walls.
    child: Child,
    walls: Walls,
    channel: Channel,
    signals: Signals,
}

/// The host's side of the dialogue, up to `ready`.
pub(crate) fn create(container: Container, last: Last) -> Result<Created> {
    refuse_threads()?;
    // A signal must not end this side between two lines: it is looked at where we wait.
    let signals = Signals::block()?;
    let (ours, theirs) = Channel::pair()?;
    // What is still in the buffer would be written twice.
    std::io::stdout().flush().context("cannot write to the standard output")?;

    let namespaces = container.namespaces();
    let Some(child) = clone3(namespaces).map_err(|errno| explain(namespaces, errno))? else {
        drop(ours);
        container_side(&container, last, &theirs, &signals)
    };
    drop(theirs);

    let mut created = Created { child, walls: container.walls, channel: ours, signals };
    for wall in &mut created.walls.0 {
        wall.on_host(created.child.pid)?;
    }
    for isolation in container.process {
        created.walls.0.push(isolation);
    }
    created.channel.say(GO);
    created.hear_ready()?;
    Ok(created)
}

impl Created {
    /// The container's process id as the host sees it.
    pub fn pid(&self) -> Pid {
        self.child.pid
    }

    /// Lets the container run its command.
    ///
    /// # Errors
    /// [`Failed`] with code 126 or 127 if the command cannot be run, 125 if the last
    /// preparation for it failed.
    pub fn start(mut self) -> Result<Running> {
        self.channel.say(GO);
        match self.channel.hear(&self.signals)? {
            Heard::End => Ok(Running::new(self.child, self.walls, self.signals)),
            Heard::Word(text) => Err(self.failed(&text)),
            Heard::Signal(signal) => Err(Failed::by(signal)),
        }
    }

    fn hear_ready(&mut self) -> Result<()> {
        match self.channel.hear(&self.signals)? {
            Heard::Word(word) if word == READY => Ok(()),
            Heard::Word(text) => Err(self.failed(&text)),
            Heard::Signal(signal) => Err(Failed::by(signal)),
            Heard::End => {
                let end = self.child.wait_status()?;
                bail!("the container died while it was set up: {end}")
            }
        }
    }

    /// The container said what went wrong, and ends by itself: its exit code says how bad.
    fn failed(&mut self, text: &[u8]) -> anyhow::Error {
        match self.child.wait() {
            Ok(code) => Failed { code, text: String::from_utf8_lossy(text).into_owned() }.into(),
            Err(error) => error,
        }
    }
}
// ANCHOR_END: host

// ANCHOR: container_side
/// The container's side: does the work, or tells the host why not. It never returns: what is
/// dropped on the way back would be taken down twice.
fn container_side(container: &Container, last: Last, channel: &Channel, signals: &Signals) -> ! {
    // A panic's text goes to the host like any other error, and not to the screen from here.
    set_hook(Box::new(|_| {}));
    let work = AssertUnwindSafe(|| dialogue(container, last, channel, signals));
    let failed = match catch_unwind(work) {
        Ok(Ok(code)) => leave(code),
        Ok(Err(error)) => Failed::from(error),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Failed { code: 125, text: format!("the container's side panicked: {text}") }
        }
    };
    // An empty message would read as end of file.
    channel.say(if failed.text.is_empty() { b"failed" } else { failed.text.as_bytes() });
    leave(failed.code)
}

fn dialogue(container: &Container, last: Last, channel: &Channel, signals: &Signals) -> Result<u8> {
    die_with_parent()?;
    wait_for_go(channel)?;
    for wall in &container.walls.0 {
        wall.in_container()?;
    }
    // A change of ids has cleared it (man 2 PR_SET_PDEATHSIG).
    die_with_parent()?;
    channel.say(READY);
    wait_for_go(channel)?;

    if matches!(last, Last::Return) {
        // The isolations are the work, which may be long: ^C ends it.
        signals.restore();
    }
    for isolation in &container.process {
        isolation.in_container()?;
    }
    match last {
        Last::Return => Ok(0),
        Last::Exec(command) => Err(become_command(&command, signals)),
        Last::Init(command) => init(&command, signals),
    }
}

/// The last step of all. Whatever the host did to its own signals is undone first: a blocked
/// or ignored one would stay so in the command (`man 2 execve`).
pub(crate) fn become_command(command: &Command, signals: &Signals) -> anyhow::Error {
    let prepared = die_with_parent().and_then(|()| keep_descriptors_inside());
    if let Err(error) = prepared {
        return error;
    }
    signals.restore();
    restore_sigpipe();
    exec(command).into()
}

/// End of file instead of `go` means that the host is gone, and so is the reason to live.
fn wait_for_go(channel: &Channel) -> Result<()> {
    match channel.hear_word()? {
        Some(word) if word == GO => Ok(()),
        _ => leave(125),
    }
}

/// When the host dies, so does the container (`man 2 PR_SET_PDEATHSIG`). If the host died
/// before this line, the next word from it is end of file.
fn die_with_parent() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot arm the parent-death signal")
}

/// What the host had open would be open in the command too, and a folder that is open is a way
/// out of any root (CVE-2024-21626). The kernel closes all but 0, 1, 2 when the command runs.
fn keep_descriptors_inside() -> Result<()> {
    close_range(libc::CLOSE_RANGE_CLOEXEC).context("cannot mark the open descriptors")
}
// ANCHOR_END: container_side

/// A clone copies only the thread that calls: a lock that another one holds would never be
/// freed in the copy. A thread that was joined may take a moment to vanish.
fn refuse_threads() -> Result<()> {
    let mut threads = 0;
    for _ in 0..200 {
        threads = Path::new("/proc/self/task").read_dir().context("cannot read /proc/self/task")?.count();
        if threads == 1 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    bail!("cannot clone a process that has {threads} threads")
}

fn explain(namespaces: Namespaces, errno: Errno) -> anyhow::Error {
    let names: Vec<_> = namespaces.kinds().map(|kind| kind.name).collect();
    let way_out = hint(namespaces, errno).map(|text| format!("\n{text}")).unwrap_or_default();
    anyhow!("cannot clone a process into new namespaces ({}): {errno}{way_out}", names.join(", "))
}

// ANCHOR: clone3
/// Makes a child that is born in new namespaces (`man 2 clone3`); `None` in the child.
#[expect(unsafe_code, reason = "neither nix nor the C library has clone3")]
fn clone3(namespaces: Namespaces) -> Result<Option<Child>, Errno> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all fields are integers for which zero means "not asked for".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces.bits() | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM this is a fork: the child has a copy of all memory, and since
    // there is one thread only (`refuse_threads`), no lock in it is held by anybody else.
    // `args` and `pidfd` outlive the call; the kernel fills `pidfd` with a new descriptor.
    unsafe {
        match Errno::result(libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)))? {
            0 => Ok(None),
            pid => Ok(Some(Child::new(Pid::from_raw(pid as i32), OwnedFd::from_raw_fd(pidfd)))),
        }
    }
}
// ANCHOR_END: clone3

/// The plain fork of `init`.
#[expect(unsafe_code, reason = "fork copies a process in which other threads might hold locks")]
pub(crate) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the container's side was cloned from one thread and has started none.
    unsafe { nix::unistd::fork() }
}

/// Rust's own start-up ignores SIGPIPE, which `cat | head -1` relies on.
#[expect(unsafe_code, reason = "a signal handler could do anything; the default one does not")]
fn restore_sigpipe() {
    // SAFETY: SIG_DFL is no function of ours.
    let _ = unsafe { nix::sys::signal::signal(Signal::SIGPIPE, nix::sys::signal::SigHandler::SigDfl) };
}

/// Ends this process without running the destructors, which are the host's to run.
#[expect(unsafe_code, reason = "exit handlers and destructors belong to the host's copy")]
pub(crate) fn leave(code: u8) -> ! {
    // SAFETY: _exit has no precondition (man 2 _exit).
    unsafe { libc::_exit(code.into()) }
}

/// Closes the descriptors from 3 on, or with CLOSE_RANGE_CLOEXEC at exec (`man 2 close_range`).
#[expect(unsafe_code, reason = "nix has no close_range")]
pub(crate) fn close_range(flags: u32) -> Result<(), Errno> {
    // SAFETY: a caller that closes at once owns no descriptor any more; the call takes integers.
    Errno::result(unsafe { libc::close_range(3, u32::MAX, flags as i32) }).map(drop)
}

/// Sends a signal to exactly this process, also when its number has been given to another one
/// meanwhile (`man 2 pidfd_send_signal`).
#[expect(unsafe_code, reason = "nix has no pidfd_send_signal")]
pub(crate) fn send_signal(pidfd: &OwnedFd, signal: Signal) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open while it is borrowed; a null siginfo means "as kill does".
    Errno::result(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal as i32, no_info, 0)
    })
    .map(drop)
}
