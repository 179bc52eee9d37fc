//! From one open directory into another.
//!
//! Whoever owns either of them may change it meanwhile. So a directory is opened anew by its path below the top one, with
//! no link allowed on the way, and what is in it is reached by its name alone.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};

use super::data::copy_data;
use super::entries::{directory, is_kernels, look, make_directory, open_made, replacing, still};
use super::target::{Source, Target};
use super::tree::Found;
use crate::layers::{beneath, list, named};

/// Whom the copies belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Whoever copies: they come to the host.
    Us,
    /// Root: they go into the container.
    Root,
    /// The same user and group as what is copied, by their numbers.
    Source,
}

/// Copies, and remembers what it had to leave out.
#[derive(Debug)]
pub struct Copier {
    owner: Owner,
    /// Files with several names, as they are known so far: where the first of them is.
    links: HashMap<(u64, u64), PathBuf>,
    /// Directories that are filled, and get what each new entry would change last.
    directories: Vec<(PathBuf, Stat)>,
    left_out: Option<String>,
    /// Where the copies go, under all of its names: no directory is copied into itself, or there would be no end.
    own: Vec<(u64, u64)>,
    itself: Option<String>,
    /// How much was copied.
    pub bytes: u64,
}

impl Copier {
    /// Nothing is copied yet. `own`: where the host has the container's files.
    pub fn new(owner: Owner, own: Vec<(u64, u64)>) -> Self {
        let (links, directories) = (HashMap::new(), Vec::new());
        Self { owner, links, directories, left_out: None, own, itself: None, bytes: 0 }
    }

    // ANCHOR: copy
    /// Copies the source to where it goes.
    ///
    /// # Errors
    /// The one that the kernel tells, or a directory stands where a file goes, or the other way round.
    pub fn copy(&mut self, source: &Source, target: &Target) -> Result<()> {
        if source.found.kind() != FileType::Directory {
            let Target::Name(parent, name) = target else { bail!("cannot copy a file as a directory") };
            self.put(&source.found, parent.as_fd(), name, Path::new(name))?;
            return if self.left_out.is_none() { Ok(()) } else { bail!("cannot copy a device or a socket") };
        }
        if self.own.contains(&source.found.number()) {
            bail!("cannot copy a container's files into that container");
        }
        let from = directory(&source.found)?;
        match target {
            Target::Directory(to) => self.fill(from.as_fd(), to.as_fd()),
            Target::Name(parent, name) => {
                let to = make_directory(parent.as_fd(), name)?;
                self.fill(from.as_fd(), to.as_fd())?;
                self.describe(to.as_fd(), &source.found.stat).with_context(|| cannot(Path::new(name)))
            }
        }
    }

