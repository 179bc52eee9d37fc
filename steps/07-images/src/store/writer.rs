//! What may be done by the one who holds the lock for writing.

use std::fs::{self, File};
use std::io::Read;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use nix::fcntl::FlockArg;
use tempfile::NamedTempFile;

use super::index::Index;
use super::{Incoming, Lock, Store, incoming};
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
}

impl Deref for Writer {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Writer {
    pub(super) fn new(store: Store) -> Result<Self> {
        let lock = match store.try_lock("tmp", FlockArg::LockExclusiveNonblock)? {
            Some(lock) => lock,
            None => {
                tell("waiting for another command that writes into the image store");
                store.lock("tmp", FlockArg::LockExclusive)?
            }
        };
        incoming::sweep(&store.root, |path, error| {
            tell(format_args!("warning: cannot remove {}: {error}", path.display()));
        })?;
        let writer = Self { store, lock, unsynced: AtomicBool::new(false) };
        writer.settle()?;
        Ok(writer)
    }

    /// Whether a blob is here with the right content; if its content is wrong, it is removed.
    pub fn has_verified_blob(&self, blob: &Descriptor) -> Result<bool> {
        if !self.has_blob(blob) {
            return Ok(false);
        }
        let mut content = HashingReader::new(self.open_blob(&blob.digest)?);
        let read = std::io::copy(&mut content, &mut std::io::sink());
        if read.is_ok() && content.digest() == blob.digest {
            return Ok(true);
        }
        let path = self.blob(&blob.digest);
        fs::remove_file(&path)
            .with_context(|| format!("cannot remove {}, which is damaged", path.display()))?;
        Ok(false)
    }

    /// Begins a blob whose digest and size are known, or goes on with it.
    pub fn incoming(&self, expected: &Descriptor) -> Result<Incoming> {
        Incoming::new(&self.store, expected)
    }

    /// Gives a blob its name, if it is what was expected. Nobody waits until it is on the disk: what a power cut makes of
    /// it has another size or another hash, and is fetched again.
    pub fn keep(&self, blob: Incoming) -> Result<()> {
        blob.keep()
    }

    /// Returns when all that was written is on the disk. One syncfs(2) costs less than an fsync(2) for each file.
    pub fn sync(&self) -> Result<()> {
        let sync = || Ok::<_, std::io::Error>(rustix::fs::syncfs(File::open(&self.root)?)?);
        sync().context("cannot write the images to the disk")?;
        self.unsynced.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Adds what we made ourselves: the digest is whatever it turns out to be.
    pub fn add(&self, media_type: &str, content: &mut dyn Read) -> Result<Descriptor> {
        let cannot = "cannot write into the image store";
        let mut file = NamedTempFile::new_in(self.root.join("tmp")).context(cannot)?;
        let mut content = HashingReader::new(content);
        std::io::copy(&mut content, &mut file).context(cannot)?;
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

    /// A file in `tmp/`, which is gone when it is dropped.
    pub fn temporary_file(&self) -> Result<NamedTempFile> {
        NamedTempFile::new_in(self.root.join("tmp")).context("cannot write into the image store")
    }

    /// Makes a file from `tmp/`, whose content was hashed, the blob of this digest. It is on the disk after the next
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
