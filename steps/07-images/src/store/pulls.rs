//! Images on their way in: what a pull has brought is nobody's garbage while it runs, and its own once it has ended.
//!
//! Before anything of an image comes, whoever gets it makes `pulls/<hex>`, named by the manifest, and locks it. Whoever
//! removes garbage asks the locks. What a manifest leads to whose file is held stays; and a file that nobody holds is
//! of somebody who ended before his time, by ^C or kill -9 too: what he brought waits for the next pull, which goes on
//! with it, or for `prune`, which takes it away.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::collect::{Reached, manifests};
use super::incoming;
use super::index::Index;
use super::locks::{Held, Lock, hold_file, hold_if_free};
use super::{Store, Writer};
use crate::digest::Digest;
use crate::text::tell;

/// An image that we get. Dropped before its time, it waits for the next who wants it.
#[derive(Debug)]
pub struct Pulling {
    store: Store,
    manifest: Digest,
    path: PathBuf,
    _lock: Lock,
}

/// Who ended before his time.
pub(super) struct Abandoned {
    pub manifest: Digest,
    pub path: PathBuf,
    _lock: Held,
}

impl Store {
    // ANCHOR: pulling
    /// Says that we get this image, and waits for somebody else who does. From here on nothing that is here of it
    /// goes. The writer that comes along is for the manifest itself.
    pub fn pulling(&self, manifest: &Digest) -> Result<(Pulling, Writer)> {
        let path = self.pulls().join(manifest.hex());
        let busy = || tell("waiting for another command that gets the same image");
        let lock = hold_file(&path, &busy).with_context(|| format!("cannot lock {}", path.display()))?;
        let pulling = Pulling { store: self.clone(), manifest: *manifest, path, _lock: lock };
        // Who removes something just now has not seen our file. After him everybody will.
        let writer = self.writer()?;
        Ok((pulling, writer))
    }
    // ANCHOR_END: pulling

    fn pulls(&self) -> PathBuf {
        self.root.join("pulls")
    }

    /// The manifests of the images that somebody gets now.
    pub(super) fn on_their_way(&self) -> Vec<Digest> {
        self.announced().filter(|(_, path)| !hold_if_free(path).is_free()).map(|(digest, _)| digest).collect()
    }

    /// Those of whom nobody gets any more. As long as this is held, nobody begins again.
    pub(super) fn abandoned(&self) -> Vec<Abandoned> {
        let held = self.announced().map(|(manifest, path)| (hold_if_free(&path), manifest, path));
        let free = held.filter(|(held, ..)| held.is_free());
        free.map(|(_lock, manifest, path)| Abandoned { manifest, path, _lock }).collect()
    }

    fn announced(&self) -> impl Iterator<Item = (Digest, PathBuf)> {
        let entries = fs::read_dir(self.pulls()).into_iter().flatten().flatten();
        entries.filter_map(|entry| {
            let digest = format!("sha256:{}", entry.file_name().to_str()?).parse().ok()?;
            Some((digest, entry.path()))
        })
    }
}

impl Pulling {
    /// The image is here and has a name, or needs none.
    pub fn done(self) {
        // What fails here, `prune` makes good.
        let _ = fs::remove_file(&self.path);
    }

    /// Takes away what has come, where it is of no use to wait with it: the disk is full.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn give_up(self) -> Result<()> {
        let writer = self.store.writer_of_names()?;
        let mut needed = manifests(&Index::read(self.store.root())?.entries());
        needed.extend(self.store.on_their_way().into_iter().filter(|other| *other != self.manifest));
        let needed = Reached::of(&self.store, &needed).blobs;
        let brought: HashSet<String> = Reached::of(&self.store, &[self.manifest]).blobs;
        for blob in brought.difference(&needed) {
            writer.remove_blob(blob)?;
            incoming::remove_partial(self.store.root(), blob);
        }
        drop(writer);
        self.done();
        Ok(())
    }
}
