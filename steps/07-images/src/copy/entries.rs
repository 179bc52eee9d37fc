//! Entries of open directories, which others may change meanwhile: each is reached by its name alone.

use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::files::cannot;
use super::tree::Found;
use crate::layers::named;

/// Opens the directory that was found.
pub fn directory(found: &Found) -> Result<OwnedFd> {
    Ok(fs::openat(&found.inode, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(named)?)
}

/// What has a name in an open directory; the link itself where it is one. `None` if it has gone.
pub fn look(directory: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Found>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Some(inode) = still(fs::openat(directory, name, flags, Mode::empty()))? else { return Ok(None) };
    let stat = fs::fstat(&inode).map_err(named)?;
    Ok(Some(Found { inode, stat }))
}

/// `None` for what has just gone, or become something else.
pub fn still<T>(result: Result<T, Errno>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(named(error).into()),
    }
}

/// What the kernel shows in a directory of its own is nobody's file.
pub fn is_kernels(found: &Found) -> bool {
    /// proc, sysfs, devpts, cgroup2, cgroup and mqueue (`man 2 statfs`).
    const KERNELS: [i64; 6] = [0x9fa0, 0x6265_6572, 0x1cd1, 0x6367_7270, 0x0027_e0eb, 0x1980_0202];
    let kind = fs::fstatfs(&found.inode).map(|found| found.f_type);
    kind.is_ok_and(|kind| KERNELS.contains(&kind))
}

/// Makes a directory, or opens the one that is there.
pub fn make_directory(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd> {
    match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(named(error)).with_context(|| cannot(Path::new(name))),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::openat(parent, name, flags, Mode::empty()) {
        Err(Errno::NOTDIR | Errno::LOOP) => {
            bail!(
                "cannot overwrite non-directory \"{0}\" with directory \"{0}\"",
                super::archive::shown(Path::new(name))
            )
        }
        other => other.map_err(named).with_context(|| cannot(Path::new(name))),
    }
}

/// Makes something that must not be there yet; what is there goes first, unless it is a directory.
pub fn replacing<T>(parent: BorrowedFd<'_>, name: &OsStr, make: impl Fn() -> Result<T, Errno>) -> Result<T> {
    for _ in 0..100 {
        match make() {
            Err(Errno::EXIST) => {}
            other => return Ok(other.map_err(named)?),
        }
        match fs::unlinkat(parent, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                bail!(
                    "cannot overwrite directory \"{0}\" with non-directory \"{0}\"",
                    super::archive::shown(Path::new(name))
                )
            }
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(named(error).into()),
        }
    }
    bail!("somebody makes it again and again")
}

/// Opens what was just made, the link itself where it is one.
pub fn open_made(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(parent, name, flags, Mode::empty()).map_err(named)?)
}
