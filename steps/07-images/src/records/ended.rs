//! Which containers have ended: names alone tell, so that a thousand of them cost a command nothing.
//!
//! `ended/ID` stands beside `containers/ID` once the end is written down, and goes before the container is started
//! again. Whoever is killed in between leaves too few of these files, never one too many: a container without one is
//! looked at, and that is all.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

// ANCHOR: ended
/// The ids of those that have ended.
pub(super) fn all(containers: &Path) -> HashSet<OsString> {
    let entries = fs::read_dir(folder(containers)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).collect()
}

/// Notes that the container in this directory has ended. That it cannot be noted is no harm.
pub(super) fn note(directory: &Path) {
    let file = file(directory);
    if File::create(&file).is_err() {
        let _ = file.parent().map(fs::create_dir_all);
        let _ = File::create(&file);
    }
}

/// Forgets it again.
///
/// # Errors
/// The note is there and cannot be removed: nobody would look after the container.
pub(super) fn forget(directory: &Path) -> Result<()> {
    match fs::remove_file(file(directory)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot change {}", file(directory).display()))
        }
        _ => Ok(()),
    }
}
// ANCHOR_END: ended

fn folder(containers: &Path) -> PathBuf {
    containers.with_file_name("ended")
}

fn file(directory: &Path) -> PathBuf {
    let containers = directory.parent().unwrap_or(Path::new(""));
    folder(containers).join(directory.file_name().unwrap_or_default())
}
