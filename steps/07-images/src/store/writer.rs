//! What may be done by the one who holds the lock for writing.

use std::fs::{self, File};
use std::io::Read;
use std::ops::Deref;

use anyhow::{Context, Result};
use nix::fcntl::FlockArg;

use super::index::Index;
use super::remove::remove_tree;
use super::{Incoming, Lock, Store};
use crate::digest::HashingReader;
use crate::manifest::Descriptor;
use crate::names::Reference;
use crate::text::tell;

/// The store, held for writing.
#[derive(Debug)]
pub struct Writer {
    pub(super) store: Store,
    #[expect(dead_code, reason = "it is held, not used")]
    lock: Lock,
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
        // Only a writer leaves something there, and there is no other: this was left by the dead.
        let leftovers = store.root.join("tmp");
        for left in fs::read_dir(&leftovers).context("cannot read tmp of the store")? {
            let path = left?.path();
            if let Err(error) = remove_tree(&path) {
                tell(format_args!("warning: cannot remove {}: {error}", path.display()));
            }
        }
        Ok(Self { store, lock })
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

    /// Begins a blob whose digest and size are known.
    pub fn incoming(&self, expected: &Descriptor) -> Result<Incoming> {
        Incoming::new(&self.store, expected)
    }

    /// Adds what we made ourselves: the digest is whatever it turns out to be.
    pub fn add(&self, media_type: &str, content: &mut dyn Read) -> Result<Descriptor> {
        let cannot = "cannot write into the image store";
        let mut file = tempfile::NamedTempFile::new_in(self.root.join("tmp")).context(cannot)?;
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

    /// Names an image, as the last act of whatever brought it here.
    pub fn tag(&self, reference: &Reference, manifest: &Descriptor) -> Result<()> {
        // The names of the blobs must be on the disk before something points to them.
        let blobs = self.root.join("blobs/sha256");
        File::open(blobs)
            .and_then(|folder| folder.sync_all())
            .context("cannot write into the image store")?;
        let mut index = Index::read(&self.root)?;
        index.tag(&reference.to_string(), manifest)?;
        index.write(&self.root)
    }
}
