//! What is in an archive: each file once on the disk, under a name of ours.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use tempfile::{NamedTempFile, TempPath};

use crate::digest::{Digest, HashingReader};
use crate::layers::{Kind, Walk, by_magic};
use crate::manifest::LARGEST_DOCUMENT;
use crate::store::{Scratch, Store};
use crate::text::printable;

/// More files than any image has layers.
const MOST: usize = 100_000;

/// Old Dockers wrote a layer that two images share once, and a link to it.
const MOST_LINKS: usize = 8;

/// The files of an archive, by the names that it gives them.
pub(super) struct Members(HashMap<PathBuf, Member>);

enum Member {
    File(Content),
    /// A link to another name of the same archive.
    Link(PathBuf),
    /// A folder, a device, a fifo …
    Other,
}

/// A file that is on the disk, in the store's `tmp`, and what is known of it.
pub(super) struct Content {
    pub path: TempPath,
    pub digest: Digest,
    pub size: u64,
}

impl Members {
    /// Reads a whole archive, compressed or not.
    pub fn read(folder: &Scratch, source: &mut dyn Read) -> Result<Self> {
        let mut archive = by_magic(source)?;
        let mut walk = Walk::new(&mut *archive);
        let mut members = HashMap::new();
        while let Some(entry) = walk.next_entry()? {
            ensure!(members.len() < MOST, "it has more than {MOST} files");
            let member = match entry.kind {
                Kind::File => Member::File(Content::take(folder, &mut walk)?),
                Kind::HardLink(target) => Member::Link(target),
                Kind::Symlink(target) => Member::Link(beside(&entry.path, &target)),
                Kind::Directory | Kind::Fifo | Kind::Device(..) => Member::Other,
            };
            members.insert(entry.path, member);
        }
        Ok(Self(members))
    }

    /// Whether there is something of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(Path::new(name))
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> Result<&Content> {
        let mut path = contained(Path::new(name));
        for _ in 0..MOST_LINKS {
            match self.0.get(&path) {
                Some(Member::File(content)) => return Ok(content),
                Some(Member::Link(target)) => path = target.clone(),
                Some(Member::Other) => bail!("{} is not a regular file", printable(name)),
                None => bail!("{} is missing", printable(name)),
            }
        }
        bail!("{} is a link without an end", printable(name))
    }

    /// The file with the content of this digest, where a layout has it. It is what it says.
    pub fn blob(&self, digest: &Digest) -> Result<&Content> {
        let content = self.file(&format!("blobs/sha256/{}", digest.hex()))?;
        ensure!(
            content.digest == *digest,
            "blob {digest} has other content: its digest is {}",
            content.digest
        );
        Ok(content)
    }
}

impl Content {
    fn take(folder: &Scratch, source: &mut dyn Read) -> Result<Self> {
        let cannot = "cannot unpack it into the image store";
        let file = NamedTempFile::new_in(folder.path()).context(cannot)?;
        let mut source = HashingReader::new(source);
        io::copy(&mut source, &mut file.as_file()).context(cannot)?;
        Ok(Self { digest: source.digest(), size: source.length(), path: file.into_temp_path() })
    }

    /// Reads a document.
    pub fn text(&self) -> Result<Vec<u8>> {
        ensure!(self.size <= LARGEST_DOCUMENT, "a document is longer than {LARGEST_DOCUMENT} bytes");
        std::fs::read(&self.path).context("cannot read a document of the archive")
    }

    /// Its file, to be read from the start.
    pub fn open(&self, store: &Store) -> Result<File> {
        // Another image of the archive may have made it a blob.
        match self.path.exists() {
            true => File::open(&self.path).context("cannot read a layer of the archive"),
            false => store.open_blob(&self.digest),
        }
    }

    /// Its first bytes, which tell how it is compressed.
    pub fn magic(&self) -> Result<[u8; 4]> {
        let mut magic = [0; 4];
        let file = File::open(&self.path).context("cannot read a layer of the archive")?;
        let mut start = Vec::new();
        file.take(4).read_to_end(&mut start)?;
        magic[..start.len()].copy_from_slice(&start);
        Ok(magic)
    }
}

/// Where a link of the archive leads, within the archive.
fn beside(link: &Path, target: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let target = Path::new(std::ffi::OsStr::from_bytes(target));
    contained(&link.parent().unwrap_or(Path::new("")).join(target))
}

/// The path without `.` and `..`, which lead nowhere above the archive's own root.
fn contained(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}
