//! How much room the images take, and how much of it `prune` gives back.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::collect::{Reached, manifests, names};
use super::incoming::partials;
use super::index::{Entry, Index};
use super::locks::hold_if_free;
use super::{Store, Use};
use crate::digest::Digest;
use crate::sizes;

/// A number of bytes, and how many of them nobody needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// All of them.
    pub bytes: u64,
    /// What goes if all images go that no container stands on.
    pub reclaimable: u64,
}

impl Room {
    fn add(&mut self, bytes: u64, is_needed: bool) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.reclaimable = self.reclaimable.saturating_add(if is_needed { 0 } else { bytes });
    }
}

impl Store {
    // ANCHOR: room
    /// What is on the disk of images: blobs as they travelled, trees that were unpacked from them, and what is not
    /// finished. It asks the same questions as [`Writer::prune`](super::Writer::prune), and removes nothing.
    ///
    /// # Errors
    /// The index cannot be read, or there can be no child that looks into the trees.
    pub fn room(&self, uses: &[Use]) -> Result<Room> {
        let index = Index::read(&self.root)?;
        // What is no image, or cannot be read, is not ours to remove.
        let stays = |entry: &Entry| match self.image(&entry.descriptor) {
            Ok(image) => uses.iter().any(|user| user.image == image.config_digest),
            Err(_) => true,
        };
        let (staying, going): (Vec<_>, Vec<_>) = index.entries().into_iter().partition(stays);
        let mut needed = manifests(&staying);
        needed.extend(self.on_their_way());
        let mut needed = Reached::of(self, &needed);
        needed.trees.extend(uses.iter().flat_map(|user| &user.layers).map(Digest::hex));
        let mut garbage = Reached::of(self, &manifests(&going)).blobs;
        garbage.extend(self.orphans(&index, &self.abandoned())?);

        let mut room = Room::default();
        for blob in names(&self.root.join("blobs/sha256"))? {
            let bytes = fs::symlink_metadata(self.root.join("blobs/sha256").join(&blob));
            let is_needed = needed.blobs.contains(&blob) || !garbage.contains(&blob);
            room.add(bytes.map_or(0, |found| found.len()), is_needed);
        }
        for (tree, bytes) in self.trees()? {
            room.add(bytes, needed.trees.contains(&tree));
        }
        self.add_unfinished(&mut room)?;
        Ok(room)
    }
    // ANCHOR_END: room

    fn trees(&self) -> Result<Vec<(String, u64)>> {
        let digest = |name: &String| format!("sha256:{name}").parse::<Digest>().ok();
        let trees: Vec<Digest> = names(&self.root.join("layers"))?.iter().filter_map(digest).collect();
        let sizes = sizes::of_layers(self, &trees)?;
        Ok(trees.iter().map(Digest::hex).zip(sizes).collect())
    }

    /// What is in `tmp/`. Half a tree may have files that only a child can see.
    fn add_unfinished(&self, room: &mut Room) -> Result<()> {
        let mut seen = HashSet::new();
        for (path, held) in partials(&self.root) {
            room.add(sizes::of_any(&path), !held.is_free());
            seen.insert(path);
        }
        let entries = fs::read_dir(self.root.join("tmp")).into_iter().flatten().flatten();
        let others: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !seen.contains(path)).collect();
        for (path, bytes) in others.iter().zip(sizes::of(others.clone())?) {
            room.add(bytes, !hold_if_free(path).is_free());
        }
        Ok(())
    }
}
