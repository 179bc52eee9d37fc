//! Paths below the container's root, resolved by the kernel as if it were `/` already.
//!
//! The root file system may come from strangers: each of its directories can be a link to
//! somewhere on the host. `openat2` with RESOLVE_IN_ROOT never leaves it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{
    FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstat, fstatfs, mkdirat, openat, openat2,
    readlinkat,
};
use rustix::io::Errno;

// ANCHOR: contained
/// An open root directory, below which everything is looked up.
#[derive(Debug)]
pub struct Contained(OwnedFd);

impl Contained {
    /// Takes the open root directory.
    pub fn new(root: OwnedFd) -> Self {
        Self(root)
    }
    // ANCHOR_END: contained

    // ANCHOR: open
    /// Opens a path below the root, with the kernel as the guard (`man 2 openat2`). The last
    /// component is followed only if `flags` do not say O_NOFOLLOW.
    ///
    /// # Errors
    /// ENOENT, ELOOP and the like, as `openat2` gives them.
    pub fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 128;
        loop {
            // EAGAIN: something was renamed while the kernel looked, and it cannot be sure. Who
            // renames for ever shall not keep us for ever.
            match openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
                Err(Errno::AGAIN | Errno::INTR) if tries > 0 => tries -= 1,
                other => return other,
            }
        }
    }
    // ANCHOR_END: open

    // ANCHOR: directory
    /// The directory at `path`, made if it is not there. A link or a file in its place is
    /// refused.
    ///
    /// # Errors
    /// Not a directory; or it is not there and cannot be made.
    pub fn directory(&self, path: &Path) -> Result<OwnedFd> {
        let found = match self.open(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Err(Errno::NOENT) => return self.make(path, FileType::Directory, LINKS),
            other => other?,
        };
        match FileType::from_raw_mode(fstat(&found)?.st_mode) {
            FileType::Directory => Ok(found),
            FileType::Symlink => bail!("the root file system has a symbolic link there, not a directory"),
            _ => bail!("the root file system has something else there, not a directory"),
        }
    }
    // ANCHOR_END: directory

    // ANCHOR: followed
    /// What is at `path`, links followed inside the root; made if it is not there: a directory
    /// as the target for a directory, an empty file for anything else.
    ///
    /// # Errors
    /// A directory where a file goes or the other way round, the root itself, something in
    /// /proc; or it is not there and cannot be made.
    pub fn followed(&self, path: &Path, kind: FileType) -> Result<OwnedFd> {
        let found = match self.open(path, OFlags::PATH) {
            Err(Errno::NOENT) => self.make(path, kind, LINKS)?,
            other => other?,
        };
        let (status, root) = (fstat(&found)?, fstat(&self.0)?);
        if (status.st_dev, status.st_ino) == (root.st_dev, root.st_ino) {
            bail!("it leads to '/', which cannot be covered");
        }
        if fstatfs(&found)?.f_type == PROC_SUPER_MAGIC {
            bail!("it is inside /proc, where only the kernel shall speak");
        }
        let is_directory = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
        match (kind == FileType::Directory, is_directory) {
            (true, false) => bail!("a directory cannot be mounted on a file"),
            (false, true) => bail!("a file cannot be mounted on a directory"),
            _ => Ok(found),
        }
    }
    // ANCHOR_END: followed

    // ANCHOR: make
    /// Walks to `path`, and makes what is missing on the way. A link to something that is not
    /// there is followed too: images have /etc/resolv.conf point into an empty /run.
    fn make(&self, path: &Path, kind: FileType, links: usize) -> Result<OwnedFd> {
        let mut walked = PathBuf::from("/");
        let mut here = self.open(&walked, OFlags::PATH | OFlags::DIRECTORY)?;
        let mut parts =
            path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
        while let Some(part) = parts.next() {
            let is_last = parts.clone().next().is_none();
            let wanted = if is_last { kind } else { FileType::Directory };
            walked.push(part);
            here = match self.open(&walked, OFlags::PATH) {
                Err(Errno::NOENT) => match self.link(&walked) {
                    Some(_) if links == 0 => return Err(Errno::LOOP.into()),
                    Some(link) => {
                        walked.pop();
                        let path = walked.join(link).join(parts.collect::<PathBuf>());
                        return self.make(&path, kind, links - 1);
                    }
                    None => make_one(here.as_fd(), part.as_os_str(), wanted)
                        .and_then(|()| self.open(&walked, OFlags::PATH | OFlags::NOFOLLOW)),
                },
                other => other,
            }
            .with_context(|| format!("cannot make {} in the root file system", walked.display()))?;
        }
        Ok(here)
    }

    /// Where a link points to; `None` if there is none at this path.
    fn link(&self, path: &Path) -> Option<PathBuf> {
        let found = self.open(path, OFlags::PATH | OFlags::NOFOLLOW).ok()?;
        let text = readlinkat(found, "", Vec::new()).ok()?;
        Some(OsStr::from_bytes(text.as_bytes()).into())
    }
}

/// So many links the kernel follows, too (`man 7 path_resolution`).
const LINKS: usize = 40;

/// If it is there by now, another container was faster, with the same root file system.
fn make_one(parent: BorrowedFd<'_>, name: &OsStr, kind: FileType) -> Result<(), Errno> {
    let made = match kind {
        FileType::Directory => mkdirat(parent, name, Mode::from_raw_mode(0o755)),
        _ => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
        }
    };
    match made {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

impl AsFd for Contained {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
// ANCHOR_END: make
