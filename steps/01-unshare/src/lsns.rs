//! Looking: all namespaces in which some process lives, as `lsns` of util-linux lists them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::unistd::{Uid, User};

use crate::{KINDS, Kind, inode};

// ANCHOR: namespace
/// One namespace and those who live in it.
#[derive(Debug)]
pub struct Namespace {
    /// Its identity: an inode number, the same one in every process's /proc/PID/ns.
    pub inode: u64,
    /// What it isolates.
    pub kind: &'static Kind,
    /// How many processes live in it.
    pub processes: usize,
    /// The oldest of these: the one with the lowest process id.
    pub pid: u32,
    /// The owner of that process.
    pub user: String,
    /// The command line of that process.
    pub command: String,
}

/// Reads the namespaces of every process in /proc, of the kind called `only` or of all kinds.
///
/// Processes of other users are passed over if the kernel does not let us look, as are those
/// that end meanwhile.
///
/// # Errors
/// /proc cannot be read.
pub fn list(only: Option<&str>) -> Result<Vec<Namespace>> {
    let mut found: BTreeMap<(u64, &str), Namespace> = BTreeMap::new();
    for pid in processes()? {
        let process = Path::new("/proc").join(pid.to_string());
        for kind in KINDS.iter().filter(|kind| only.is_none_or(|name| name == kind.name)) {
            let Ok(inode) = inode(&process, kind) else { continue };
            let namespace = found.entry((inode, kind.name)).or_insert_with(|| Namespace {
                inode,
                kind,
                processes: 0,
                pid,
                user: owner(&process),
                command: command(&process),
            });
            namespace.processes += 1;
        }
    }
    Ok(found.into_values().collect())
}
// ANCHOR_END: namespace

// ANCHOR: processes
/// The ids of all processes that this /proc shows, the lowest first.
fn processes() -> Result<Vec<u32>> {
    let entries = fs::read_dir("/proc").context("cannot read /proc")?;
    let mut pids: Vec<u32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    Ok(pids)
}

fn owner(process: &Path) -> String {
    let Ok(metadata) = fs::metadata(process) else { return String::new() };
    match User::from_uid(Uid::from_raw(metadata.uid())) {
        Ok(Some(user)) => user.name,
        _ => metadata.uid().to_string(),
    }
}

/// The command line. A kernel thread has none; its name is shown instead.
fn command(process: &Path) -> String {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).collect();
    match words.is_empty() {
        true => format!("[{}]", fs::read_to_string(process.join("comm")).unwrap_or_default().trim()),
        false => String::from_utf8_lossy(&words.join(&b' ')).into_owned(),
    }
}
// ANCHOR_END: processes

// ANCHOR: table
/// The list as a table for people.
pub fn table(namespaces: &[Namespace]) -> String {
    let mut text = format!("{:>10} {:<6} {:>6} {:>7} {:<8} COMMAND\n", "NS", "TYPE", "NPROCS", "PID", "USER");
    for ns in namespaces {
        let (kind, user, command) = (ns.kind.name, &ns.user, printable(&ns.command));
        text +=
            &format!("{:>10} {kind:<6} {:>6} {:>7} {user:<8} {command}\n", ns.inode, ns.processes, ns.pid);
    }
    text
}

/// A process may write into its command line what it likes, also what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// The list in the form of `lsns --json`.
pub fn json(namespaces: &[Namespace]) -> String {
    let rows = namespaces.iter().map(|ns| {
        format!(
            r#"      {{"ns": {}, "type": "{}", "nprocs": {}, "pid": {}, "user": {}, "command": {}}}"#,
            ns.inode,
            ns.kind.name,
            ns.processes,
            ns.pid,
            quoted(&ns.user),
            quoted(&ns.command)
        )
    });
    format!("{{\n   \"namespaces\": [\n{}\n   ]\n}}\n", rows.collect::<Vec<_>>().join(",\n"))
}

/// A string of JSON: quotation marks, backslashes and control characters are escaped (RFC 8259, section 7).
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
// ANCHOR_END: table
