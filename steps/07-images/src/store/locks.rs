//! Locks: who waits for whom.
//!
//! All are those of flock(2), so that the dead hold none:
//! - *writing*, one at a time, by whoever changes names or removes something. It is held for moments: what is long, to
//!   download and to unpack, needs it not. What is added appears by rename, so nobody who only looks waits for it;
//! - *reading*, shared, by whoever needs what he found to stay: from a look-up until a record names the layers.
//!   Removal waits for all of them. Nobody asks for *writing* while he holds *reading*;
//! - one of each image that is on its way in (`pulls/<hex>`): who wants the same waits, and what its manifest leads to
//!   is nobody's garbage;
//! - one of each blob that is on its way in (`tmp/partial-<hex>`): of two who want the same, one downloads;
//! - one of each folder in `tmp/` where somebody is at work. The sweep asks it, and not a clock.
//!
//! Who waits for one of the last three holds none that comes after it in this list, and no *writing*.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::{Store, Writer, remove_tree};
use crate::text::tell;

/// How often is looked whether a lock is free.
const STEP: Duration = Duration::from_millis(10);

/// A wait that is shorter is not worth a word: for who writes, and for who only looks who holds something.
const SILENT_STEPS: u32 = 100;
const SHORT_STEPS: u32 = 10;

/// Held while content must stay as it is.
#[derive(Debug)]
pub struct Lock(Flock<File>);

impl Store {
    /// The lock for *reading*: waits while something is being removed.
    pub fn reading(&self) -> Result<Lock> {
        self.lock(".", FlockArg::LockShared)
    }

    /// The lock for *writing*, and what may be done with it. Waits for other writers, and sweeps up after the dead.
    pub fn writer(&self) -> Result<Writer> {
        Writer::new(self.clone())
    }

    /// The lock for *writing*, for who has only a name to write: waits for no disk.
    pub fn writer_of_names(&self) -> Result<Writer> {
        Writer::of_names(self.clone())
    }

    pub(super) fn lock(&self, name: &str, kind: FlockArg) -> Result<Lock> {
        let path = self.root.join(name);
        let lock = File::open(&path).and_then(|file| wait(file, kind));
        lock.with_context(|| format!("cannot lock {}", path.display()))
    }

    /// The lock for writing, alone. That somebody else keeps it for long is said.
    pub(super) fn lock_for_writing(&self) -> Result<Lock> {
        let path = self.root.join("tmp");
        let cannot = || format!("cannot lock {}", path.display());
        for _ in 0..SILENT_STEPS {
            let file = File::open(&path).with_context(cannot)?;
            if let Some(lock) = attempt(file, FlockArg::LockExclusiveNonblock).with_context(cannot)? {
                return Ok(lock);
            }
            sleep(STEP);
        }
        tell("waiting for another command that writes into the image store");
        self.lock("tmp", FlockArg::LockExclusive)
    }
}

impl Lock {
    /// The file that is locked.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Whether what is locked still has this name: whoever held it before may have removed or renamed it.
    pub(super) fn is_of(&self, path: &Path) -> bool {
        let there = fs::symlink_metadata(path).map(|there| (there.dev(), there.ino()));
        let ours = self.0.metadata().map(|ours| (ours.dev(), ours.ino()));
        matches!((there, ours), (Ok(there), Ok(ours)) if there == ours)
    }
}

/// Locks the file of this name, which is made if it is not there. Waits for whoever holds it, and tells `busy` if it
/// takes longer than it does to look.
pub(super) fn hold_file(path: &Path, busy: &dyn Fn()) -> io::Result<Lock> {
    let mut steps = 0;
    loop {
        let lock = match attempt(make(path)?, FlockArg::LockExclusiveNonblock)? {
            Some(lock) => lock,
            None if steps < SHORT_STEPS => {
                sleep(STEP);
                steps += 1;
                continue;
            }
            None => {
                busy();
                wait(make(path)?, FlockArg::LockExclusive)?
            }
        };
        // Who held it before may have finished: then the name is free, or another file has it.
        if lock.is_of(path) {
            return Ok(lock);
        }
    }
}

/// Locks something that is there, if nobody holds it. What is no file and no folder nobody can hold.
pub(super) fn hold_if_free(path: &Path) -> Held {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return Held::Free;
    };
    match attempt(file, FlockArg::LockExclusiveNonblock) {
        Ok(Some(lock)) => Held::Ours(lock),
        Ok(None) => Held::Taken,
        Err(_) => Held::Free,
    }
}

/// Who holds something.
pub(super) enum Held {
    Ours(#[expect(dead_code, reason = "it is held, not used")] Lock),
    Taken,
    Free,
}

impl Held {
    pub fn is_free(&self) -> bool {
        !matches!(self, Self::Taken)
    }
}

/// Locks a folder that was just made; `None` if the sweep was faster.
pub(super) fn hold_new_folder(path: &Path) -> io::Result<Option<Lock>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let lock = wait(file, FlockArg::LockExclusive)?;
    Ok(lock.is_of(path).then_some(lock))
}

/// What is there is opened only if it is a plain file; otherwise it makes room.
fn make(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600).custom_flags(flags);
    if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        remove_tree(path)?;
    }
    options.open(path)
}

/// `None` if somebody else has it.
fn attempt(file: File, kind: FlockArg) -> io::Result<Option<Lock>> {
    match Flock::lock(file, kind) {
        Ok(lock) => Ok(Some(Lock(lock))),
        Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

fn wait(file: File, kind: FlockArg) -> io::Result<Lock> {
    let mut file = file;
    loop {
        match Flock::lock(file, kind) {
            Ok(lock) => return Ok(Lock(lock)),
            Err((again, Errno::EINTR)) => file = again,
            Err((_, errno)) => return Err(errno.into()),
        }
    }
}
