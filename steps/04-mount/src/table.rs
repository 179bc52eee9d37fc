//! What a container finds mounted: a list of data, gone through from top to bottom.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags as Attr;

use crate::attach::{attach, clone_tree, is, make_private, new, set};
use crate::contained::Contained;
use crate::{dev, explain, others};

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
    /// A file system in memory.
    Tmpfs(Tmpfs),
    /// A file or directory of the host, with all that is mounted below.
    Bind(PathBuf),
    /// The same, and what the host mounts below later appears as well: with
    /// [`MountNamespace::follow`](crate::MountNamespace::follow).
    Following(PathBuf),
    /// What another process sees there, by a descriptor of that process: its /proc, or a file system in memory.
    OfProcess(Rc<OwnedFd>, PathBuf),
    /// The host's processes: where no new /proc can be had without a pid namespace.
    ProcOfHost,
}
// ANCHOR_END: entry

// ANCHOR: tmpfs
/// How a file system in memory is to be (`man 5 tmpfs`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tmpfs {
    /// In octal, as chmod takes it.
    pub mode: u32,
    /// In bytes; half of the machine's memory if there is none.
    pub size: Option<u64>,
    /// Other options of tmpfs, such as `uid` and `nr_inodes`, and their values.
    pub others: Vec<(String, String)>,
    /// Programs in it may be run.
    pub exec: bool,
    /// Set-user-id bits in it count.
    pub suid: bool,
    /// Devices in it can be opened.
    pub dev: bool,
}

impl Default for Tmpfs {
    /// Everybody may write into it, as into /tmp, and nothing in it is run.
    fn default() -> Self {
        Self { mode: 0o1777, size: None, others: Vec::new(), exec: false, suid: false, dev: false }
    }
}

impl Tmpfs {
    fn new_mount(&self) -> Result<OwnedFd> {
        let mut options = vec![("mode", format!("{:o}", self.mode))];
        options.extend(self.size.map(|size| ("size", size.to_string())));
        options.extend(self.others.iter().map(|(name, value)| (&**name, value.clone())));
        let attributes = [
            (Attr::MOUNT_ATTR_NOEXEC, self.exec),
            (Attr::MOUNT_ATTR_NOSUID, self.suid),
            (Attr::MOUNT_ATTR_NODEV, self.dev),
        ];
        let forbidden =
            attributes.into_iter().filter(|(_, allowed)| !allowed).map(|(attribute, _)| attribute);
        new("tmpfs", &options, forbidden.collect())
    }
}
// ANCHOR_END: tmpfs

// ANCHOR: standard
/// What every container gets, in this order (the OCI runtime specification, "Linux: Default
/// Filesystems").
pub fn standard() -> Vec<Entry> {
    let entry = |what, target: &str, read_only| Entry { what, target: target.into(), read_only };
    vec![
        entry(What::Proc, "/proc", false),
        entry(What::Sys, "/sys", true),
        entry(What::Dev, "/dev", false),
        entry(What::Tmpfs(Tmpfs { size: Some(64 << 20), ..Tmpfs::default() }), "/dev/shm", false),
        entry(What::Mqueue, "/dev/mqueue", false),
    ]
}
// ANCHOR_END: standard

// ANCHOR: mount
impl Entry {
    /// Makes the mount and attaches it below `root`.
    ///
    /// # Errors
    /// The kernel refuses, or the root file system has something else in its place.
    pub fn mount(&self, root: &Contained) -> Result<()> {
        self.try_mount(root).with_context(|| format!("cannot mount {}", self.target.display()))
    }

    fn try_mount(&self, root: &Contained) -> Result<()> {
        let inert = Attr::MOUNT_ATTR_NOSUID | Attr::MOUNT_ATTR_NODEV | Attr::MOUNT_ATTR_NOEXEC;
        let mount = match &self.what {
            What::Proc => new("proc", &[], inert).map_err(explain::proc)?,
            What::Sys => sys(inert)?,
            What::Mqueue => new("mqueue", &[], inert)?,
            What::Tmpfs(tmpfs) => tmpfs.new_mount()?,
            What::Bind(source) => {
                let tree = clone_tree(source)?;
                make_private(&tree)?;
                tree
            }
            What::Following(source) => clone_tree(source)?,
            What::OfProcess(process, source) => others::clone_tree(process, source)?,
            What::ProcOfHost => {
                let tree = clone_tree("/proc".as_ref())?;
                set(&tree, inert)?;
                tree
            }
            What::Dev => return dev::mount(&root.directory(&self.target)?),
        };
        if self.read_only {
            // All that is mounted below as well: a plain read-only bind mount would leave that
            // writable (man 2 mount_setattr).
            set(&mount, Attr::MOUNT_ATTR_RDONLY)?;
        }
        let target = match &self.what {
            // Where the caller wants it; a link in the root file system is followed, inside.
            What::Bind(_) | What::Following(_) | What::Tmpfs(_) => {
                root.followed(&self.target, FileType::from_raw_mode(fstat(&mount)?.st_mode))?
            }
            // It is not for the root file system to say where /proc is: on no link.
            _ => root.directory(&self.target)?,
        };
        attach(&mount, &target)
    }
}
// ANCHOR_END: mount

// ANCHOR: sys
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
// ANCHOR_END: sys

// ANCHOR: check_target
/// What a path of a volume must be like.
///
/// # Errors
/// It is not absolute, or it is `/`.
pub fn check_target(target: &std::path::Path) -> Result<()> {
    if !target.is_absolute() {
        bail!("invalid mount path: '{}' mount path must be absolute", target.display());
    }
    if target.components().count() < 2 {
        bail!("invalid volume specification: destination can't be '/'");
    }
    Ok(())
}
// ANCHOR_END: check_target
