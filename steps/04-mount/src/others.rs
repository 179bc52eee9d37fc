//! What another process has mounted, seen with its eyes for a moment.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, open};

use crate::attach::clone_open;
use crate::contained::Contained;

// ANCHOR: others
/// `man 5 tmpfs`
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// A copy of what is mounted at `path` for the process: its /proc, or a file system in memory. It can be copied only
/// where it is mounted: so we go there, and come back (`man 2 open_tree`, EINVAL).
pub(crate) fn clone_tree(process: &OwnedFd, path: &Path) -> Result<OwnedFd> {
    let ours = File::open("/proc/self/ns/mnt").context("cannot open our mount namespace")?;
    setns(process, CloneFlags::CLONE_NEWNS).context("cannot enter the mounts of the other container")?;
    let copy = copy_here(path);
    setns(ours, CloneFlags::CLONE_NEWNS)
        .context("cannot come back from the mounts of the other container")?;
    copy
}

fn copy_here(path: &Path) -> Result<OwnedFd> {
    let root = open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let place = Contained::new(root).open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW)?;
    // What it has put there itself is nothing for us.
    let expected = if path == Path::new("/proc") { PROC_SUPER_MAGIC } else { TMPFS_MAGIC };
    if fstatfs(&place)?.f_type != expected {
        bail!("the other container has something else there");
    }
    clone_open(&place)
}
// ANCHOR_END: others
