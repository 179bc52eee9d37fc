//! One container's record.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Error, Result, ensure};
use serde::{Deserialize, Serialize};

use super::State;
use super::recipe::WORDS;
use crate::container::MountPoint;
use crate::digest::Digest;
use crate::names::is_id;

/// What is known about a container but its state, in its directory.
pub(super) const CONFIG: &str = "config.json";

// ANCHOR: record
/// What is known about a container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The image, as it was asked for.
    pub image: String,
    /// The image's id: the digest of its config.
    pub image_id: Digest,
    /// The chain ids of the image's layers, the lowest first: they may not be removed.
    pub layers: Vec<Digest>,
    /// The command with its arguments, as it is run.
    pub command: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: f64,
    /// Whether it is removed when it ends.
    pub remove: bool,
    /// The image's labels, and those that were asked for.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What is mounted in it: volumes among them.
    #[serde(default)]
    pub mounts: Vec<MountPoint>,
    /// How it is connected, as it was asked for: `default`, `host`, `container:ID` …
    #[serde(default)]
    pub network: String,
    /// Its host name.
    #[serde(default)]
    pub hostname: String,
    /// Whether it was run in the background: then its input does not end with the first who leaves.
    #[serde(default)]
    pub detached: bool,
    /// Kept in a file of its own, since it changes.
    #[serde(skip)]
    pub state: State,
}
// ANCHOR_END: record

impl Record {
    /// Reads both files. One that is missing or makes no sense is an error; but a container that was made to its end, and
    /// of which only the state is lost, has files that are somebody's work.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let mut record: Self = read(&directory.join(CONFIG))?;
        // It becomes a part of paths, and the beginning of it is shown.
        ensure!(
            is_id(&record.id) && directory.ends_with(&record.id),
            "{} is of another container",
            record.id
        );
        record.state = match read(&directory.join("state.json")) {
            Err(error) if Self::is_none(&error) && directory.join(WORDS).exists() => {
                State::lost(record.created)
            }
            state => state?,
        };
        Ok(record)
    }

    /// Whether this is the error of one that never was a record, or is none any more; and not of one that cannot be read
    /// just now.
    pub(super) fn is_none(error: &Error) -> bool {
        let absent = |cause: &(dyn std::error::Error + 'static)| {
            let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            matches!(kind, Some(ErrorKind::NotFound | ErrorKind::NotADirectory))
        };
        is_nonsense(error) || error.chain().any(absent)
    }

    pub(crate) fn write_config(&self, directory: &Path) -> Result<()> {
        write(&directory.join(CONFIG), &serde_json::to_vec(self)?)
    }

    pub(crate) fn write_state(&self, directory: &Path) -> Result<()> {
        write(&directory.join("state.json"), &serde_json::to_vec(&self.state)?)
    }
}

/// Whether it is there and cannot be understood.
pub(super) fn is_nonsense(error: &Error) -> bool {
    error.chain().any(|cause| cause.is::<serde_json::Error>())
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))
}

/// Whole or not at all: a reader sees the old file or the new one.
fn write(file: &Path, text: &[u8]) -> Result<()> {
    let half = file.with_extension("new");
    let written = match fs::write(&half, text).and_then(|()| fs::rename(&half, file)) {
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            let _ = fs::remove_file(&half);
            match in_its_place(file, text) {
                // There is no old one: what is wrong is that the disk is full.
                Err(absent) if absent.kind() == ErrorKind::NotFound => Err(error),
                other => other,
            }
        }
        other => other,
    };
    written.with_context(|| format!("cannot write {}", file.display()))
}

/// On a full disk there is no room for a second file, and the old one has room already. The end of a container
/// is worth it: its own log may be what has filled the disk.
fn in_its_place(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).open(file)?;
    file.write_all(text)?;
    file.set_len(text.len() as u64)
}
