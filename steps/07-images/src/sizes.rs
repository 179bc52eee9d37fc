//! How much room folders take.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::digest::Digest;
use crate::manifest::{Image, Layer};
use crate::store::Store;
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

/// The bytes of all files of all of the image's layers, as they are unpacked. What images share counts for each. A
/// layer that another tool brought and nobody has unpacked yet counts with the size of its blob.
///
/// # Errors
/// There can be no child that looks.
pub fn of_image(store: &Store, image: &Image) -> Result<u64> {
    let is_unpacked = |layer: &&Layer| store.layer(&layer.chain_id).is_dir();
    let (unpacked, packed): (Vec<_>, Vec<_>) = image.layers.iter().partition(is_unpacked);
    let sizes = of_layers(store, &unpacked.iter().map(|layer| layer.chain_id).collect::<Vec<_>>())?;
    Ok(sizes.into_iter().chain(packed.iter().map(|layer| layer.blob.size)).fold(0, u64::saturating_add))
}

/// The bytes of the files of each of these unpacked layers. They are measured once: a layer never changes.
///
/// # Errors
/// There can be no child that looks.
pub fn of_layers(store: &Store, chain_ids: &[Digest]) -> Result<Vec<u64>> {
    let note = |id: &Digest| store.root().join("sizes").join(id.hex());
    let known: Vec<Option<u64>> = chain_ids.iter().map(|id| noted(store, &id.hex())).collect();
    let unknown: Vec<&Digest> =
        chain_ids.iter().zip(&known).filter(|(_, size)| size.is_none()).map(|(id, _)| id).collect();
    let measured = of(unknown.iter().map(|id| store.layer(id)).collect())?;
    for (id, size) in unknown.iter().zip(&measured) {
        // Whoever may not write, or has no room, measures again.
        let _ = fs::create_dir(store.root().join("sizes"));
        let _ = fs::write(note(id), format!("{size}\n"));
    }
    let mut measured = measured.into_iter();
    Ok(known.into_iter().map(|size| size.or_else(|| measured.next()).unwrap_or(0)).collect())
}

/// The bytes of an unpacked layer, by the name of its tree.
pub fn of_tree(store: &Store, name: &str) -> u64 {
    noted(store, name).unwrap_or_else(|| below(store.root().join("layers").join(name)))
}

/// Half a note has no end of line.
fn noted(store: &Store, name: &str) -> Option<u64> {
    fs::read_to_string(store.root().join("sizes").join(name)).ok()?.strip_suffix('\n')?.parse().ok()
}

/// The bytes of a file, or of all files below a folder, for whoever may look into it.
pub fn of_any(path: &Path) -> u64 {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => below(path.to_owned()),
        Ok(found) => found.len(),
        Err(_) => 0,
    }
}

/// The bytes of all files below a folder, for whoever may look into it.
pub fn below(folder: PathBuf) -> u64 {
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
