//! What may be done by the one who holds the lock for writing.

use std::fs::{self, File};
use std::io::Read;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use super::index::Index;
use super::{Lock, Store, incoming};
use crate::digest::{Digest, HashingReader};
use crate::manifest::Descriptor;
use crate::names::Reference;
use crate::text::tell;

/// The store, held for writing.
#[derive(Debug)]
pub struct Writer {
    pub(super) store: Store,
    #[expect(dead_code, reason = "it is held, not used")]
    lock: Lock,
    /// Something has a name that is not on the disk yet, and that nobody can be asked for again.
    unsynced: AtomicBool,
    /// How many bytes the dead had left.
    swept: u64,
}

impl Deref for Writer {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Writer {
    pub(super) fn new(store: Store) -> Result<Self> {
        let mut writer = Self::of_names(store)?;
        writer.swept = incoming::sweep(&writer.root, |path, error| {
            tell(format_args!("warning: cannot remove {}: {error}", path.display()));
        })?;
        writer.settle()?;
        Ok(writer)
    }

    pub(super) fn of_names(store: Store) -> Result<Self> {
        let lock = store.lock_for_writing()?;
        Ok(Self { store, lock, unsynced: AtomicBool::new(false), swept: 0 })
    }

    pub(super) fn swept(&self) -> u64 {
        self.swept
    }

    /// Returns when all that was written is on the disk. One syncfs(2) costs less than an fsync(2) for each file.
    pub fn sync(&self) -> Result<()> {
        sync(&self.root)?;
        self.unsynced.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Adds what we made ourselves: the digest is whatever it turns out to be.
    pub fn add(&self, media_type: &str, content: &mut dyn Read) -> Result<Descriptor> {
        let cannot = "cannot write into the image store";
        let file = NamedTempFile::new_in(self.root.join("tmp")).context(cannot)?;
        let mut content = HashingReader::new(content);
        std::io::copy(&mut content, &mut file.as_file()).context(cannot)?;
        file.as_file().sync_all().context(cannot)?;
        let digest = content.digest();
        file.persist(self.blob(&digest)).context(cannot)?;
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size: content.length(),
            platform: None,
            annotations: Default::default(),
        })
    }

    /// Makes a file from a [`Scratch`](super::Scratch), whose content was hashed, the blob of this digest. It is on the disk after the next
    /// [`Writer::sync`].
    pub fn adopt(&self, file: &Path, digest: &Digest) -> Result<()> {
        self.unsynced.store(true, Ordering::Relaxed);
        fs::rename(file, self.blob(digest)).context("cannot write into the image store")
    }

    /// Keeps an image that has no name, unless it has one already.
    pub fn add_nameless(&self, manifest: &Descriptor) -> Result<()> {
        self.sync()?;
        let mut index = Index::read(&self.root)?;
        index.add(manifest)?;
        index.write(&self.root)
    }

    // ANCHOR: tag
    /// Names an image, as the last act of whatever brought it here.
    pub fn tag(&self, reference: &Reference, manifest: &Descriptor) -> Result<()> {
        // The names of the blobs must be on the disk before something points to them.
        if self.unsynced.load(Ordering::Relaxed) {
            self.sync()?;
        }
        let blobs = self.root.join("blobs/sha256");
        File::open(blobs)
            .and_then(|folder| folder.sync_all())
            .context("cannot write into the image store")?;
        let mut index = Index::read(&self.root)?;
        index.tag(&reference.to_string(), manifest)?;
        index.write(&self.root)
    }
    // ANCHOR_END: tag
}

pub(super) fn sync(root: &Path) -> Result<()> {
    let sync = || Ok::<_, std::io::Error>(rustix::fs::syncfs(File::open(root)?)?);
    sync().context("cannot write the images to the disk")
}
