//! How much room folders take.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use anyhow::Result;

use crate::task;

// ANCHOR: sizes
/// The bytes of all files below each of the folders, as Docker counts them: a file with several names once,
/// directories not at all. Only a user namespace may look into the folders of its ids, so a child does it.
///
/// # Errors
/// There can be no child.
pub fn of(folders: Vec<PathBuf>) -> Result<Vec<u64>> {
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let answer = task::ask_child(move || {
        let sizes = folders.iter().map(|folder| below(folder.clone()).to_string());
        Ok(sizes.collect::<Vec<_>>().join(" ").into_bytes())
    })?;
    Ok(String::from_utf8_lossy(&answer).split(' ').filter_map(|size| size.parse().ok()).collect())
}
// ANCHOR_END: sizes

fn below(folder: PathBuf) -> u64 {
    let (mut folders, mut bytes, mut counted) = (vec![folder], 0, HashSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) if found.is_file() && (found.nlink() == 1 || counted.insert(found.ino())) => {
                    bytes += found.len();
                }
                _ => {}
            }
        }
    }
    bytes
}
