//! What a container finds mounted: a list of data, gone through from top to bottom.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags as Attr;

use crate::attach::{attach, clone_tree, is, new, set};
use crate::contained::Contained;
use crate::{dev, explain};

// ANCHOR: entry
/// One mount below the container's root.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What is mounted.
    pub what: What,
    /// Where, as the container names it.
    pub target: PathBuf,
    /// Whether nothing below can be changed. (In `Dev` nothing but names can.)
    pub read_only: bool,
}

/// The kinds of mounts.
#[derive(Debug, Clone)]
pub enum What {
    /// The processes of this pid namespace, and much of the kernel's state (`man 5 proc`).
    Proc,
    /// Devices, and the links of this network namespace (`man 5 sysfs`).
    Sys,
    /// A few harmless devices, and a folder for terminals (`man 4 pts`).
    Dev,
    /// The POSIX message queues of this ipc namespace (`man 7 mq_overview`).
    Mqueue,
    /// A file system in memory, of this many bytes at most.
    Tmpfs {
        /// In octal, as chmod takes it.
        mode: u32,
        /// In bytes; half of the machine's memory if there is none.
        size: Option<u64>,
    },
    /// A file or directory of the host, with all that is mounted below.
    Bind(PathBuf),
}
// ANCHOR_END: entry

// ANCHOR: standard
/// What every container gets, in this order (the OCI runtime specification, "Linux: Default
/// Filesystems").
pub fn standard() -> Vec<Entry> {
    let entry = |what, target: &str, read_only| Entry { what, target: target.into(), read_only };
    vec![
        entry(What::Proc, "/proc", false),
        entry(What::Sys, "/sys", true),
        entry(What::Dev, "/dev", false),
        entry(What::Tmpfs { mode: 0o1777, size: Some(64 << 20) }, "/dev/shm", false),
        entry(What::Mqueue, "/dev/mqueue", false),
    ]
}
// ANCHOR_END: standard

impl Entry {
    /// Makes the mount and attaches it below `root`.
    pub(crate) fn mount(&self, root: &Contained) -> Result<()> {
        self.try_mount(root).with_context(|| format!("cannot mount {}", self.target.display()))
    }

    // ANCHOR: mount
    fn try_mount(&self, root: &Contained) -> Result<()> {
        let inert = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV | Attr::MOUNT_ATTR_NOEXEC;
        let mount = match &self.what {
            What::Proc => new("proc", &[], inert).map_err(explain::proc)?,
            What::Sys => sys(inert)?,
            What::Mqueue => new("mqueue", &[], inert)?,
            What::Tmpfs { mode, size } => {
                let mut options = vec![("mode", format!("{mode:o}"))];
                options.extend(size.map(|size| ("size", size.to_string())));
                new("tmpfs", &options, inert)?
            }
            What::Bind(source) => clone_tree(source)?,
            What::Dev => return dev::mount(&root.directory(&self.target)?),
        };
        if self.read_only {
            // All that is mounted below as well: a plain read-only bind mount would leave that
            // writable (man 2 mount_setattr).
            set(&mount, Attr::MOUNT_ATTR_RDONLY)?;
        }
        let target = match &self.what {
            // Where the caller wants it; a link in the root file system is followed, inside.
            What::Bind(_) | What::Tmpfs { .. } => {
                root.followed(&self.target, FileType::from_raw_mode(fstat(&mount)?.st_mode))?
            }
            // It is not for the root file system to say where /proc is: on no link.
            _ => root.directory(&self.target)?,
        };
        attach(&mount, &target)
    }
    // ANCHOR_END: mount
}

/// A new sysfs shows the links of the network namespace, and only its owner may mount one. Who
/// shares the host's network sees the host's /sys, unchangeable.
fn sys(attributes: Attr) -> Result<OwnedFd> {
    match new("sysfs", &[], attributes) {
        Err(error) if is(&error, Errno::PERM) => {
            let tree = clone_tree("/sys".as_ref())?;
            set(&tree, attributes | Attr::MOUNT_ATTR_RDONLY)?;
            Ok(tree)
        }
        other => other,
    }
}

/// What a path of a volume must be like.
pub(crate) fn check_target(target: &std::path::Path) -> Result<()> {
    if !target.is_absolute() {
        bail!("invalid mount path: '{}' mount path must be absolute", target.display());
    }
    if target.components().count() < 2 {
        bail!("invalid volume specification: destination can't be '/'");
    }
    Ok(())
}
