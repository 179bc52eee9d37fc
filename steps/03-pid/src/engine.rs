//! The engine: how a container is born.
//!
// ANCHOR: dialogue
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
// ANCHOR_END: dialogue

use std::io::Write;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use step01_unshare::{Namespaces, refused, why, why_no_namespaces};

use crate::causes::CLONE;
use crate::channel::{Channel, Heard};
use crate::container::Walls;
use crate::exec::exec;
use crate::init::init;
use crate::join::born_beside;
use crate::kernel::{by_default, clone3, close_all_but, leave, leave_keys};
use crate::running::Child;
use crate::{Container, Failed, Last, Running, Signals};

// ANCHOR: words
const GO: &[u8] = b"go";
const READY: &[u8] = b"ready";
// ANCHOR_END: words

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
    let born = match container.beside {
        None => clone3(namespaces).map_err(|errno| explain(namespaces, errno))?,
        Some(other) => born_beside(other)?,
    };
    let Some((pid, pidfd)) = born else {
        drop(ours);
        container_side(&container, last, &theirs, &signals)
    };
    drop(theirs);

    let mut walls = container.walls;
    walls.0.extend(container.process);
    let mut created = Created { child: Child::new(pid, pidfd), walls, channel: ours, signals };
    for wall in &mut created.walls.0 {
        let done = wall.on_host(pid);
        // Whatever the host wanted of a container that has died failed for that reason.
        if done.is_err() && created.channel.has_ended() {
            return Err(created.child.died_in_set_up());
        }
        done?;
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
        if let Some(signal) = self.signals.end_of_host()? {
            return Err(Failed::by(signal));
        }
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
            Heard::End => Err(self.child.died_in_set_up()),
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
    static PANIC: OnceLock<String> = OnceLock::new();
    set_hook(Box::new(|panic| drop(PANIC.set(panic.to_string()))));
    let work = AssertUnwindSafe(|| dialogue(container, last, channel, signals));
    let failed = match catch_unwind(work) {
        Ok(Ok(code)) => leave(code),
        Ok(Err(error)) => Failed::from(error),
        Err(_) => {
            let text = PANIC.get().map_or("panicked", String::as_str);
            Failed { code: 125, text: format!("the container's side {text}") }
        }
    };
    // An empty message would read as end of file.
    channel.say(if failed.text.is_empty() { b"failed" } else { failed.text.as_bytes() });
    leave(failed.code)
}

fn dialogue(container: &Container, last: Last, channel: &Channel, signals: &Signals) -> Result<u8> {
    die_with_host(channel)?;
    wait_for_go(channel)?;
    for wall in &container.walls.0 {
        wall.in_container()?;
    }
    die_with_host(channel)?;
    channel.say(READY);
    wait_for_go(channel)?;

    if matches!(last, Last::Return) {
        // The isolations are the work, which may be long: ^C ends it.
        signals.restore();
    } else {
        // As with descriptors: who possesses a key may use it. Before the isolations, of which the last may forbid this.
        leave_keys()?;
    }
    for isolation in &container.process {
        isolation.in_container()?;
    }
    die_with_host(channel)?;
    close_what_the_host_had_open(channel)?;
    // What the isolations printed would be lost: neither exec nor _exit writes it.
    std::io::stdout().flush().context("cannot write to the standard output")?;
    match last {
        Last::Return => Ok(0),
        Last::Exec(command) => become_command(&command, signals),
        Last::Init(command) => init(&command, channel, signals),
    }
}

/// The last step of all. Whatever the host did to its own signals is undone first: a blocked
/// or ignored one would stay so in the command (`man 2 execve`).
pub(crate) fn become_command(command: &Command, signals: &Signals) -> Result<u8> {
    signals.restore();
    // Rust ignores it from the start of each program, but `yes | head -1` relies on its work.
    by_default(Signal::SIGPIPE);
    // On success there is nobody left to return to.
    match exec(command)? {}
}

/// End of file instead of `go` means that the host is gone, and so is the reason to live.
fn wait_for_go(channel: &Channel) -> Result<()> {
    match channel.hear_word()? {
        Some(word) if word == GO => Ok(()),
        _ => leave(125),
    }
}

/// When the host dies, so does the container (`man 2 PR_SET_PDEATHSIG`). A change of ids disarms
/// this, so it is armed again after each part that may have made one. The host may have died
/// just before: then the channel has ended. Who the parent is tells nothing, since a parent
/// outside of the pid namespace has the number 0, alive or dead.
pub(crate) fn die_with_host(channel: &Channel) -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot arm the parent-death signal")?;
    if channel.has_ended() { leave(125) } else { Ok(()) }
}

/// What the host had open would be open in the command too, and a folder that is open is a way
/// out of any root (CVE-2024-21626). To let the kernel close it at exec would be too late: the
/// command itself may be named /proc/self/fd/9/bin/sh. Only the channel stays until then.
fn close_what_the_host_had_open(channel: &Channel) -> Result<()> {
    close_all_but(&[channel.as_raw_fd()]).context("cannot close the open descriptors")
}
// ANCHOR_END: container_side

// ANCHOR: threads
/// A clone copies only the thread that calls: a lock that another one holds would never be
/// freed in the copy. A thread that was joined may take a moment to vanish.
pub(crate) fn refuse_threads() -> Result<()> {
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
// ANCHOR_END: threads

// ANCHOR: explain
fn explain(namespaces: Namespaces, errno: Errno) -> anyhow::Error {
    let names: Vec<_> = namespaces.kinds().map(|kind| kind.name).collect();
    let why = why(CLONE, errno, &[]).or_else(|| why_no_namespaces(namespaces, errno));
    refused(&format!("cannot clone a process into new namespaces ({})", names.join(", ")), errno, why)
}
// ANCHOR_END: explain
