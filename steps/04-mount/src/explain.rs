//! Errors that tell their cause: why a root cannot be swapped, and why there is no /proc.

use std::fs;
use std::path::Path;

use anyhow::Error;
use nix::errno::Errno;
use step01_unshare::{refused, why};

use crate::attach::is;
use crate::causes::{PIVOT_ROOT, PROC, PROPAGATION, ROOT};

// ANCHOR: root
/// The mounts cannot be made private.
pub(crate) fn private(errno: Errno) -> Error {
    refused("cannot make the mounts private", errno, why(PROPAGATION, errno, &[]))
}

/// The directory cannot be made a mount.
pub(crate) fn root(error: Error, path: &Path) -> Error {
    let tried = format!("cannot mount the root file system {}", path.display());
    match why(ROOT, Errno::EACCES, &[path]) {
        Some(why) if is(&error, rustix::io::Errno::ACCESS) => refused(&tried, Errno::EACCES, Some(why)),
        _ => error.context(tried),
    }
}

/// The root cannot be swapped by `pivot_root(new_root, put_old)`.
pub(crate) fn pivot(errno: Errno, new_root: &Path, put_old: &Path) -> Error {
    refused("cannot make it the root", errno, why(PIVOT_ROOT, errno, &[new_root, put_old]))
}
// ANCHOR_END: root

// ANCHOR: proc
/// There can be no new /proc.
pub(crate) fn proc(error: Error) -> Error {
    if !is(&error, rustix::io::Errno::PERM) {
        return error;
    }
    let why = why(PROC, Errno::EPERM, &[]).unwrap_or_default();
    Error::msg(format!("{}: {why}", Errno::EPERM))
}
// ANCHOR_END: proc

// ANCHOR: table
/// A line of the mount table (`man 5 proc_pid_mountinfo`).
pub(crate) struct Mounted {
    pub id: String,
    pub parent: String,
    pub point: String,
    pub kind: String,
    pub shared: bool,
}

/// The mount that a path lies on: the deepest, and of several at one place the last.
pub(crate) fn over(path: &Path) -> Option<Mounted> {
    mounts().into_iter().filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| mount.point.len())
}

pub(crate) fn mounts() -> Vec<Mounted> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounted = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let fields: Vec<_> = left.split(' ').collect();
        let shared = fields.iter().skip(6).any(|field| field.starts_with("shared:"));
        let [id, parent, _, _, point, ..] = fields[..] else { return None };
        let [id, parent] = [id, parent].map(str::to_owned);
        Some(Mounted {
            id,
            parent,
            point: point.replace("\\040", " "),
            kind: right.split(' ').next()?.into(),
            shared,
        })
    };
    text.lines().filter_map(mounted).collect()
}
// ANCHOR_END: table