    /// Copies all that is in one directory into another.
    fn fill(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
        let top = fs::fstat(to).map_err(named).context("cannot look at where it goes")?;
        self.own.push((top.st_dev, top.st_ino));
        let mut pending = vec![PathBuf::new()];
        while let Some(path) = pending.pop() {
            // What has gone meanwhile, or has become a link, is not copied.
            let source = still(beneath(from, &path, OFlags::RDONLY | OFlags::DIRECTORY));
            let Some(source) = source.with_context(|| cannot(&path))? else { continue };
            let target = beneath(to, &path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(named);
            let target = target.with_context(|| cannot(&path))?;
            for (name, _) in list(source.as_fd(), Path::new(""))? {
                let path = path.join(&name);
                let Some(found) = look(source.as_fd(), &name)? else { continue };
                if found.kind() == FileType::Directory {
                    if is_kernels(&found) {
                        continue;
                    }
                    if self.own.contains(&found.number()) {
                        self.itself.get_or_insert_with(|| super::archive::shown(&path));
                        continue;
                    }
                    make_directory(target.as_fd(), &name)?;
                    self.directories.push((path.clone(), found.stat));
                    pending.push(path);
                } else if !self.link(&found, to, target.as_fd(), &name, &path)? {
                    self.put(&found, target.as_fd(), &name, &path)?;
                }
            }
        }
        for (path, stat) in std::mem::take(&mut self.directories).into_iter().rev() {
            let directory = beneath(to, &path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(named);
            directory
                .map_err(Into::into)
                .and_then(|it| self.describe(it.as_fd(), &stat))
                .with_context(|| cannot(&path))?;
        }
        Ok(())
    }

    /// Copies anything but a directory. What stands there already goes first: it is neither opened nor followed.
    fn put(&mut self, found: &Found, to: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<()> {
        let made = match found.kind() {
            FileType::RegularFile => replacing(to, name, || {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR)
            })
            .and_then(|file| {
                self.bytes += copy_data(found, &file)?;
                Ok(file)
            }),
            FileType::Symlink => {
                let link = found.link()?;
                replacing(to, name, || fs::symlinkat(&link, to, name)).and_then(|()| open_made(to, name))
            }
            FileType::Fifo => replacing(to, name, || fs::mknodat(to, name, FileType::Fifo, Mode::empty(), 0))
                .and_then(|()| open_made(to, name)),
            _ => {
                self.left_out.get_or_insert_with(|| super::archive::shown(path));
                return Ok(());
            }
        };
        made.and_then(|made| self.describe(made.as_fd(), &found.stat)).with_context(|| cannot(path))
    }
    // ANCHOR_END: copy

    /// A further name of a file that was copied before.
    fn link(
        &mut self,
        found: &Found,
        top: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
    ) -> Result<bool> {
        if found.kind() != FileType::RegularFile || found.stat.st_nlink < 2 {
            return Ok(false);
        }
        let Some(first) = self.links.get(&found.number()) else {
            self.links.insert(found.number(), path.to_owned());
            return Ok(false);
        };
        let folder = first.parent().unwrap_or(Path::new(""));
        let folder = beneath(top, folder, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(named)
            .with_context(|| cannot(path))?;
        let first = first.file_name().unwrap_or_default();
        replacing(to, name, || fs::linkat(&folder, first, to, name, AtFlags::empty()))
            .with_context(|| cannot(path))?;
        Ok(true)
    }

    /// Owner, mode and time. The order matters: a change of the owner clears the set-user-id bits.
    fn describe(&self, made: BorrowedFd<'_>, stat: &Stat) -> Result<()> {
        let owner = match self.owner {
            Owner::Us => None,
            Owner::Root => Some((0, 0)),
            Owner::Source => Some((stat.st_uid, stat.st_gid)),
        };
        if let Some((uid, gid)) = owner {
            let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            fs::chownat(made, "", uid, gid, AtFlags::EMPTY_PATH)
                .map_err(named)
                .context("cannot set its owner")?;
        }
        // A program of the container's would run on the host with the rights of whoever has copied it.
        let bits = if self.owner == Owner::Us { 0o1777 } else { 0o7777 };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            let path = format!("/proc/self/fd/{}", made.as_raw_fd());
            fs::chmod(path, Mode::from_raw_mode(stat.st_mode & bits))
                .map_err(named)
                .context("cannot set its mode")?;
        }
        let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ };
        let times = Timestamps { last_access: time, last_modification: time };
        fs::utimensat(made, "", &times, AtFlags::EMPTY_PATH).map_err(named).context("cannot set its time")
    }

    /// Sentences about what was left out, if something was.
    pub fn left_out(&self) -> impl Iterator<Item = String> {
        let devices = self
            .left_out
            .iter()
            .map(|first| format!("device nodes and sockets are left out (the first is {first})"));
        let itself = self.itself.iter().map(|first| format!("{first} is left out: the copies go there"));
        devices.chain(itself)
    }
}

pub(super) fn cannot(path: &Path) -> String {
    format!("cannot copy {}", super::archive::shown(path))
}
