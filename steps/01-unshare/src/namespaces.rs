//! The eight kinds of namespace, as one table.

use std::ops::BitOr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Error, Result, bail};
use nix::sched::CloneFlags;
use nix::unistd::{Pid, getpid};

// ANCHOR: kinds
/// One kind of namespace: a resource of the kernel that a process can have for itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, as in /proc/PID/ns.
    pub name: &'static str,
    /// Its bit for `clone3`, `unshare` and `setns`.
    pub flag: Namespaces,
    /// What a process in a new one no longer shares with the others.
    pub isolates: &'static str,
}

/// All kinds that Linux knows, in the order in which they are entered: the user namespace
/// first, since it owns the others and gives the rights to change them (`man 7 namespaces`).
pub const KINDS: [Kind; 8] = [
    Kind { name: "user", flag: Namespaces::USER, isolates: "user and group ids, capabilities" },
    Kind { name: "mnt", flag: Namespaces::MOUNT, isolates: "mount points" },
    Kind { name: "uts", flag: Namespaces::UTS, isolates: "host name and domain name" },
    Kind { name: "ipc", flag: Namespaces::IPC, isolates: "System V IPC, POSIX message queues" },
    Kind { name: "net", flag: Namespaces::NET, isolates: "network devices, addresses, ports" },
    Kind { name: "pid", flag: Namespaces::PID, isolates: "process ids" },
    Kind { name: "cgroup", flag: Namespaces::CGROUP, isolates: "the root of the cgroup tree" },
    Kind { name: "time", flag: Namespaces::TIME, isolates: "boot and monotonic clocks" },
];
// ANCHOR_END: kinds

// ANCHOR: all_kinds
/// All kinds that this kernel has: each has a file in /proc/self/ns.
pub fn all_kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| Path::new("/proc/self/ns").join(kind.name).exists())
}
// ANCHOR_END: all_kinds

// ANCHOR: set
/// A set of kinds of namespaces: the flags of `man 2 unshare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Namespaces(u32);

impl Namespaces {
    /// User and group ids, capabilities (`man 7 user_namespaces`).
    pub const USER: Self = Self(0x1000_0000);
    /// Mount points (`man 7 mount_namespaces`).
    pub const MOUNT: Self = Self(0x0002_0000);
    /// Host name and domain name (`man 7 uts_namespaces`).
    pub const UTS: Self = Self(0x0400_0000);
    /// System V IPC and POSIX message queues (`man 7 ipc_namespaces`).
    pub const IPC: Self = Self(0x0800_0000);
    /// Network devices, addresses, routes, ports (`man 7 network_namespaces`).
    pub const NET: Self = Self(0x4000_0000);
    /// Process ids (`man 7 pid_namespaces`).
    pub const PID: Self = Self(0x2000_0000);
    /// The root of the cgroup tree (`man 7 cgroup_namespaces`).
    pub const CGROUP: Self = Self(0x0200_0000);
    /// Boot and monotonic clocks (`man 7 time_namespaces`).
    pub const TIME: Self = Self(0x0000_0080);

    /// No namespace at all.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The set without those of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The kinds in the set, in the order of [`KINDS`].
    pub fn kinds(self) -> impl Iterator<Item = &'static Kind> {
        KINDS.iter().filter(move |kind| self.contains(kind.flag))
    }

    /// The bits, as `clone3` takes them (`man 2 clone3`).
    pub const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// The same bits as nix's type: all kinds, also those which nix has no name for (time).
    pub fn flags(self) -> CloneFlags {
        CloneFlags::from_bits_retain(self.0 as libc::c_int)
    }
}

impl BitOr for Namespaces {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Namespaces> for Namespaces {
    fn from_iter<T: IntoIterator<Item = Namespaces>>(sets: T) -> Self {
        sets.into_iter().fold(Self::empty(), Self::bitor)
    }
}
// ANCHOR_END: set

// ANCHOR: inode
/// The inode number of a namespace, which is its identity: two processes are in the same
/// namespace if and only if these numbers agree. `process` is a folder such as
/// `/proc/self` or `/proc/1`.
///
/// # Errors
/// ENOENT if the process has gone, EACCES if it is somebody else's.
pub fn inode(process: &Path, kind: &Kind) -> Result<u64> {
    inode_of_link(&process.join("ns").join(kind.name))
}

/// As [`inode`], for the namespace in which the next children of a process will be born: a new
/// pid or time namespace takes only those (`man 7 namespaces`).
///
/// # Errors
/// Those of [`inode`]; ENOENT also if the kind makes no such difference, and for a pid namespace
/// that has no process yet.
pub fn inode_for_children(process: &Path, kind: &Kind) -> Result<u64> {
    inode_of_link(&process.join("ns").join(format!("{}_for_children", kind.name)))
}

fn inode_of_link(link: &Path) -> Result<u64> {
    let target = fs::read_link(link).map_err(|error| unreadable(link, error))?;
    // The link reads like `uts:[4026531838]`.
    let target = target.to_string_lossy();
    let digits = target.trim_end_matches(']').rsplit('[').next().unwrap_or_default();
    digits.parse().with_context(|| format!("{} reads {target}, which has no number", link.display()))
}
// ANCHOR_END: inode

// ANCHOR: unreadable
fn unreadable(link: &Path, error: io::Error) -> Error {
    let text = format!("cannot read {}", link.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => Error::msg(format!(
            "{text}: EACCES: Permission denied\nonly its owner and root may look, and nobody out of a user namespace"
        )),
        _ => Error::new(error).context(text),
    }
}
// ANCHOR_END: unreadable

// ANCHOR: process
/// The folder of a process in /proc.
pub(crate) fn process_folder(process: Pid) -> Result<PathBuf> {
    // Under the numbers of another pid namespace we would find somebody else (`man 7 pid_namespaces`).
    let ours = getpid().to_string();
    if fs::read_link("/proc/self").is_ok_and(|itself| itself != Path::new(&ours)) {
        bail!(
            "/proc has the process ids of another pid namespace\n\
             with a mount namespace of its own a process may mount another /proc, as step04 does"
        );
    }
    let folder = PathBuf::from(format!("/proc/{process}"));
    match folder.exists() {
        true => Ok(folder),
        false => bail!("there is no process {process}"),
    }
}

/// Whether an error is about a file that is not there.
pub(crate) fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}
// ANCHOR_END: process
