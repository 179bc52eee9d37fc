//! What of /proc and /sys is hidden, and what can only be read.
//!
//! /proc has files through which root changes the whole machine: no namespace divides them. The
//! lists are Docker's (moby, `daemon/pkg/oci/defaults.go`), but for the temperatures of each
//! processor.

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags as Attr;

use crate::attach::{attach, clone_open, clone_tree, new, set};
use crate::contained::Contained;
use crate::dev::check_node;

// ANCHOR: masks
/// What nobody in the container sees.
pub const HIDDEN: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What nobody in there changes.
pub const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Covers the hidden ones, and makes the others read-only. What this kernel does not have needs
/// no cover.
pub(crate) fn mask(root: &Contained) -> Result<()> {
    for path in HIDDEN {
        if let Some(target) = there(root, path)? {
            hide(&target).with_context(|| format!("cannot hide {path}"))?;
        }
    }
    for path in READ_ONLY {
        if let Some(target) = there(root, path)? {
            freeze(&target).with_context(|| format!("cannot make {path} read-only"))?;
        }
    }
    Ok(())
}
// ANCHOR_END: masks

// ANCHOR: cover
fn there(root: &Contained, path: &str) -> Result<Option<OwnedFd>> {
    match root.open(Path::new(path), OFlags::PATH | OFlags::NOFOLLOW) {
        Ok(target) => Ok(Some(target)),
        Err(Errno::NOENT | Errno::ACCESS) => Ok(None),
        Err(errno) => Err(errno).with_context(|| format!("cannot open {path}")),
    }
}

/// A directory is covered by an empty one, a file by /dev/null.
fn hide(target: &OwnedFd) -> Result<()> {
    let cover = match FileType::from_raw_mode(fstat(target)?.st_mode) {
        FileType::Directory => new("tmpfs", &[("mode", "755".to_owned())], Attr::empty())?,
        _ => {
            let null = clone_tree("/dev/null".as_ref())?;
            check_node(&null, (1, 3))?;
            null
        }
    };
    set(&cover, Attr::MOUNT_ATTR_RDONLY)?;
    attach(&cover, target)
}

/// A copy of the mount over itself, which does not allow writing.
fn freeze(target: &OwnedFd) -> Result<()> {
    let copy = clone_open(target)?;
    set(&copy, Attr::MOUNT_ATTR_RDONLY)?;
    attach(&copy, target)
}
// ANCHOR_END: cover
