//! Trees that may not be on the disk yet.
//!
//! To wait until the disk has all files of a layer takes longer than to make them. So nobody waits: a tree gets a *mark*
//! in `fresh/`, which holds the boot id of the machine (`man 5 proc`, /proc/sys/kernel/random/boot_id), and then its
//! name. A file system keeps the order of names, so whoever sees the tree after a power cut sees the mark as well, with
//! the id of another boot: that tree is doubtful, and is unpacked again from its blob, which has a hash. The next writer
//! lets the disk catch up, when most of it has long been written, and takes the marks away.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Store, Writer};
use crate::digest::Digest;

fn folder(root: &Path) -> PathBuf {
    root.join("fresh")
}

/// What tells one start of the machine from the next.
pub(crate) fn this_boot() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
}

/// Whether a tree may have been on its way to the disk when the machine went down.
pub(super) fn is_doubtful(root: &Path, chain_id: &Digest) -> bool {
    match fs::read_to_string(folder(root).join(chain_id.hex())) {
        Ok(boot) => !this_boot().is_ok_and(|this| this == boot),
        // Names that are not there are the rule; what cannot be read tells nothing good.
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

impl Store {
    /// Gives a tree its name. It is on the disk after the next writer has come, or else doubtful. If somebody else had
    /// the same one, who was faster, his stays.
    pub fn name_tree(&self, tree: &Path, chain_id: &Digest) -> Result<()> {
        let place = self.layer(chain_id);
        match this_boot() {
            Ok(this) => fs::create_dir_all(folder(&self.root))
                .and_then(|()| fs::write(folder(&self.root).join(chain_id.hex()), this))
                .context("cannot mark a tree")?,
            // Where nobody can tell one boot from the next, there is nothing but to wait.
            Err(_) => super::writer::sync(&self.root)?,
        }
        match fs::rename(tree, &place) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            other => other.with_context(|| format!("cannot make {}", place.display())),
        }
    }

    /// Makes room for a tree, if the one that is there is doubtful. Half gone it must not keep its name: it is moved
    /// away, to a place of the caller's.
    pub fn drop_doubtful(&self, chain_id: &Digest, away: &Path) -> Result<()> {
        let place = self.layer(chain_id);
        match fs::rename(&place, away) {
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => {
                other.with_context(|| format!("cannot remove {}, which may be damaged", place.display()))
            }
        }
    }

    /// Whether there is a tree that may be damaged.
    pub fn has_doubtful_tree(&self, chain_id: &Digest) -> bool {
        self.layer(chain_id).is_dir() && is_doubtful(&self.root, chain_id)
    }
}

impl Writer {
    /// Lets the disk catch up, and takes the marks of this boot away. A mark may be there before its tree has its name,
    /// and that tree would not be waited for.
    pub(super) fn settle(&self) -> Result<()> {
        let Ok(this) = this_boot() else { return Ok(()) };
        let marks =
            fs::read_dir(folder(&self.root)).into_iter().flatten().flatten().map(|entry| entry.path());
        let of_this_boot = |mark: &PathBuf| fs::read_to_string(mark).is_ok_and(|boot| boot == this);
        let has_its_tree = |mark: &PathBuf| {
            mark.file_name().is_some_and(|name| self.root.join("layers").join(name).is_dir())
        };
        let marks: Vec<PathBuf> = marks.filter(of_this_boot).filter(has_its_tree).collect();
        if marks.is_empty() {
            return Ok(());
        }
        self.sync()?;
        let taken = marks.iter().try_for_each(fs::remove_file);
        taken.context("cannot take the marks of what is on the disk away")
    }
}
