//! The system calls: a mount is made first, and then attached to a place.
//!
//! `mount(2)` does both at once, and names the place by a path, which may lead elsewhere a
//! moment later. Since Linux 5.2 a mount can be made without a place and moved onto an open
//! directory (`man 2 fsopen`, `man 2 open_tree`, `man 2 move_mount`).

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

// ANCHOR: new
/// A new mount of a file system of this type, not yet attached to any place.
pub(crate) fn new(kind: &str, options: &[(&str, String)], attributes: MountAttrFlags) -> Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    // What /proc/mounts shows as the device: nobody reads it, but "none" would look odd.
    fsconfig_set_string(context.as_fd(), "source", kind)?;
    for (name, value) in options {
        fsconfig_set_string(context.as_fd(), *name, value.as_str())
            .with_context(|| format!("the option {name}={value}"))?;
    }
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}
// ANCHOR_END: new

// ANCHOR: clone_tree
/// A copy of what is mounted at `path` and below: a bind mount without a place.
pub(crate) fn clone_tree(path: &Path) -> Result<OwnedFd> {
    open_tree(CWD, path, CLONE).with_context(|| format!("cannot open {}", path.display()))
}

/// The same for what is open already, whatever its path leads to now.
pub(crate) fn clone_open(place: &OwnedFd) -> Result<OwnedFd> {
    Ok(open_tree(place, "", CLONE | OpenTreeFlags::AT_EMPTY_PATH)?)
}

/// The same for one file, read-only: who opens it through this mount cannot write, whoever they are.
///
/// # Errors
/// Without CAP_SYS_ADMIN over this mount namespace: EPERM.
pub fn read_only_copy(file: &Path) -> Result<OwnedFd> {
    let copy = clone_tree(file)?;
    set(&copy, MountAttrFlags::MOUNT_ATTR_RDONLY)?;
    Ok(copy)
}

/// In a user namespace a copy must be recursive: what is mounted below may be there to hide
/// something, and the kernel does not let us look under it.
const CLONE: OpenTreeFlags =
    OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC).union(OpenTreeFlags::AT_RECURSIVE);
// ANCHOR_END: clone_tree

// ANCHOR: attach
/// Attaches a mount to an open directory or file.
pub(crate) fn attach(mount: &OwnedFd, target: &OwnedFd) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount.as_fd(), "", target.as_fd(), "", flags)?)
}
// ANCHOR_END: attach

// ANCHOR: set
/// Sets attributes on a mount and on all mounts below it (`man 2 mount_setattr`).
pub(crate) fn set(mount: impl AsFd, attributes: MountAttrFlags) -> Result<()> {
    mount_setattr(mount, attributes, 0, libc::AT_RECURSIVE).context("cannot set the mount's attributes")
}

/// Nothing that is mounted elsewhere later appears here, nor the other way round.
pub(crate) fn make_private(mount: impl AsFd) -> Result<()> {
    mount_setattr(mount, MountAttrFlags::empty(), libc::MS_PRIVATE, libc::AT_RECURSIVE)
        .context("cannot make the mount private")
}

/// Sets attributes on one mount only.
pub(crate) fn set_this(mount: impl AsFd, attributes: MountAttrFlags) -> Result<()> {
    mount_setattr(mount, attributes, 0, 0).context("cannot set the mount's attributes")
}

#[expect(unsafe_code, reason = "neither nix nor rustix has mount_setattr")]
fn mount_setattr(
    mount: impl AsFd,
    attributes: MountAttrFlags,
    propagation: u64,
    flags: i32,
) -> Result<(), Errno> {
    const EMPTY: &CStr = c"";
    let wanted =
        libc::mount_attr { attr_set: attributes.bits().into(), attr_clr: 0, propagation, userns_fd: 0 };
    // SAFETY: the descriptor is open while it is borrowed, the path is a C string, and the
    // kernel reads as many bytes of `wanted` as it is told that there are.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            EMPTY.as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            &raw const wanted,
            size_of_val(&wanted),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}
// ANCHOR_END: set

// ANCHOR: is
/// Whether the kernel's answer, at the bottom of an error, was this one.
pub(crate) fn is(error: &anyhow::Error, errno: Errno) -> bool {
    error.downcast_ref::<Errno>() == Some(&errno)
}
// ANCHOR_END: is
