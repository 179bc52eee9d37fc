//! Reading a container from outside, by what the kernel says in /proc (`man 5 proc`).
//!
//! Nothing here uses the steps' own reader: a test of the reader must not believe it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};
use nix::unistd::Pid;

/// The namespaces of a process: the name of each link in /proc/PID/ns, with its inode. Two
/// processes share a namespace if the inodes are equal (`man 7 namespaces`).
///
/// # Errors
/// If the process has ended, or is not ours to look at.
pub fn namespaces(pid: Pid) -> Result<BTreeMap<String, u64>> {
    let folder = format!("/proc/{pid}/ns");
    let mut inodes = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let entry = entry?;
        let inode = fs::metadata(entry.path())
            .with_context(|| format!("cannot follow {}", entry.path().display()))?
            .ino();
        inodes.insert(entry.file_name().to_string_lossy().into_owned(), inode);
    }
    Ok(inodes)
}

/// One line of /proc/PID/mountinfo.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// Where it is mounted, in the process's own view.
    pub mount_point: String,
    /// Which part of the file system is mounted there.
    pub root: String,
    /// The type of the file system.
    pub fs_type: String,
    /// What is mounted: a device, or any word.
    pub source: String,
    /// Options of this mount: `ro`, `nosuid` …
    pub options: Vec<String>,
    /// Options of the file system.
    pub super_options: Vec<String>,
    /// `shared:N`, `master:N`, `unbindable`; empty if the mount is private.
    pub propagation: Vec<String>,
    /// The number of this mount.
    pub id: u32,
    /// The number of the mount that it stands on.
    pub parent: u32,
}

/// The mounts that a process sees, in the order of the kernel.
///
/// # Errors
/// If the process has ended, or is not ours to look at.
pub fn mounts(pid: Pid) -> Result<Vec<Mount>> {
    let path = format!("/proc/{pid}/mountinfo");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    text.lines().map(|line| mount(line).with_context(|| format!("cannot understand: {line}"))).collect()
}

fn mount(line: &str) -> Option<Mount> {
    // 36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    let words = |text: &str| text.split(',').map(str::to_owned).collect();
    Some(Mount {
        mount_point: unescape(left.get(4)?),
        root: unescape(left.get(3)?),
        fs_type: (*right.first()?).to_owned(),
        source: unescape(right.get(1)?),
        options: words(left.get(5)?),
        super_options: words(right.get(2)?),
        propagation: left.get(6..)?.iter().map(|&word| word.to_owned()).collect(),
        id: left.first()?.parse().ok()?,
        parent: left.get(1)?.parse().ok()?,
    })
}

/// The kernel writes a space as `\040`.
fn unescape(text: &str) -> String {
    let [space, tab, newline] = ["\\040", "\\011", "\\012"];
    text.replace(space, " ").replace(tab, "\t").replace(newline, "\n").replace("\\134", "\\")
}

/// The fields of /proc/PID/status by name: `NSpid`, `CapEff`, `Groups` …
///
/// # Errors
/// If the process has ended.
pub fn status(pid: Pid) -> Result<BTreeMap<String, String>> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    Ok(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

/// The lines of /proc/PID/uid_map: first id inside, first id outside, how many.
///
/// # Errors
/// If the process has ended.
pub fn uid_map(pid: Pid) -> Result<Vec<[u32; 3]>> {
    id_map(&format!("/proc/{pid}/uid_map"))
}

/// The lines of /proc/PID/gid_map: first id inside, first id outside, how many.
///
/// # Errors
/// If the process has ended.
pub fn gid_map(pid: Pid) -> Result<Vec<[u32; 3]>> {
    id_map(&format!("/proc/{pid}/gid_map"))
}

fn id_map(path: &str) -> Result<Vec<[u32; 3]>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let line = |line: &str| -> Option<[u32; 3]> {
        let numbers: Vec<u32> = line.split_whitespace().flat_map(str::parse).collect();
        numbers.try_into().ok()
    };
    text.lines().map(|l| line(l).with_context(|| format!("cannot understand: {l}"))).collect()
}

/// All processes that /proc shows, with the number of their parent.
pub fn processes() -> Vec<(Pid, Pid)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.map(Pid::from_raw)
        .filter_map(|pid| Some((pid, Pid::from_raw(stat(pid)?.get(1)?.parse().ok()?))))
        .collect()
}

/// The children of a process, zombies too.
pub fn children(parent: Pid) -> Vec<Pid> {
    let all = processes().into_iter();
    all.filter(|(_, its_parent)| *its_parent == parent).map(|(pid, _)| pid).collect()
}

/// The children of a process, their children, and so on: parents stand before their children.
pub fn descendants(ancestor: Pid) -> Vec<Pid> {
    let all = processes();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let of_parent = all.iter().filter(|(_, its_parent)| *its_parent == parent);
        found.extend(of_parent.map(|(pid, _)| *pid));
        next += 1;
    }
    found.remove(0);
    found
}

/// Whether the process is there and is no zombie.
pub fn is_alive(pid: Pid) -> bool {
    stat(pid).is_some_and(|fields| fields.first().is_some_and(|state| state != "Z" && state != "X"))
}

/// The name of the program that a process runs: /proc/PID/comm, at most 15 bytes.
pub fn command_name(pid: Pid) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// The fields of /proc/PID/stat from the third on: state, parent, …
pub(crate) fn stat(pid: Pid) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets, which may itself hold brackets and spaces.
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}
