//! When to make the image anew: a record of all files that were looked at.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::edition;
use crate::digest::Digest;
use crate::store::Store;

/// How a file was when it was looked at; nothing if it was not there. Content that changes changes one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp(Option<(u64, i64, i64, u64)>);

impl Stamp {
    /// Size, seconds and nanoseconds of the last modification, inode; of a link itself, not of what it points to.
    pub fn of(path: &Path) -> Self {
        let status = path.symlink_metadata().ok();
        Self(status.map(|status| (status.size(), status.mtime(), status.mtime_nsec(), status.ino())))
    }
}

/// What an image was made of. It stands beside the store's own files: another machine's stamps would tell nothing.
#[derive(Debug)]
pub struct Record {
    /// The digest of the manifest.
    pub image: Digest,
    pub sources: BTreeMap<PathBuf, Stamp>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    edition: Digest,
    image: Digest,
    sources: BTreeMap<PathBuf, Stamp>,
}

const FILE: &str = "host-tools.json";

impl Record {
    /// The record of a store; nothing if there is none, or none that this edition of the code wrote.
    pub fn read(store: &Store) -> Option<Self> {
        let text = std::fs::read(store.root().join(FILE)).ok()?;
        let written: Written = serde_json::from_slice(&text).ok()?;
        (written.edition == edition()).then_some(Self { image: written.image, sources: written.sources })
    }

    /// Whether all files are as they were.
    pub fn is_current(&self) -> bool {
        self.sources.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
    }

    /// Writes the record, whole or not at all.
    pub fn write(self, store: &Store) -> Result<()> {
        let path = store.root().join(FILE);
        let written = Written { edition: edition(), image: self.image, sources: self.sources };
        let write = || -> Result<()> {
            let file = tempfile::NamedTempFile::new_in(store.root().join("tmp"))?;
            file.as_file().write_all(&serde_json::to_vec(&written)?)?;
            file.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}
