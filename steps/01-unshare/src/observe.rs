//! Observing: the namespaces of a process beside our own, and what each changes for the eye.
//!
//! What a process says about its own isolation proves little. This table is drawn from outside.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{Pid, gethostname};

use crate::{KINDS, Kind, Namespaces, ask, inode, message};

// ANCHOR: observe
/// Draws the table for the process `target`, beside the process that calls.
///
/// # Errors
/// No such process, or one whose namespaces the kernel does not let us read.
pub fn observe(target: Pid) -> Result<String> {
    let theirs = PathBuf::from(format!("/proc/{target}"));
    if !theirs.exists() {
        bail!("there is no process {target}");
    }
    table(Path::new("/proc/self"), &theirs, |kind, is_new| match is_new {
        true => seen_inside(kind, target, &theirs),
        false => String::new(),
    })
}

/// Draws the table for this process itself, beside its parent: for the steps that leave the
/// host's namespaces themselves, and so have nobody outside who could look.
///
/// # Errors
/// /proc cannot be read.
pub fn observe_self() -> Result<String> {
    let parent = PathBuf::from(format!("/proc/{}", nix::unistd::getppid()));
    table(&parent, Path::new("/proc/self"), |kind, is_new| match (kind.flag, is_new) {
        (Namespaces::UTS, true) => host_name().unwrap_or_default(),
        _ => String::new(),
    })
}

fn table(ours: &Path, theirs: &Path, seen: impl Fn(&Kind, bool) -> String) -> Result<String> {
    let mut text = format!("{:<9} {:>10}  {:>10}\n", "namespace", "outside", "inside");
    for kind in &KINDS {
        let (outside, inside) = match (inode(ours, kind), inode(theirs, kind)) {
            (Ok(outside), Ok(inside)) => (outside, inside),
            // A kernel without this kind has no such file for anybody.
            (Err(_), _) if !ours.join("ns").join(kind.name).exists() => continue,
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let is_new = inside != outside;
        let word = if is_new { "new   " } else { "shared" };
        let line = format!("{:<9} {outside:>10}  {inside:>10}  {word}  {}", kind.name, seen(kind, is_new));
        text += line.trim_end();
        text.push('\n');
    }
    Ok(text)
}
// ANCHOR_END: observe

/// What a new namespace of this kind changes, as far as it can be seen from outside.
fn seen_inside(kind: &Kind, target: Pid, theirs: &Path) -> String {
    let seen = match kind.flag {
        Namespaces::USER => id_map(theirs),
        Namespaces::MOUNT => mounts(theirs),
        Namespaces::UTS => ask(target, Namespaces::UTS, host_name).map(|name| format!("host name {name}")),
        Namespaces::IPC => ask(target, Namespaces::IPC, queues),
        Namespaces::NET => links(theirs),
        Namespaces::PID => process_ids(theirs),
        Namespaces::CGROUP => read(theirs, "cgroup").map(|_| "its own root".to_owned()),
        _ => clocks(theirs),
    };
    // A row whose detail cannot be read is still a row: the inode numbers are the proof.
    seen.unwrap_or_else(|error| format!("({})", message(&error)))
}

fn host_name() -> Result<String> {
    Ok(gethostname().context("cannot read the host name")?.to_string_lossy().into_owned())
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
