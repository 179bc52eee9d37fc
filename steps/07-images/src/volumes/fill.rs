//! A volume that is empty gets what the image has at its place, before it covers that.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat,
};
use rustix::io::Errno;
use step03_pid::Isolation;
use step04_mount::Contained;

use super::Volumes;
use crate::layers::{LeftOut, Metadata};

// ANCHOR: fill
/// Fills volumes from the layers, once they are mounted and nothing lies over them yet. It is done inside, where the
/// ids of the image have their meaning.
#[derive(Debug, Clone)]
pub struct Fill {
    /// The volumes.
    pub volumes: Volumes,
    /// The root file system.
    pub root: PathBuf,
    /// Those of the container.
    pub places: Vec<Place>,
}

/// Where a volume goes.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name.
    pub volume: String,
    /// Inside.
    pub target: PathBuf,
    /// Whether it gets what the image has there.
    pub is_filled: bool,
}

impl Isolation for Fill {
    fn in_container(&self) -> Result<()> {
        for place in &self.places {
            self.fill(place).with_context(|| format!("cannot fill the volume {}", place.volume))?;
        }
        Ok(())
    }
}

impl Fill {
    fn fill(&self, place: &Place) -> Result<()> {
        let data = self.volumes.data(&place.volume);
        let filling = data.with_file_name("filling");
        // Two containers may start at the same time.
        let _alone = self.volumes.lock(&place.volume)?;
        if filling.exists() {
            // Whoever began was killed. What is there is a part of what should be; what comes from here on is somebody's
            // work, also if this container has nothing to fill it with.
            for entry in fs::read_dir(&data)? {
                crate::store::remove_tree(&entry?.path())?;
            }
            fs::remove_file(&filling)?;
        } else if fs::read_dir(&data)?.next().is_some() {
            return Ok(());
        }
        if !place.is_filled {
            return Ok(());
        }
        let root = Contained::new(directory(rustix::fs::CWD, &self.root)?);
        // Links are followed as the container would follow them, and no further.
        let from = match root.open(&place.target, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            other => other?,
        };
        File::create(&filling)?;
        copy_directory(&from, &directory(rustix::fs::CWD, &data)?, 0)?;
        Ok(fs::remove_file(&filling)?)
    }
}
// ANCHOR_END: fill

/// A name is a name here: what was a link a moment ago is not followed. Another container may have the volume already.
fn directory(parent: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(
        parent,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// Deeper than this no image goes that people use; each level holds two descriptors.
const DEEPEST: usize = 400;

fn copy_directory(from: &OwnedFd, to: &OwnedFd, depth: usize) -> Result<()> {
    if depth > DEEPEST {
        anyhow::bail!("its directories are nested more than {DEEPEST} deep");
    }
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let said = || name.to_string_lossy().escape_debug().to_string();
        copy_one(from.as_fd(), to, name, depth).with_context(said)?;
    }
    let status = rustix::fs::fstat(from)?;
    let metadata = Metadata::of(from.as_fd(), &status)?;
    metadata.apply(to.as_fd(), FileType::Directory, &mut LeftOut::default())?;
    metadata.set_time(to.as_fd())
}

fn copy_one(from: BorrowedFd<'_>, to: &OwnedFd, name: &std::ffi::CStr, depth: usize) -> Result<()> {
    let status = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(status.st_mode);
    let new = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR;
    let made = match kind {
        FileType::Directory => {
            mkdirat(to, name, Mode::from_raw_mode(0o700))?;
            return copy_directory(&directory(from, name)?, &directory(to, name)?, depth + 1);
        }
        FileType::RegularFile => {
            let source =
                openat(from, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            let target = openat(to, name, new, Mode::from_raw_mode(0o600))?;
            let mut target = File::from(target);
            io::copy(&mut File::from(source), &mut target)?;
            OwnedFd::from(target)
        }
        FileType::Symlink => {
            symlinkat(readlinkat(from, name, Vec::new())?, to, name)?;
            open_path(to.as_fd(), name)?
        }
        FileType::Fifo => {
            mknodat(to, name, kind, Mode::from_raw_mode(0o600), 0)?;
            open_path(to.as_fd(), name)?
        }
        // A socket is nothing without its owner; and through a device node in a volume it could be opened, as in the
        // image it cannot.
        _ => return Ok(()),
    };
    keep_metadata(&open_path(from, name)?, &made, &status, kind)
}

fn keep_metadata(from: &OwnedFd, to: &OwnedFd, status: &Stat, kind: FileType) -> Result<()> {
    Metadata::of(from.as_fd(), status)?.apply(to.as_fd(), kind, &mut LeftOut::default())
}

fn open_path(parent: BorrowedFd<'_>, name: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
    openat(parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}
