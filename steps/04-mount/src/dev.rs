//! /dev: a few harmless devices, bound from the host one by one.
//!
//! Making a device node is forbidden in a user namespace, so that nobody makes one for the
//! disk. Binding one that exists is not; for root and for others there is one way.

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, Mode, OFlags, fstat, major, minor, mkdirat, openat, symlinkat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags as Attr;

use crate::attach::{attach, clone_tree, is, new};

// ANCHOR: dev
/// Name, and the numbers by which the kernel knows the device (the OCI runtime specification,
/// "Linux: Default Devices").
const NODES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Mounts a /dev of our own at `target`.
pub(crate) fn mount(target: &OwnedFd) -> Result<()> {
    let options = [("mode", "755".to_owned()), ("size", "65536".to_owned())];
    let dev = new("tmpfs", &options, Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NOEXEC)?;
    // Nobody can see it yet, so nobody can put a link in our way.
    for name in ["pts", "shm", "mqueue"] {
        mkdirat(&dev, name, Mode::from_raw_mode(0o755)).with_context(|| format!("cannot make {name}"))?;
    }
    for (to, name) in LINKS {
        symlinkat(to, &dev, name).with_context(|| format!("cannot make {name}"))?;
    }
    attach(&dev, target)?;
    for (name, major, minor) in NODES {
        bind_node(&dev, name, (major, minor)).with_context(|| format!("cannot bind {name}"))?;
    }
    let pts = openat(&dev, "pts", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    attach(&terminals().context("cannot mount pts")?, &pts)
}
// ANCHOR_END: dev

// ANCHOR: nodes
fn bind_node(dev: &OwnedFd, name: &str, numbers: (u32, u32)) -> Result<()> {
    let node = clone_tree(&Path::new("/dev").join(name))?;
    check_node(&node, numbers)?;
    let place = OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let place = openat(dev, name, place, Mode::from_raw_mode(0o666))?;
    attach(&node, &place)
}

/// What is called /dev/null may be something else (CVE-2025-31133): the numbers tell.
pub(crate) fn check_node(node: &OwnedFd, (wanted_major, wanted_minor): (u32, u32)) -> Result<()> {
    let found = fstat(node)?;
    let is_device = FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice;
    if !is_device || (major(found.st_rdev), minor(found.st_rdev)) != (wanted_major, wanted_minor) {
        bail!("the host's one is not the character device {wanted_major}:{wanted_minor}");
    }
    Ok(())
}
// ANCHOR_END: nodes

// ANCHOR: terminals
/// Terminals of our own (`man 4 pts`). Group 5 is tty on every Linux; where it has no meaning,
/// the kernel refuses it, and terminals belong to the group of who opens them.
fn terminals() -> Result<OwnedFd> {
    let options = [("ptmxmode", "666"), ("mode", "620"), ("gid", "5")];
    let options = options.map(|(name, value)| (name, value.to_owned()));
    let attributes = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NOEXEC;
    match new("devpts", &options, attributes) {
        Err(error) if is(&error, Errno::INVAL) => new("devpts", &options[..2], attributes),
        other => other,
    }
}
// ANCHOR_END: terminals
