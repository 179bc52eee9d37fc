//! The walls of this step: a mount namespace that keeps to itself, and another root.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, fchdir, pivot_root};
use rustix::fs::{OFlags, open};
use rustix::mount::MountAttrFlags as Attr;
use step01_unshare::Namespaces;
use step03_pid::Isolation;

use crate::attach::{attach, clone_open, set_this};
use crate::contained::Contained;
use crate::{Entry, explain, masks, standard};

// ANCHOR: namespace
/// A mount namespace of its own, from which no mount gets out to the host, and into which none
/// of the host's comes (`man 7 mount_namespaces`).
#[derive(Debug, Clone, Default)]
pub struct MountNamespace {
    /// Whether what the host mounts later comes in after all, where an entry asks for it.
    pub follow: bool,
}

impl Isolation for MountNamespace {
    fn namespaces(&self) -> Namespaces {
        Namespaces::MOUNT
    }

    fn in_container(&self) -> Result<()> {
        // A call of its own: beside MS_BIND the kernel would ignore MS_PRIVATE (man 2 mount).
        let way = if self.follow { MsFlags::MS_SLAVE } else { MsFlags::MS_PRIVATE };
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | way, None::<&str>).map_err(explain::private)
    }
}
// ANCHOR_END: namespace

// ANCHOR: root
/// Another root file system, with all that a container finds mounted in it.
#[derive(Debug, Clone)]
pub struct Root {
    /// The directory that becomes `/`.
    pub path: PathBuf,
    /// What is mounted below it, in this order.
    pub entries: Vec<Entry>,
    /// Whether `/` itself cannot be changed.
    pub read_only: bool,
}

impl Root {
    /// A root with the standard mounts.
    pub fn new(path: PathBuf) -> Self {
        Self { path, entries: standard(), read_only: false }
    }
}

impl Isolation for Root {
    fn in_container(&self) -> Result<()> {
        // What is made from here on, by us or by the command, shall not depend on the host's.
        umask(Mode::from_bits_truncate(0o022));
        let mount = become_a_mount(&self.path).map_err(|error| explain::root(error, &self.path))?;
        let root = Contained::new(mount);
        for entry in &self.entries {
            entry.mount(&root)?;
        }
        masks::mask(&root)?;
        if self.read_only {
            set_this(&root, Attr::MOUNT_ATTR_RDONLY).context("cannot make / read-only")?;
        }
        pivot(&root)
    }
}
// ANCHOR_END: root

// ANCHOR: pivot
/// The new root must be a mount of its own, or pivot_root answers EINVAL: so it is mounted over
/// itself.
fn become_a_mount(path: &Path) -> Result<OwnedFd> {
    let place = open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    let root = clone_open(&place)?;
    attach(&root, &place)?;
    Ok(root)
}

/// Swaps the roots and drops the old one (`man 2 pivot_root`). With "." for both, the old root
/// is mounted over the new one, and no directory for it is needed.
fn pivot(root: &Contained) -> Result<()> {
    fchdir(root).context("cannot change to the new root")?;
    let here = Path::new(".");
    pivot_root(here, here).map_err(|errno| explain::pivot(errno, here, here))?;
    umount2(".", MntFlags::MNT_DETACH).context("cannot leave the old root behind")?;
    chdir("/").context("cannot change to /")
}
// ANCHOR_END: pivot
