//! Process 1, when the command is not: it reaps and forwards, and does nothing else.
//!
//! The kernel hands every orphan of a pid namespace to its process 1, and protects process 1
//! from each signal that it has no handler for. A command that expects neither is better off as
//! a child (`man 7 pid_namespaces`).

use std::io::{ErrorKind, IoSlice};
use std::os::fd::AsFd;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::uio::{RemoteIoVec, process_vm_writev};
use nix::unistd::{ForkResult, Pid};
use rustix::process::{WaitOptions, wait};

use crate::Signals;
use crate::channel::Channel;
use crate::engine::{become_command, die_with_host};
use crate::kernel::{close_all_but, fork};
use crate::running::exit_code;

// ANCHOR: init
/// Forks: the child becomes the command, this process becomes its init. Returns the command's
/// exit code; in the child it returns only if the command could not be run.
pub(crate) fn init(command: &Command, channel: &Channel, signals: &Signals) -> Result<u8> {
    // Before anybody else is there.
    forget_caller()?;
    // Otherwise the host's own binary could be read through /proc/1.
    prctl::set_dumpable(false).context("cannot become unreadable")?;
    match fork().context("cannot fork")? {
        ForkResult::Child => {
            // A child does not inherit it.
            die_with_host(channel)?;
            become_command(command, signals)
        }
        ForkResult::Parent { child } => {
            // What is left of the channel is the command's, so that its end of file says that the
            // command runs.
            close_all_but(&[]).context("cannot close the channel")?;
            let signals = Signals::block_with_children()?;
            forward_and_reap(child, &signals)
        }
    }
}

/// Writes over the words and the environment that the host was started with: whoever may look at all processes, as
/// root may, would read them in /proc/1/cmdline and /proc/1/environ (`man 5 proc_pid_stat`, fields 48 to 51). The
/// command has copies of its own.
fn forget_caller() -> Result<()> {
    let stat = match std::fs::read_to_string("/proc/self/stat") {
        // Where there is no /proc, nobody reads them there.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.context("cannot read /proc/self/stat")?,
    };
    // The second field is a name, which may have spaces and brackets in it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let places: Vec<usize> = fields.skip(45).take(4).filter_map(|field| field.parse().ok()).collect();
    let [words, words_end, variables, variables_end] = places[..] else {
        bail!("/proc/self/stat has no fields 48 to 51");
    };
    for (name, start, end) in [("init", words, words_end), ("", variables, variables_end)] {
        let mut text = vec![0; end.saturating_sub(start)];
        text.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        let place = RemoteIoVec { base: start, len: text.len() };
        // Not by /proc/self/mem: who has become another user may not open that.
        let written = process_vm_writev(Pid::this(), &[IoSlice::new(&text)], &[place])
            .context("cannot write over the environment")?;
        if written < text.len() {
            bail!("cannot write over the environment: {written} of {} bytes were written", text.len());
        }
    }
    Ok(())
}

fn forward_and_reap(command: Pid, signals: &Signals) -> Result<u8> {
    loop {
        // A child that ended before its signal was blocked is found without one.
        while let Some((pid, code)) = reap_one()? {
            if pid == command {
                return Ok(code);
            }
        }
        let mut ready = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("cannot wait for signals"),
        }
        while let Some(caught) = signals.next()? {
            if caught.signal != Signal::SIGCHLD && !caught.has_reached(command) {
                let _ = kill(command, caught.signal);
            }
        }
    }
}

/// One child that has ended and its exit code, of whatever process group; `None` while all others live.
fn reap_one() -> Result<Option<(Pid, u8)>> {
    let ended = wait(WaitOptions::NOHANG).context("cannot wait for children")?;
    Ok(ended.map(|(pid, status)| (Pid::from_raw(pid.as_raw_pid()), exit_code(status))))
}
// ANCHOR_END: init
