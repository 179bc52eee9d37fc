//! What a container finds mounted: a list of data, gone through from top to bottom.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags as Attr;

use crate::attach::{attach, clone_tree, new, set};
use crate::contained::Contained;
use crate::dev;

// ANCHOR: entry
/// One mount below the container's root.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What is mounted.
    pub what: What,
    /// Where, as the container names it.
    pub target: PathBuf,
    /// Whether nothing below can be changed.
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
        let harmless = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV;
        let inert = harmless | Attr::MOUNT_ATTR_NOEXEC;
        // Our own go onto directories that the root file system has, or that we make there, and
        // never onto a link: it would be the image that says where /proc is.
        let own_place = || root.directory(&self.target);
        match &self.what {
            What::Proc => {
                let proc = new("proc", &[], inert).map_err(explain_proc)?;
                attach(&proc, &own_place()?)?;
            }
            What::Sys => attach(&sys(inert)?, &own_place()?)?,
            What::Dev => dev::mount(&own_place()?)?,
            What::Mqueue => attach(&new("mqueue", &[], inert)?, &own_place()?)?,
            What::Tmpfs { mode, size } => {
                let mut options = vec![("mode", format!("{mode:o}"))];
                options.extend(size.map(|size| ("size", size.to_string())));
                let tmpfs = new("tmpfs", &options, harmless)?;
                if self.read_only {
                    set(&tmpfs, Attr::MOUNT_ATTR_RDONLY)?;
                }
                attach(&tmpfs, &root.followed(&self.target, FileType::Directory)?)?;
            }
            What::Bind(source) => {
                let tree = clone_tree(source)?;
                let kind = FileType::from_raw_mode(fstat(&tree)?.st_mode);
                let target = root.followed(&self.target, kind)?;
                if self.read_only {
                    // All that is mounted below the source as well: a plain read-only bind
                    // mount would leave those writable (man 2 mount_setattr).
                    set(&tree, Attr::MOUNT_ATTR_RDONLY)?;
                }
                attach(&tree, &target)?;
            }
        }
        Ok(())
    }
    // ANCHOR_END: mount
}

/// A new sysfs shows the links of the network namespace, and only its owner may mount one. Who
/// shares the host's network sees the host's /sys, unchangeable.
fn sys(attributes: Attr) -> Result<OwnedFd> {
    match new("sysfs", &[], attributes | Attr::MOUNT_ATTR_RDONLY) {
        Err(error) if is(&error, Errno::PERM) => {
            let tree = clone_tree("/sys".as_ref())?;
            set(&tree, attributes | Attr::MOUNT_ATTR_RDONLY)?;
            Ok(tree)
        }
        other => other,
    }
}

fn explain_proc(error: anyhow::Error) -> anyhow::Error {
    match is(&error, Errno::PERM) {
        true => error.context("the kernel allows it only where all of the host's own /proc can be seen"),
        false => error,
    }
}

fn is(error: &anyhow::Error, errno: Errno) -> bool {
    error.downcast_ref::<Errno>() == Some(&errno)
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
