//! What a page leaves behind: processes, mounts, another host name. They are told, and then undone.
//!
//! As a subreaper (`man 2 PR_SET_CHILD_SUBREAPER`) we become the parent of every orphan below us, so that none gets
//! away; and only what descends from us is ever ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, gethostname, getpid, sethostname};

use super::person::is_real_root;

/// Processes may take this long to go away by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// The processes and mounts of a page, each with the line after which it was first seen.
pub struct Household {
    /// The terminals' own shells, which are ours to end.
    pub shells: Vec<Pid>,
    processes: BTreeMap<Pid, usize>,
    mounts_before: Vec<String>,
    mounts: BTreeMap<String, usize>,
    /// The name of the host, which root can change, and the line after which it had changed.
    name_before: OsString,
    renamed: Option<usize>,
}

/// A live process below us.
struct Process {
    pid: Pid,
    parent: Pid,
    zombie: bool,
}

/// Once for a run: orphans come to us, and root's mounts are made in a namespace of our own.
///
/// `/` is shared in there, as systemd has it, so that what leaks to the host on a reader's machine leaks here too.
pub fn prepare() -> Result<()> {
    set_child_subreaper(true).context("cannot become a subreaper")?;
    if is_real_root() {
        unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace for the sessions")?;
        for propagation in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | propagation, None::<&str>)
                .context("cannot change the propagation of /")?;
        }
    }
    Ok(())
}

impl Household {
    pub fn new() -> Self {
        Self {
            shells: Vec::new(),
            processes: BTreeMap::new(),
            mounts_before: mount_points(),
            mounts: BTreeMap::new(),
            name_before: host_name(),
            renamed: None,
        }
    }

    /// Notes what is new since the last look, for the command of `line`.
    pub fn look(&mut self, line: usize) {
        let alive = descendants();
        self.processes.retain(|pid, _| alive.iter().any(|process| process.pid == *pid));
        for process in alive.iter().filter(|process| !self.shells.contains(&process.pid)) {
            // A child is its parent's doing, also when it was born later.
            let line = self.processes.get(&process.parent).copied().unwrap_or(line);
            self.processes.entry(process.pid).or_insert(line);
        }
        let now = self.new_mounts();
        self.mounts.retain(|point, _| now.contains(point));
        for point in now {
            self.mounts.entry(point).or_insert(line);
        }
        self.renamed = (host_name() != self.name_before).then_some(self.renamed.unwrap_or(line));
    }

    /// Collects children that ended, as init does for a reader.
    pub fn bury(&self) {
        while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive)
        {
        }
    }

    /// What is still there at the end of the page: a line of the page and a text for each.
    pub fn left_behind(&mut self, last_line: usize) -> Vec<(usize, String)> {
        let start = Instant::now();
        while start.elapsed() < GRACE
            && descendants().iter().any(|process| !self.shells.contains(&process.pid))
        {
            std::thread::sleep(Duration::from_millis(20));
            self.bury();
        }
        self.look(last_line);
        let processes = self
            .processes
            .iter()
            .map(|(pid, line)| (*line, format!("left a process behind: {} (pid {pid})", command_of(*pid))));
        let mounts = self.mounts.iter().map(|(point, line)| (*line, format!("left a mount behind: {point}")));
        let name =
            self.renamed.map(|line| (line, format!("left the host with the name {}", host_name().display())));
        processes.chain(mounts).chain(name).collect()
    }

    /// Ends every process below us and undoes the page's mounts. An error if something withstands.
    pub fn clear(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            self.bury();
            let alive = descendants();
            if alive.is_empty() {
                break;
            }
            for process in alive {
                // A process that ended meanwhile is no error.
                let _ = kill(process.pid, Signal::SIGKILL);
            }
            if start.elapsed() > Duration::from_secs(5) {
                anyhow::bail!("processes of the page do not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for point in self.new_mounts().iter().rev() {
            umount2(point.as_str(), MntFlags::MNT_DETACH)
                .with_context(|| format!("cannot unmount {point}"))?;
        }
        if host_name() != self.name_before {
            sethostname(&self.name_before).context("cannot give the host its name back")?;
        }
        self.shells.clear();
        Ok(())
    }

    fn new_mounts(&self) -> Vec<String> {
        let mut before = self.mounts_before.clone();
        let is_new = |point: &String| match before.iter().position(|other| other == point) {
            Some(known) => {
                before.remove(known);
                false
            }
            None => true,
        };
        mount_points().into_iter().filter(is_new).collect()
    }
}

fn host_name() -> OsString {
    gethostname().unwrap_or_default()
}

/// All mount points of our namespace, in the order of mounting (`man 5 proc_pid_mountinfo`).
pub fn mount_points() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(|line| line.split(' ').nth(4)).map(|point| point.replace("\\040", " ")).collect()
}

/// Everything alive below us. Zombies wait for their own parents, and do no harm.
fn descendants() -> Vec<Process> {
    let all: Vec<Process> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| process(entry.ok()?.file_name().to_str()?))
        .collect();
    let mut below = vec![getpid()];
    loop {
        let more: Vec<Pid> = all
            .iter()
            .filter(|process| below.contains(&process.parent) && !below.contains(&process.pid))
            .map(|process| process.pid)
            .collect();
        if more.is_empty() {
            break;
        }
        below.extend(more);
    }
    all.into_iter()
        .filter(|process| process.pid != getpid() && below.contains(&process.pid) && !process.zombie)
        .collect()
}

/// Reads `/proc/<pid>/stat`: the name in brackets may hold anything, so what counts starts behind the last bracket.
fn process(name: &str) -> Option<Process> {
    let pid = Pid::from_raw(name.parse().ok()?);
    let text = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let zombie = fields.next()? == "Z";
    Some(Process { pid, parent: Pid::from_raw(fields.next()?.parse().ok()?), zombie })
}

fn command_of(pid: Pid) -> String {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> =
        words.split(|byte| *byte == 0).map(String::from_utf8_lossy).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}
