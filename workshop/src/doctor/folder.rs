//! A throw-away folder on the file system where coracle keeps its images.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use super::Role;

/// It is removed when it is dropped. What somebody who was killed could not remove is known by its name and by
/// its lock, which the kernel has opened.
pub struct Folder {
    path: PathBuf,
    _lock: Flock<File>,
}

const PREFIX: &str = ".coracle-doctor-";

impl Folder {
    /// Where this role has its images.
    pub fn beside_the_store(role: Role) -> Result<Self> {
        let place = match role {
            Role::Root => PathBuf::from("/var/lib"),
            Role::User => {
                let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
                std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or(home).unwrap_or_else(|| "/tmp".into())
            }
        };
        // The folder may not be there yet: the nearest one above it is on the same file system.
        let nearest = place.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
        sweep(nearest);
        Self::new(nearest).map_err(|error| anyhow!("cannot write to {}: {}", nearest.display(), error.kind()))
    }

    fn new(parent: &Path) -> std::io::Result<Self> {
        for number in 0.. {
            let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o755).create(&path) {
                // Of another pid namespace that sees the same folders.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            // Between the two calls another doctor may take it for one that was left, and remove it.
            let lock = File::open(&path).map(|file| Flock::lock(file, FlockArg::LockExclusive));
            if let Ok(Ok(lock)) = lock
                && path.exists()
            {
                return Ok(Self { path, _lock: lock });
            }
        }
        unreachable!("there is always a next number")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes what doctors who were killed have left here.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_ours
            && let Ok(file) = File::open(entry.path())
            && let Ok(_lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        {
            remove(&entry.path());
        }
    }
}

fn remove(folder: &Path) {
    // The kernel has made this folder for the overlay, and nobody may look into it: it could not be removed as one
    // that may have something in it.
    let _ = fs::set_permissions(folder.join("w/work"), Permissions::from_mode(0o700));
    let _ = fs::remove_dir_all(folder);
}
