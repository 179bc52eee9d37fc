//! `diff`: what a container has changed.

use std::os::unix::ffi::OsStrExt;

use anyhow::Result;
use clap::Args;

use super::Place;
use crate::layers::{Change, changes};
use crate::task;
use crate::text::{answer, visible};

/// List what a container has changed in its file system.
#[derive(Debug, Args)]
pub struct Diff {
    /// Its name or id
    container: String,
}

impl Diff {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let store = place.store()?;
        let record = place.containers()?.find(&self.container)?;
        let upper = store.root().join("containers").join(&record.id).join("upper");
        let lower: Vec<_> = record.layers.iter().rev().map(|layer| store.layer(layer)).collect();
        // Only a user namespace may look into the folders of its ids.
        let lines = task::ask_child(move || {
            let mut lines = String::new();
            for (path, change) in changes(&upper, &lower)? {
                let letter = match change {
                    Change::Added => 'A',
                    Change::Changed => 'C',
                    Change::Deleted => 'D',
                };
                lines.push_str(&format!("{letter} /{}\n", visible(path.as_os_str().as_bytes())));
            }
            Ok(lines.into_bytes())
        })?;
        answer(String::from_utf8_lossy(&lines))?;
        Ok(0)
    }
}
