//! A container in somebody's hands: whoever runs or removes it holds the lock on its directory.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use step03_pid::send_signal;

use super::record::CONFIG;
use super::{Containers, Record, Status, cannot, ended, recipe};
use crate::monitor::{KEPT, STOPPED};
use crate::store::this_boot;
use crate::task;
use crate::volumes::Volumes;

/// An empty file in the directory of a container that is being removed.
const GOES: &str = "goes";

/// A container that is ours to run or to remove: its directory is locked.
#[derive(Debug)]
pub struct Held {
    /// Where it keeps its files.
    pub directory: PathBuf,
    /// What is known about it.
    pub record: Record,
    pub(super) lock: File,
}

impl Held {
    /// Writes down how far the container has come.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write_state(&self) -> Result<()> {
        let has_ended = self.record.state.status == Status::Exited && !self.record.remove;
        if !has_ended {
            ended::forget(&self.directory)?;
        }
        self.record.write_state(&self.directory)?;
        if has_ended {
            ended::note(&self.directory);
        }
        Ok(())
    }

    /// The lock, to be handed on to another process.
    ///
    /// # Errors
    /// EMFILE: no descriptor is free.
    pub fn lock(&self) -> Result<OwnedFd> {
        self.lock.as_fd().try_clone_to_owned().context("cannot duplicate a descriptor")
    }

    /// What was handed on: the container's lock, which this process holds already.
    ///
    /// # Errors
    /// Somebody else has it.
    pub fn take_over(directory: PathBuf, lock: OwnedFd) -> Result<Self> {
        let lock = File::from(lock);
        flock(&lock, FlockOperation::NonBlockingLockExclusive).context("the container is not ours to run")?;
        let here = fs::metadata(&directory).with_context(|| cannot(&directory))?;
        let locked = lock.metadata().context("cannot look at the lock")?;
        if (here.dev(), here.ino()) != (locked.dev(), locked.ino()) {
            bail!("the lock is that of another container");
        }
        Ok(Self { record: Record::read(&directory)?, directory, lock })
    }

    /// Whether whoever made it was killed before it could be run.
    pub(super) fn is_half_made(&self) -> bool {
        self.record.state.status == Status::Created && !self.directory.join(recipe::WORDS).exists()
    }

    /// Ends the first process, and with it all others, if it lives although whoever ran it is dead: the kernel does not kill
    /// it along with its parent any more once it has changed its user, as the entrypoints of many images do
    /// (`man 2 PR_SET_PDEATHSIG`).
    pub(super) fn end_survivor(&self) -> Result<()> {
        let state = &self.record.state;
        // After a reboot the number is another process's, also if by chance that began at the same tick.
        if state.boot.is_none() || state.boot != this_boot().ok() {
            return Ok(());
        }
        let Some(process) = state.process()? else { return Ok(()) };
        match send_signal(&process, Signal::SIGKILL as i32) {
            Ok(()) => {}
            Err(nix::errno::Errno::ESRCH) => return Ok(()),
            Err(errno) => return Err(errno).with_context(|| format!("cannot end {}", self.record.name)),
        }
        let limit = Timespec { tv_sec: SURVIVAL, tv_nsec: 0 };
        let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit));
        Ok(())
    }

    /// Whether somebody wants it to stay down.
    pub fn is_stopped(&self) -> bool {
        self.directory.join(STOPPED).exists()
    }

    /// Whether somebody will start it again as soon as it has ended.
    pub fn is_kept(&self) -> bool {
        self.directory.join(KEPT).exists()
    }

    /// It is started, on somebody's wish.
    pub fn forget_stop(&self) {
        for wish in [STOPPED, KEPT] {
            let _ = fs::remove_file(self.directory.join(wish));
        }
    }

    /// Lets its file system be mounted once more. One that need not be safe leaves a mark against that, which is meant for
    /// what a power cut has left (kernel documentation, filesystems/overlayfs, "Volatile mount").
    ///
    /// # Errors
    /// The mark cannot be removed.
    pub fn allow_again(&self) -> Result<()> {
        let mark = self.directory.join("work/work/incompat");
        task::in_child(move || match mark.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            _ => crate::store::remove_tree(&mark).with_context(|| cannot(&mark)),
        })
    }

    /// Removes the container with all its files. If it was to be removed at its end, the volumes go along that were
    /// made for it alone.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove(self) -> Result<()> {
        if self.record.remove || self.is_half_made() {
            self.remove_volumes()?;
        }
        // Whoever is killed from here on leaves a container that is not whole: the next command goes on. First it must
        // not count as one that nobody needs to look at. A full disk is no reason to keep anything.
        ended::forget(&self.directory)?;
        let _ = File::create(self.directory.join(GOES));
        let removed = remove_directory(&self.directory);
        if removed.is_err() {
            let _ = fs::remove_file(self.directory.join(GOES));
        }
        drop(self.lock);
        removed
    }

    /// Whether somebody has begun to remove it.
    pub(super) fn goes(&self) -> bool {
        goes(&self.directory)
    }

    /// Removes the volumes that were made for this container alone, unless somebody else has them by now.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove_volumes(&self) -> Result<()> {
        let Some(directory) = self.directory.parent() else { return Ok(()) };
        let Some(root) = directory.parent() else { return Ok(()) };
        if self.record.mounts.iter().all(|mount| !mount.anonymous) {
            return Ok(());
        }
        let containers = Containers { directory: directory.to_owned() };
        Volumes::of(root).remove_of(&self.record, &containers.all()?)
    }
}

/// Whether somebody has begun to remove the container in this directory.
pub(super) fn goes(directory: &Path) -> bool {
    directory.join(GOES).exists()
}

/// How long one that was killed may take to end, in seconds.
const SURVIVAL: i64 = 5;

/// How often a directory is emptied into which others write.
const REMOVALS: usize = 100;

/// The record goes last, so that what is left after a kill in between is still known.
pub(super) fn remove_directory(directory: &Path) -> Result<()> {
    ended::forget(directory)?;
    for name in ["merged", "work", "upper", "l"] {
        let path = directory.join(name);
        if !path.exists() {
            continue;
        }
        // The ordinary user cannot remove what belongs to other ids of the container.
        if crate::store::remove_tree(&path).is_err() {
            let path = path.clone();
            task::in_child(move || crate::store::remove_tree(&path).with_context(|| cannot(&path)))?;
        }
    }
    // Before all others: what is left without it is no container.
    let _ = fs::remove_file(directory.join(CONFIG));
    for _ in 0..REMOVALS {
        match fs::remove_dir_all(directory) {
            // Somebody who wants it to stop wrote that down meanwhile.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => return other.with_context(|| cannot(directory)),
        }
    }
    Err(Errno::NOTEMPTY).with_context(|| cannot(directory))
}

/// A lock on a directory; `None` if another process has it. It is freed when the last copy of the
/// descriptor is closed, and not before: it can be handed on (`man 2 flock`).
pub(crate) fn try_lock(directory: &Path) -> Result<Option<File>> {
    let file = match File::open(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| cannot(directory))?,
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno).with_context(|| format!("cannot lock {}", directory.display())),
    }
}
