//! Blobs: content that is named by its hash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

use super::{Incoming, Store};
use crate::digest::{Digest, HashingReader};
use crate::manifest::{Descriptor, LARGEST_DOCUMENT};

impl Store {
    /// Whether a blob is here, by name and size.
    pub fn has_blob(&self, blob: &Descriptor) -> bool {
        let found = self.blob(&blob.digest).symlink_metadata();
        found.is_ok_and(|found| found.is_file() && found.len() == blob.size)
    }

    /// Whether a blob is here with the right content; if its content is wrong, it is removed. For whoever holds the lock
    /// of this blob.
    pub(super) fn has_verified_blob(&self, blob: &Descriptor) -> Result<bool> {
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

    /// Begins a blob whose digest and size are known, or goes on with it; `None` if it is here, by now: whoever gets the
    /// same one is waited for, which is told to `busy`.
    pub fn incoming(&self, expected: &Descriptor, busy: &dyn Fn()) -> Result<Option<Incoming>> {
        Incoming::new(self, expected, busy)
    }

    /// Opens a blob. Its content was verified when it came, and unpacking verifies it again.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.blob(digest);
        open_regular(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Reads a manifest, an index or a config, and verifies it.
    pub fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        self.verified(&descriptor.digest)
    }

    /// The same by its digest alone.
    pub(super) fn verified(&self, digest: &Digest) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        self.open_blob(digest)?
            .take(LARGEST_DOCUMENT + 1)
            .read_to_end(&mut text)
            .with_context(|| format!("cannot read blob {digest}"))?;
        ensure!(
            text.len() as u64 <= LARGEST_DOCUMENT && Digest::of(&text) == *digest,
            "blob {digest} is damaged"
        );
        Ok(text)
    }
}

/// Opens what must be a plain file: no link is followed, and no fifo waited for.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

// ANCHOR: write_whole
/// Writes a file whole or not at all, and returns when it is on the disk: a temporary file, renamed.
pub(super) fn write_whole(root: &Path, path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let file = NamedTempFile::new_in(root.join("tmp"))?;
        file.as_file().write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(root)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
// ANCHOR_END: write_whole
