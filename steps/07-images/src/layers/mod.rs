//! Layers: archives of changes, placed one upon the other.
//!
//! An image is a list of tar archives. The first holds a whole tree, each later one only what changed: new and changed
//! files, and for what was deleted a *whiteout*, an empty file `.wh.NAME` (OCI image specification, layer.md). Here
//! each archive becomes a directory of its own, in the form in which overlayfs wants it, so that images share the
//! layers that they have in common and the kernel puts them together at the mount.
//!
//! Nothing that an archive says is believed: see `place` for how names are kept inside the tree.
//!
//! In reading order:

mod ahead;
mod changes;
mod decompress;
mod header;
mod ids;
mod links;
mod metadata;
mod parents;
mod paths;
mod pax;
mod place;
mod remove;
mod stack;
mod walk;
mod whiteouts;

pub use changes::{Change, changes};
pub(crate) use decompress::by_magic;
pub(crate) use metadata::named;
pub(crate) use stack::{beneath, list};
pub(crate) use walk::{Entry, Kind, Walk};
pub(crate) use whiteouts::{Meaning, meaning};

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

pub(crate) use metadata::{LeftOut, Metadata};

use crate::digest::{Digest, HashingReader};

/// Unpacks one compressed layer into the empty directory `into`, in overlayfs form: a deleted file is a character
/// device 0:0, a directory whose older content is hidden has the extended attribute `user.overlay.opaque` = `y`
/// (to be mounted with the option `userxattr`; kernel documentation, filesystems/overlayfs).
///
/// `number` counts from 1 and serves the messages alone. `lower` are the unpacked directories of the layers below, the
/// top-most first (the order of overlayfs' own `lowerdir=`): an entry's parent directory, or the target of a hard
/// link, may be theirs. `diff_id` is the digest of the uncompressed archive, which is read to its last byte.
///
/// The process must be root, or root in a user namespace. Returns one sentence for each kind of thing that was left
/// out (device nodes without the rights to make them, extended attributes that are the host's business).
///
/// # Errors
/// One line that names layer and entry. `into` then holds a part of the layer: the caller removes it.
pub fn unpack(
    number: usize,
    blob: &mut (dyn Read + Send),
    diff_id: &Digest,
    lower: &[PathBuf],
    into: &Path,
) -> Result<Vec<String>> {
    place_all(blob, diff_id, lower, into).with_context(|| format!("layer {number}"))
}

/// Only looks whether a layer's content is what the image says: for one whose tree is here already, so that nobody would
/// notice otherwise.
///
/// # Errors
/// It is not, or it is not compressed as its first bytes say.
pub fn verify(number: usize, blob: &mut dyn Read, diff_id: &Digest) -> Result<()> {
    let mut digest = || -> Result<Digest> {
        let mut content = HashingReader::new(decompress::by_magic(blob)?);
        io::copy(&mut content, &mut io::sink()).context("cannot decompress it")?;
        Ok(content.digest())
    };
    digest().and_then(|digest| compare(&digest, diff_id)).with_context(|| format!("layer {number}"))
}

fn compare(digest: &Digest, diff_id: &Digest) -> Result<()> {
    ensure!(digest == diff_id, "the uncompressed content has the digest {digest}, the image says {diff_id}");
    Ok(())
}

// ANCHOR: unpack
fn place_all(
    blob: &mut (dyn Read + Send),
    diff_id: &Digest,
    lower: &[PathBuf],
    into: &Path,
) -> Result<Vec<String>> {
    let mut placer = place::Placer::new(into, lower)?;
    let (complete, archive) = ahead::decompress_ahead(blob, |archive| {
        let mut walk = walk::Walk::new(archive);
        while let Some(entry) = walk.next_entry()? {
            placer
                .place(&entry, &mut walk)
                .with_context(|| format!("cannot place {}", paths::shown(&entry.path)))?;
        }
        walk.finish()
    })?;

    if archive.digest != *diff_id && !complete {
        bail!("unexpected end: the archive stops at byte {} without its closing blocks", archive.length);
    }
    compare(&archive.digest, diff_id)?;
    placer.finish()
}
// ANCHOR_END: unpack
