//! The small program that stays: the loop, and what it does at the end.

use std::convert::Infallible;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, WaitId, WaitIdOptions, WaitOptions, pidfd_open, waitid, waitpid};
use step03_pid::inherited;

use super::Settings;
use super::frames::Kind;
use super::served::Served;

/// How long the output may last after the end of the container, and those who are attached may
/// take to read it: nobody in there is alive any more.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The whole program.
pub fn main() -> ExitCode {
    let outcome = Settings::read(std::env::args_os().skip(1)).and_then(|settings| keep(&settings));
    // Its standard error leads nowhere, unless a person has started it.
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "coracle-monitor: {error:#}");
            ExitCode::from(125)
        }
    }
}

// ANCHOR: keep
/// Stays until the container has ended, and returns its exit code, if there is nothing more to do.
fn keep(settings: &Settings) -> Result<u8> {
    let mut monitor = Served::new(settings)?;
    let child = Pid::from_raw(settings.pid);
    let ended =
        pidfd_open(number(child)?, PidfdFlags::empty()).context("cannot open the container's process")?;
    let mut deadline = None;
    loop {
        let is_over = monitor.has_ended() && monitor.clients.know_all();
        if deadline.is_some_and(|deadline| is_over || Instant::now() >= deadline) {
            break;
        }
        monitor.wait(deadline.is_none().then_some(ended.as_fd()))?;
        while let Some(caught) = monitor.signals.next()? {
            // It has not been waited for, so the number is still its own.
            if deadline.is_none() {
                let _ = kill(child, caught.signal);
            }
        }
        monitor.serve(child);
        if deadline.is_none() && has_ended(child)? {
            deadline = Some(Instant::now() + LAST_WORDS);
            monitor.clients.hurry();
        }
    }
    if let Some(log) = &mut monitor.log {
        let _ = log.end();
    }
    let code = code(child)?;
    monitor.clients.tell(Kind::Ended, &[code as u8]);
    if let (Some(coracle), Some(lock)) = (settings.coracle, monitor.lock.take()) {
        end(settings, monitor, coracle, lock, code)?;
    }
    Ok(code as u8)
}

/// Whether it has, without taking its status: until then nobody else gets its number.
fn has_ended(child: Pid) -> Result<bool> {
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(number(child)?), flags).context("cannot ask for the container")?;
    Ok(status.is_some())
}

/// Its exit code, or 128 and the signal that ended it: one without a name as well (`man 7 signal`, real-time signals).
fn code(child: Pid) -> Result<i32> {
    let ended =
        waitpid(Some(number(child)?), WaitOptions::empty()).context("cannot wait for the container")?;
    let status = ended.context("the container has not ended")?.1;
    let by_signal = status.terminating_signal().map(|signal| 128 + signal);
    Ok(status.exit_status().or(by_signal).unwrap_or(125))
}

fn number(child: Pid) -> Result<rustix::process::Pid> {
    rustix::process::Pid::from_raw(child.as_raw()).context("pid=0")
}

/// Becomes `coracle` again, which writes the end down and cleans up. Of all that is open it gets
/// the lock, and those who want to know when all is done. The rest is closed by the exec, and so the
/// walls' helpers end.
fn end(settings: &Settings, monitor: Served, coracle: RawFd, lock: OwnedFd, code: i32) -> Result<Infallible> {
    close_all_at_exec()?;
    let clients = monitor.clients.into_descriptors();
    for client in &clients {
        fcntl(client, FcntlArg::F_SETFD(FdFlag::empty())).context("cannot keep a socket open")?;
    }
    let mut command = Command::new(format!("/proc/self/fd/{}", coracle));
    command.arg0(super::large()).arg("--root").arg(&settings.root).args(["monitor", &settings.id]);
    command.arg(format!("--ended={code}"));
    command.args(clients.iter().map(|client| format!("--client={}", client.as_raw_fd())));
    command.stdin(Stdio::null()).stdout(lock);
    Err(command.exec()).context("cannot become coracle again")
}
// ANCHOR_END: keep

/// Of all that is open, from 3 on, no program that is started from here on gets anything unasked.
pub(crate) fn close_all_at_exec() -> Result<()> {
    let entries = std::fs::read_dir("/proc/self/fd").context("cannot read /proc/self/fd")?;
    let numbers: Vec<RawFd> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for number in numbers {
        // Most of them have an owner here: only the flag is meant.
        if let Ok(descriptor) = inherited(number) {
            let _ = descriptor.into_raw_fd();
        }
    }
    Ok(())
}
