//! Observing: the namespaces of a process beside others, and what each changes for the eye.
//!
//! What a process says about its own isolation proves little. This table is drawn from outside.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::unistd::{Pid, gethostname};

use crate::{Kind, Namespaces, Question, all_kinds, ask, inode, inode_for_children};
use crate::{is_missing, message, process_folder};

// ANCHOR: observe
/// Draws the table for the process `target`, beside the process that calls.
///
/// # Errors
/// No such process, or one whose namespaces the kernel does not let us read.
pub fn observe(target: Pid) -> Result<String> {
    table(&Inodes::here()?, &process_folder(target)?, Some(target))
}

/// The namespaces of one process at one moment: the inode number of each kind.
#[derive(Debug)]
pub struct Inodes(Vec<(&'static Kind, u64)>);

impl Inodes {
    /// Those of this process, now: for a step that leaves them, and has nobody outside who
    /// could look.
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn here() -> Result<Self> {
        Self::of(Path::new("/proc/self"))
    }

    /// Draws the table for this process as it is later, beside what it was.
    ///
    /// # Errors
    /// /proc cannot be read.
    pub fn beside_now(&self) -> Result<String> {
        table(self, Path::new("/proc/self"), None)
    }

    fn of(process: &Path) -> Result<Self> {
        let inodes = all_kinds().map(|kind| Ok((kind, inode(process, kind)?)));
        inodes.collect::<Result<_>>().map(Self)
    }
}
// ANCHOR_END: observe

// ANCHOR: table
/// Row by row: what was outside, what is inside, and whether that is the same.
fn table(outside: &Inodes, process: &Path, target: Option<Pid>) -> Result<String> {
    let mut text = format!("{:<9} {:>10}  {:>10}\n", "namespace", "outside", "inside");
    for ((kind, outside), (_, inside)) in outside.0.iter().zip(Inodes::of(process)?.0) {
        let (inside, word, seen) = match childrens(process, kind, inside) {
            _ if inside != *outside => (inside.to_string(), "new", seen_inside(kind, process, target)),
            Some(childrens) => (childrens, "new", "for its children only".to_owned()),
            None => (inside.to_string(), "shared", String::new()),
        };
        let line = format!("{:<9} {outside:>10}  {inside:>10}  {word:<6}  {seen}", kind.name);
        text += line.trim_end();
        text.push('\n');
    }
    Ok(text)
}
// ANCHOR_END: table

// ANCHOR: childrens
/// The namespace in which the children of a process will be born, if it is not its own.
fn childrens(process: &Path, kind: &Kind, own: u64) -> Option<String> {
    match inode_for_children(process, kind) {
        Ok(inode) => (inode != own).then(|| inode.to_string()),
        // A pid namespace can be seen only from its first process on.
        Err(error) => (kind.flag == Namespaces::PID && is_missing(&error)).then(|| "-".to_owned()),
    }
}
// ANCHOR_END: childrens

// ANCHOR: observe_self
/// Draws the table for this process, beside its parent.
///
/// # Errors
/// The parent is outside of our user or pid namespace, and so out of sight.
pub fn observe_self() -> Result<String> {
    let status = read(Path::new("/proc/self"), "status")?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap_or("0").trim();
    Inodes::of(&Path::new("/proc").join(parent))?.beside_now()
}
// ANCHOR_END: observe_self

// ANCHOR: seen
/// What a new namespace of this kind changes, as far as it can be seen from outside.
fn seen_inside(kind: &Kind, process: &Path, target: Option<Pid>) -> String {
    let ask = |question: Question| target.map_or_else(question, |pid| ask(pid, kind.flag, question));
    let seen = match kind.flag {
        Namespaces::USER => id_map(process),
        Namespaces::MOUNT => mounts(process),
        Namespaces::UTS => ask(host_name),
        Namespaces::IPC => ask(queues),
        Namespaces::NET => links(process),
        Namespaces::PID => process_ids(process),
        Namespaces::CGROUP => Ok("its own root".to_owned()),
        _ => clocks(process),
    };
    // A row whose detail cannot be read is still a row: the inode numbers are the proof.
    seen.unwrap_or_else(|error| format!("({})", message(&error)))
}

fn host_name() -> Result<String> {
    let name = gethostname().context("cannot read the host name")?;
    Ok(format!("host name {}", name.to_string_lossy()))
}

fn queues() -> Result<String> {
    let lines = |name: &str| fs::read_to_string(name).map(|text| text.lines().count().saturating_sub(1));
    let (queues, segments) = (lines("/proc/sysvipc/msg")?, lines("/proc/sysvipc/shm")?);
    Ok(format!("{queues} message queues, {segments} shared memory segments"))
}

/// Each line of an id map reads `first-inside first-outside length`.
fn id_map(process: &Path) -> Result<String> {
    let map = read(process, "uid_map")?;
    let ranges = map.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (inside, outside, length) = (words.next()?, words.next()?, words.next()?);
        Some(match length {
            "1" => format!("uid {inside} is {outside} outside"),
            _ => format!("{length} uids from {inside} are those from {outside} outside"),
        })
    });
    let text = ranges.collect::<Vec<_>>().join(", ");
    Ok(if text.is_empty() { "no uid has a meaning outside".to_owned() } else { text })
}

fn mounts(process: &Path) -> Result<String> {
    let table = read(process, "mountinfo")?;
    // man 5 proc_pid_mountinfo: the fourth and fifth fields are the root within the file
    // system and the mount point; the type follows the single dash.
    let root = table.lines().find(|line| line.split(' ').nth(4) == Some("/"));
    let kind = root.and_then(|line| line.split(" - ").nth(1)?.split(' ').next()).unwrap_or("?");
    Ok(format!("{} mounts, / is {kind}", table.lines().count()))
}

fn links(process: &Path) -> Result<String> {
    let table = read(process, "net/dev")?;
    let names = table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim()));
    Ok(format!("links: {}", names.collect::<Vec<_>>().join(", ")))
}

/// A process has an id in each of the nested pid namespaces that it can be seen from.
fn process_ids(process: &Path) -> Result<String> {
    let status = read(process, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let ids: Vec<_> = line.split_whitespace().collect();
    match ids[..] {
        [outside, .., inside] => Ok(format!("pid {inside} is {outside} outside")),
        _ => Ok(String::new()),
    }
}

fn clocks(process: &Path) -> Result<String> {
    let offsets = read(process, "timens_offsets")?;
    let boot = offsets.lines().find_map(|line| line.strip_prefix("boottime"));
    let seconds = boot.and_then(|rest| rest.split_whitespace().next()).unwrap_or("0");
    Ok(format!("booted {seconds} s off"))
}

fn read(process: &Path, name: &str) -> Result<String> {
    let file = process.join(name);
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}
// ANCHOR_END: seen
