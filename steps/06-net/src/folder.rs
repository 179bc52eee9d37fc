//! Folders that belong to somebody as long as he lives.
//!
//! The lock on a folder is the kernel's: whoever holds it can die in any way, and it is free
//! (`man 2 flock`). A folder whose lock is free was left behind.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::id;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Uid, geteuid};
use step05_userns::is_root;

// ANCHOR: folder
/// A folder that is locked by us. Dropped, it is removed with all that is in it.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    _lock: Flock<File>,
}

impl Folder {
    /// Makes the folder, or takes it over from a dead owner; nothing if the owner lives.
    pub(crate) fn take(path: PathBuf) -> Result<Option<Self>> {
        let lock = lock(&path, FlockArg::LockExclusiveNonblock)?;
        Ok(lock.map(|lock| Self { path, _lock: lock }))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Removed while it is locked: nobody else can think that it is his.
        let _ = fs::remove_dir_all(&self.path);
        remove_base();
    }
}
// ANCHOR_END: folder

// ANCHOR: lock
/// Locks a folder, which is made if it is not there. Nothing if somebody else has the lock and
/// we do not wait for it.
pub(crate) fn lock(path: &Path, how: FlockArg) -> Result<Option<Flock<File>>> {
    let say = || format!("cannot lock {}", path.display());
    loop {
        match DirBuilder::new().mode(0o700).create(path) {
            // Whoever was the last has just removed the folder around it.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                base()?;
                continue;
            }
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error).with_context(say),
            _ => {}
        }
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            other => other.with_context(say)?,
        };
        let file = match Flock::lock(file, how) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err(errno).with_context(say),
        };
        // The owner before us may have removed it while we waited: then we hold a lock on
        // something that has no name any more.
        let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let named = fs::symlink_metadata(path).map(number).ok();
        if named == file.metadata().map(number).ok() {
            return Ok(Some(file));
        }
    }
}
// ANCHOR_END: lock

// ANCHOR: own
/// A folder for what belongs to the container of this process.
pub(crate) fn of_this_process() -> Result<Folder> {
    let base = base()?;
    // The number may be in use in another pid namespace that sees the same folders.
    for number in 0.. {
        if let Some(folder) = Folder::take(base.join(format!("{FILES}{}-{number}", id())))? {
            return Ok(folder);
        }
    }
    bail!("cannot find a free name in {}", base.display())
}

/// Removes what dead owners have left.
pub(crate) fn sweep() -> Result<()> {
    for entry in fs::read_dir(base_path()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(FILES) {
            Folder::take(entry.path())?;
        }
    }
    // Somebody may have died when there was nothing in it yet.
    remove_base();
    Ok(())
}

const FILES: &str = "files-";
// ANCHOR_END: own

// ANCHOR: base
/// The folder for all that lives as long as a container, made if it is not there.
pub(crate) fn base() -> Result<PathBuf> {
    let path = base_path();
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot make {}", path.display()));
        }
        _ => {}
    }
    let found = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return base(),
        other => other.with_context(|| format!("cannot look at {}", path.display()))?,
    };
    if !found.is_dir() || Uid::from_raw(found.uid()) != geteuid() || found.mode() & 0o022 != 0 {
        bail!("cannot use {}: it is not a folder that is ours alone", path.display());
    }
    Ok(path)
}

/// /run/coracle for root, and a folder of the user's own for everybody else.
pub(crate) fn base_path() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        _ if is_root() => PathBuf::from("/run/coracle"),
        Some(folder) if folder.is_dir() => folder.join("coracle"),
        _ => std::env::temp_dir().join(format!("coracle-{}", geteuid())),
    }
}

/// Removes it, unless somebody has something in it.
pub(crate) fn remove_base() {
    let _ = fs::remove_dir(base_path());
}
// ANCHOR_END: base
