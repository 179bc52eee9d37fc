//! Blobs: content that is verified while it comes in, and once more when it is read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

use super::Store;
use crate::digest::{Digest, Hasher};
use crate::manifest::{Descriptor, LARGEST_DOCUMENT};

/// A blob on its way in: a file in `tmp/` that gets its name when its size and its hash are right, and vanishes if
/// it is dropped before.
#[derive(Debug)]
pub struct Incoming {
    file: NamedTempFile,
    hasher: Hasher,
    expected: Descriptor,
    place: PathBuf,
}

impl Incoming {
    pub(super) fn new(store: &Store, expected: &Descriptor) -> Result<Self> {
        let folder = store.root().join("tmp");
        let file = NamedTempFile::new_in(&folder)
            .with_context(|| format!("cannot make a file in {}", folder.display()))?;
        Ok(Self {
            file,
            hasher: Hasher::default(),
            expected: expected.clone(),
            place: store.blob(&expected.digest),
        })
    }

    /// How many bytes are here.
    pub fn position(&self) -> u64 {
        self.hasher.length()
    }

    /// Takes the next piece. Fails as soon as there is more than was expected.
    pub fn write(&mut self, piece: &[u8]) -> Result<()> {
        let Descriptor { digest, size, .. } = self.expected;
        let room = size - self.position();
        ensure!(
            piece.len() as u64 <= room,
            "blob {digest} is longer than the {size} bytes that the manifest tells"
        );
        self.hasher.update(piece);
        let written = self.file.write_all(piece);
        written.with_context(|| format!("cannot write {}", self.file.path().display()))
    }

    /// Forgets what is here.
    pub fn restart(&mut self) -> Result<()> {
        let file = self.file.as_file_mut();
        file.set_len(0).and_then(|()| file.rewind())?;
        self.hasher = Hasher::default();
        Ok(())
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.position() == self.expected.size
    }

    /// Gives the blob its name, if it is what was expected. It is on the disk when this returns.
    pub fn keep(self) -> Result<()> {
        let Descriptor { digest, size, .. } = self.expected;
        let (came, is) = (self.position(), self.hasher.digest());
        ensure!(came == size, "blob {digest} has {came} bytes, but the manifest tells {size}");
        ensure!(is == digest, "blob {digest} has other content: its digest is {is}");
        let cannot = || format!("cannot write {}", self.place.display());
        self.file.as_file().sync_all().with_context(cannot)?;
        self.file.persist(&self.place).with_context(cannot)?;
        Ok(())
    }
}

impl Store {
    /// Whether a blob is here, by name and size.
    pub fn has_blob(&self, blob: &Descriptor) -> bool {
        let found = self.blob(&blob.digest).symlink_metadata();
        found.is_ok_and(|found| found.is_file() && found.len() == blob.size)
    }

    /// Opens a blob. Its content was verified when it came, and unpacking verifies it again.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.blob(digest);
        open_regular(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Reads a manifest, an index or a config, and verifies it.
    pub fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let digest = descriptor.digest;
        let mut text = Vec::new();
        self.open_blob(&digest)?
            .take(LARGEST_DOCUMENT + 1)
            .read_to_end(&mut text)
            .with_context(|| format!("cannot read blob {digest}"))?;
        ensure!(
            text.len() as u64 <= LARGEST_DOCUMENT && Digest::of(&text) == digest,
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

/// Writes a file whole or not at all, and returns when it is on the disk: a temporary file, renamed.
pub(super) fn write_whole(root: &Path, path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = NamedTempFile::new_in(root.join("tmp"))?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(root)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
