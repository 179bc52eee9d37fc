//! A side of the copy: everything below the host's root, or below a container's.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat2, readlinkat};
use rustix::io::Errno;

use super::entries::is_kernels;
use crate::layers::named;

/// Files, and how far a path leads among them.
#[derive(Debug)]
pub struct Tree {
    base: OwnedFd,
    resolve: ResolveFlags,
    /// Where the user is: whoever puts a container's files together is elsewhere by then.
    here: PathBuf,
    /// The container's name, for messages; empty for the host.
    pub container: String,
}

/// What stands at a path, opened with O_PATH: this very inode, whatever has its name later.
#[derive(Debug)]
pub struct Found {
    pub inode: OwnedFd,
    pub stat: Stat,
}

impl Found {
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// The file itself, whatever its names are.
    pub fn number(&self) -> (u64, u64) {
        (self.stat.st_dev, self.stat.st_ino)
    }

    /// The path by which the kernel knows it.
    pub fn path(&self) -> Option<PathBuf> {
        std::fs::read_link(format!("/proc/self/fd/{}", self.inode.as_raw_fd())).ok()
    }

    /// Where a link leads, in its own words.
    pub fn link(&self) -> Result<PathBuf> {
        let text = readlinkat(&self.inode, "", Vec::new()).map_err(named).context("cannot read a link")?;
        Ok(OsStr::from_bytes(text.as_bytes()).into())
    }
}

// ANCHOR: tree
impl Tree {
    /// The host's, from the current directory on: the user's own paths are trusted.
    pub fn host() -> Result<Self> {
        let base = open(".", DIRECTORY, Mode::empty())
            .map_err(named)
            .context("cannot open the current directory")?;
        let here = std::env::current_dir().unwrap_or_default();
        Ok(Self { base, resolve: ResolveFlags::empty(), here, container: String::new() })
    }

    /// What is below this root: for the kernel no path and no link leads out of it (`man 2 openat2`).
    pub fn below(root: OwnedFd, container: &str) -> Self {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Self { base: root, resolve, here: PathBuf::new(), container: container.to_owned() }
    }

    /// Opens what a path leads to.
    pub fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut tries = 128;
        loop {
            // EAGAIN: something was renamed while the kernel looked, and it cannot be sure.
            match openat2(&self.base, path, flags | OFlags::CLOEXEC, Mode::empty(), self.resolve) {
                Err(Errno::AGAIN | Errno::INTR) if tries > 0 => tries -= 1,
                other => return other,
            }
        }
    }
    // ANCHOR_END: tree

    /// What stands at a path; the link itself where it is one, unless links are to be followed.
    pub fn look(&self, path: &Path, follow: bool) -> Result<Option<Found>> {
        let flags = if follow { OFlags::PATH } else { OFlags::PATH | OFlags::NOFOLLOW };
        let inode = match self.open(path, flags) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => {
                bail!("cannot look at {}: {}", path.display().to_string().escape_debug(), named(error))
            }
            Ok(inode) => inode,
        };
        let stat = fstat(&inode).map_err(named)?;
        let found = Found { inode, stat };
        if !self.is_host() && is_kernels(&found) {
            // It has no length that could be copied, and says to each who asks what is true for him.
            let (path, name) = (path.display().to_string(), &self.container);
            let path = path.escape_debug();
            bail!(
                "Could not find the file {path} in container {name}: it is no file, but the kernel's answer\n\
                 ask in there, by the command: exec {name} cat {path}"
            );
        }
        Ok(Some(found))
    }

    /// Whether a directory is on the file system of the root, and not on one that is mounted below.
    pub fn is_on_the_root(&self, directory: BorrowedFd<'_>) -> bool {
        let device = |directory| fstat(directory).map(|found| found.st_dev).ok();
        device(directory) == device(self.base.as_fd())
    }

    /// A path of the host's, as it is said in messages.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(self.here.join(path)).unwrap_or_else(|_| path.to_owned())
    }

    pub fn is_host(&self) -> bool {
        self.container.is_empty()
    }
}

/// Only to stand on: nothing is read through it.
pub const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
