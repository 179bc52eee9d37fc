//! A folder in `tmp/` in which somebody is at work.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::locks::{Lock, hold_new_folder};
use super::{Store, remove_tree};

/// Ours as long as this lives, which others see by its lock; dropped, it is gone with all that is in it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: Lock,
}

impl Store {
    /// A new one. `prefix` says what for, to people.
    pub fn scratch(&self, prefix: &str) -> Result<Scratch> {
        let tmp = self.root.join("tmp");
        let make = || loop {
            let path = tempfile::Builder::new().prefix(prefix).tempdir_in(&tmp)?.keep();
            // Between its making and the lock somebody may have swept it away.
            if let Some(lock) = hold_new_folder(&path)? {
                return Ok::<_, std::io::Error>(Scratch { path, _lock: lock });
            }
        };
        make().with_context(|| format!("cannot make a folder in {}", tmp.display()))
    }
}

impl Scratch {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If this fails, the next writer sweeps `tmp/`.
        let _ = remove_tree(&self.path);
    }
}
