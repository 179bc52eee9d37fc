//! Mode, owner, time and extended attributes of one inode.
//!
//! They are set through a descriptor of the inode itself, so that no link can lead them elsewhere.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::errno::Errno;
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io;

/// What an inode carries besides its content.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// The twelve bits of chmod(2).
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub modified: i64,
    pub nanoseconds: u32,
    /// Names and values, as an archive gives them: not all are kept.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Metadata {
    /// What the inode behind a descriptor has; it may have been opened with O_PATH.
    pub fn of(inode: BorrowedFd<'_>, stat: &Stat) -> Result<Self> {
        let mut xattrs = Vec::new();
        for name in xattr_names(inode)?.into_iter().filter(|name| is_kept(name)) {
            let mut value = vec![0; 64 << 10];
            let length = fs::getxattr(inode_path(inode), &name, &mut value).map_err(named)?;
            value.truncate(length);
            xattrs.push((name, value));
        }
        Ok(Self {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            modified: stat.st_mtime,
            nanoseconds: stat.st_mtime_nsec as u32,
            xattrs,
        })
    }

    // ANCHOR: apply
    /// Gives it to the inode behind a descriptor, but for the time of a directory, which each new entry would change.
    ///
    /// The order matters: chown(2) clears the set-user-id bits and the file capabilities.
    pub fn apply(&self, inode: BorrowedFd<'_>, kind: FileType, left_out: &mut LeftOut) -> Result<()> {
        fs::chownat(
            inode,
            "",
            Some(Uid::from_raw(self.uid)),
            Some(Gid::from_raw(self.gid)),
            AtFlags::EMPTY_PATH,
        )
        .map_err(named)
        .with_context(|| format!("cannot give it to user {} and group {}", self.uid, self.gid))?;
        match kind {
            // A link has no mode of its own.
            FileType::Symlink => Ok(()),
            FileType::RegularFile | FileType::Directory => fs::fchmod(inode, Mode::from_raw_mode(self.mode)),
            // An O_PATH descriptor does not do for fchmod.
            _ => fs::chmod(inode_path(inode), Mode::from_raw_mode(self.mode)),
        }
        .map_err(named)
        .with_context(|| format!("cannot set its mode to {:04o}", self.mode))?;
        for (name, value) in &self.xattrs {
            set_xattr(inode, name, value, left_out)?;
        }
        if kind != FileType::Directory {
            self.set_time(inode)?;
        }
        Ok(())
    }
    // ANCHOR_END: apply

    /// Sets the time of the last modification, and that of the last access to the same: an archive has no other.
    pub fn set_time(&self, inode: BorrowedFd<'_>) -> Result<()> {
        set_time(inode, self.time()).context("cannot set its time")
    }

    /// The time of the last modification.
    pub fn time(&self) -> Timespec {
        Timespec { tv_sec: self.modified, tv_nsec: self.nanoseconds.into() }
    }
}

/// utimensat(2) on the inode behind a descriptor.
pub fn set_time(inode: BorrowedFd<'_>, time: Timespec) -> Result<(), Errno> {
    let times = Timestamps { last_access: time, last_modification: time };
    fs::utimensat(inode, "", &times, AtFlags::EMPTY_PATH).map_err(named)
}

/// Takes all extended attributes away, but for overlayfs' own: an entry replaces those of an earlier one.
pub fn clear_xattrs(inode: BorrowedFd<'_>) -> Result<()> {
    for name in xattr_names(inode)?.into_iter().filter(|name| is_kept(name)) {
        fs::removexattr(inode_path(inode), &name).map_err(named)?;
    }
    Ok(())
}

/// Only what belongs to the content is kept. `security.selinux`, `security.ima` and `system.*` are the host's business,
/// `trusted.*` is for its root; `user.overlay.*` and `trusted.overlay.*` would be obeyed by overlayfs.
fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability" || name.starts_with(b"user.") && !name.starts_with(b"user.overlay.")
}

fn set_xattr(inode: BorrowedFd<'_>, name: &[u8], value: &[u8], left_out: &mut LeftOut) -> Result<()> {
    if !name.is_empty() && !is_kept(name) {
        left_out.xattr(name);
        return Ok(());
    }
    match fs::setxattr(inode_path(inode), name, value, XattrFlags::empty()) {
        // The file system has none, or this kind of inode may not have it (xattr(7)).
        Err(io::Errno::NOTSUP | io::Errno::PERM) => left_out.xattr(name),
        result => result
            .map_err(named)
            .with_context(|| format!("cannot set the extended attribute \"{}\"", name.escape_ascii()))?,
    }
    Ok(())
}

fn xattr_names(inode: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>> {
    let mut list = vec![0; 64 << 10];
    match fs::listxattr(inode_path(inode), &mut list) {
        Ok(length) => list.truncate(length),
        Err(io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(error) => return Err(named(error)).context("cannot list extended attributes"),
    }
    Ok(list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

/// A path that leads to the inode behind a descriptor and no further, even where it is a symbolic link (proc(5)).
fn inode_path(inode: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", inode.as_fd().as_raw_fd()))
}

/// What was not placed, and the first one of each.
#[derive(Debug, Default)]
pub struct LeftOut {
    xattr: Option<String>,
    device: Option<String>,
}

impl LeftOut {
    fn xattr(&mut self, name: &[u8]) {
        self.xattr.get_or_insert_with(|| name.escape_ascii().to_string());
    }

    /// Notes a device node.
    pub fn device(&mut self, shown: String) {
        self.device.get_or_insert(shown);
    }

    /// One sentence for each kind.
    pub fn sentences(self) -> Vec<String> {
        let device =
            |first| format!("device nodes are left out, only root may make them (the first is {first})");
        let xattr = |first| format!("some extended attributes are left out (the first is {first})");
        self.device.map(device).into_iter().chain(self.xattr.map(xattr)).collect()
    }
}

/// The error with its name ("ENOSPC: No space left on device").
pub fn named(error: io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}
