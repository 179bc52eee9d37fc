//! How far a container has come, and whether its first process is still the one that was started.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::store::this_boot;

// ANCHOR: state
/// How far a container has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// In one word.
    pub status: Status,
    /// Its process id on the host, while it runs.
    pub pid: Option<i32>,
    /// When that process was started, in the kernel's clock ticks since it was booted: the
    /// number may belong to another process later, but not with this time.
    pub start_time: Option<u64>,
    /// Since which start of the machine these two count: its boot id.
    #[serde(default)]
    pub boot: Option<String>,
    /// Its ports, while it runs: published ones, and those at which it only says that it listens.
    pub ports: Vec<String>,
    /// In seconds since 1970.
    pub started: Option<f64>,
    /// In seconds since 1970.
    pub finished: Option<f64>,
    /// The exit code, once it has ended.
    pub exit_code: Option<u8>,
    /// Why it could not be run, if so.
    pub error: String,
    /// Whether it was made to be started later, and never was: nobody holds it, and it stays.
    #[serde(default)]
    pub waits: bool,
    /// How often its restart policy has started it again.
    #[serde(default)]
    pub restarts: u32,
    /// How long it waited for the last of these starts, in seconds.
    #[serde(default)]
    pub wait: f64,
}

/// The words of `ps`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There is a record, and nothing has run.
    #[default]
    Created,
    /// The command runs.
    Running,
    /// It has ended, and will be started again.
    Restarting,
    /// It has ended.
    Exited,
}
// ANCHOR_END: state

impl State {
    /// It runs from now on, as this process.
    pub fn begin(pid: i32, ports: Vec<String>) -> Self {
        Self {
            ports,
            status: Status::Running,
            pid: Some(pid),
            start_time: start_time(pid),
            boot: this_boot().ok(),
            started: Some(now()),
            ..Self::default()
        }
    }

    /// Nobody knows how far it has come, as after a power cut: it does not run.
    pub(super) fn lost(created: f64) -> Self {
        let mut lost = Self { status: Status::Running, ..Self::default() };
        lost.end(137, "its state was lost, as by a power cut");
        // No later moment is known.
        lost.finished = Some(created);
        lost
    }

    /// Its process id, if the process of this id is still the one that was started.
    pub fn running_pid(&self) -> Option<i32> {
        self.pid.filter(|pid| self.start_time.is_some() && start_time(*pid) == self.start_time)
    }

    /// Its first process, while it is there. It is looked at after it has been taken hold of: the number alone could be
    /// anybody's by now.
    pub(crate) fn process(&self) -> Result<Option<OwnedFd>> {
        let Some(pid) = self.pid.and_then(Pid::from_raw) else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) if self.running_pid().is_some() => Ok(Some(process)),
            Ok(_) | Err(Errno::SRCH) => Ok(None),
            Err(errno) => Err(errno).context("cannot open the container's process"),
        }
    }

    /// A process of the container's that may be looked at from outside. Our init may not, and what it
    /// runs is its first child.
    pub fn open_pid(&self) -> Option<i32> {
        let pid = self.running_pid()?;
        match fs::read_link(format!("/proc/{pid}/ns/mnt")) {
            Ok(_) => return Some(pid),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            // It has ended, and nobody has collected its status yet.
            Err(_) => return None,
        }
        first_child(pid).or(Some(pid))
    }

    /// It has ended just now.
    pub fn end(&mut self, exit_code: u8, error: &str) {
        self.pid = None;
        self.ports.clear();
        self.finished = Some(now());
        self.exit_code = Some(exit_code);
        self.error = error.to_owned();
        // What never ran stays "created", as in Docker.
        if matches!(self.status, Status::Running | Status::Restarting) {
            self.status = Status::Exited;
        }
    }
}

/// The time, in seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Of a container with our init: what that runs.
pub(crate) fn first_child(pid: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// The 22nd field of /proc/PID/stat; the second, in parentheses, may have blanks in it (`man 5
/// proc_pid_stat`).
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
