//! One container's record.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Error, Result, ensure};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use super::recipe::WORDS;
use crate::container::MountPoint;
use crate::digest::Digest;
use crate::names::is_id;
use crate::store::this_boot;

/// What is known about a container but its state, in its directory.
pub(super) const CONFIG: &str = "config.json";

// ANCHOR: record
/// What is known about a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The image, as it was asked for.
    pub image: String,
    /// The image's id: the digest of its config.
    pub image_id: Digest,
    /// The chain ids of the image's layers, the lowest first: they may not be removed.
    pub layers: Vec<Digest>,
    /// The command with its arguments, as it is run.
    pub command: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: f64,
    /// Whether it is removed when it ends.
    pub remove: bool,
    /// The image's labels, and those that were asked for.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What is mounted in it: volumes among them.
    #[serde(default)]
    pub mounts: Vec<MountPoint>,
    /// How it is connected, as it was asked for: `default`, `host`, `container:ID` …
    #[serde(default)]
    pub network: String,
    /// Its host name.
    #[serde(default)]
    pub hostname: String,
    /// Whether it was run in the background: then its input does not end with the first who leaves.
    #[serde(default)]
    pub detached: bool,
    /// Kept in a file of its own, since it changes.
    #[serde(skip)]
    pub state: State,
}

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
// ANCHOR_END: record

impl Record {
    /// Reads both files. One that is missing or makes no sense is an error; but a container that was made to its end, and
    /// of which only the state is lost, has files that are somebody's work.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let mut record: Self = read(&directory.join(CONFIG))?;
        // It becomes a part of paths, and the beginning of it is shown.
        ensure!(
            is_id(&record.id) && directory.ends_with(&record.id),
            "{} is of another container",
            record.id
        );
        record.state = match read(&directory.join("state.json")) {
            Err(error) if Self::is_none(&error) && directory.join(WORDS).exists() => {
                State::lost(record.created)
            }
            state => state?,
        };
        Ok(record)
    }

    /// Whether this is the error of one that never was a record, or is none any more; and not of one that cannot be read
    /// just now.
    pub(super) fn is_none(error: &Error) -> bool {
        let absent = |cause: &(dyn std::error::Error + 'static)| {
            let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            matches!(kind, Some(ErrorKind::NotFound | ErrorKind::NotADirectory))
        };
        is_nonsense(error) || error.chain().any(absent)
    }

    pub(crate) fn write_config(&self, directory: &Path) -> Result<()> {
        write(&directory.join(CONFIG), &serde_json::to_vec(self)?)
    }

    pub(crate) fn write_state(&self, directory: &Path) -> Result<()> {
        write(&directory.join("state.json"), &serde_json::to_vec(&self.state)?)
    }
}

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
    fn lost(created: f64) -> Self {
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

/// Whether it is there and cannot be understood.
pub(super) fn is_nonsense(error: &Error) -> bool {
    error.chain().any(|cause| cause.is::<serde_json::Error>())
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))
}

/// Whole or not at all: a reader sees the old file or the new one.
fn write(file: &Path, text: &[u8]) -> Result<()> {
    let half = file.with_extension("new");
    let written = match fs::write(&half, text).and_then(|()| fs::rename(&half, file)) {
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            let _ = fs::remove_file(&half);
            match in_its_place(file, text) {
                // There is no old one: what is wrong is that the disk is full.
                Err(absent) if absent.kind() == ErrorKind::NotFound => Err(error),
                other => other,
            }
        }
        other => other,
    };
    written.with_context(|| format!("cannot write {}", file.display()))
}

/// On a full disk there is no room for a second file, and the old one has room already. The end of a container
/// is worth it: its own log may be what has filled the disk.
fn in_its_place(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).open(file)?;
    file.write_all(text)?;
    file.set_len(text.len() as u64)
}
