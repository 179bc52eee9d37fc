//! Paths below the container's root, resolved by the kernel as if it were `/` already.
//!
//! The root file system may come from strangers: each of its directories can be a link to
//! somewhere on the host. `openat2` with RESOLVE_IN_ROOT never leaves it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;

/// An open root directory, below which everything is looked up.
#[derive(Debug)]
pub struct Contained(OwnedFd);

impl Contained {
    /// Takes the open root directory.
    pub fn new(root: OwnedFd) -> Self {
        Self(root)
    }

    // ANCHOR: open
    /// Opens a path below the root, with the kernel as the guard (`man 2 openat2`). The last
    /// component is followed only if `flags` do not say O_NOFOLLOW.
    ///
    /// # Errors
    /// ENOENT, ELOOP and the like, as `openat2` gives them.
    pub fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            // EAGAIN: something was renamed while the kernel looked; it cannot be sure.
            match openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
    }
    // ANCHOR_END: open

    /// The directory at `path`, made if it is not there. A link or a file in its place is
    /// refused.
    ///
    /// # Errors
    /// Not a directory; or it is not there and cannot be made.
    pub fn directory(&self, path: &Path) -> Result<OwnedFd> {
        let found = match self.open(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Err(Errno::NOENT) => return self.make(path, FileType::Directory),
            other => other?,
        };
        match FileType::from_raw_mode(fstat(&found)?.st_mode) {
            FileType::Directory => Ok(found),
            FileType::Symlink => bail!("the root file system has a symbolic link there, not a directory"),
            _ => bail!("the root file system has something else there, not a directory"),
        }
    }

    /// What is at `path`, links followed inside the root; made if it is not there: a directory
    /// as the target for a directory, an empty file for anything else.
    ///
    /// # Errors
    /// A directory where a file goes or the other way round, or it cannot be made.
    pub fn followed(&self, path: &Path, kind: FileType) -> Result<OwnedFd> {
        let found = match self.open(path, OFlags::PATH) {
            Err(Errno::NOENT) => return self.make(path, kind),
            other => other?,
        };
        let is_directory = FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Directory;
        match (kind == FileType::Directory, is_directory) {
            (true, false) => bail!("a directory cannot be mounted on a file"),
            (false, true) => bail!("a file cannot be mounted on a directory"),
            _ => Ok(found),
        }
    }

    /// Makes the missing directories, then the last component.
    fn make(&self, path: &Path, kind: FileType) -> Result<OwnedFd> {
        let mut parent = self.open(Path::new("."), OFlags::PATH | OFlags::DIRECTORY)?;
        let mut walked = PathBuf::new();
        let names: Vec<_> = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        for (index, name) in names.iter().enumerate() {
            walked.push(name);
            let last = index + 1 == names.len();
            let making = || format!("cannot make {} in the root file system", walked.display());
            if last && kind != FileType::Directory {
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
                return openat(
                    &parent,
                    walked.file_name().unwrap_or_default(),
                    flags,
                    Mode::from_raw_mode(0o644),
                )
                .with_context(making);
            }
            match self.open(&walked, OFlags::PATH | OFlags::DIRECTORY) {
                Err(Errno::NOENT) => {
                    mkdirat(
                        parent.as_fd(),
                        walked.file_name().unwrap_or_default(),
                        Mode::from_raw_mode(0o755),
                    )
                    .with_context(making)?;
                    parent = self.open(&walked, OFlags::PATH | OFlags::DIRECTORY).with_context(making)?;
                }
                other => parent = other.with_context(making)?,
            }
        }
        Ok(parent)
    }
}

impl AsFd for Contained {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
