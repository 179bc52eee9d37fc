//! What a container has changed: its own directory, read beside the layers below.
//!
//! Overlayfs keeps all changes in the upper directory: what is new or was written to stands there whole, what was deleted
//! is a whiteout, and a directory that was made anew where an old one was removed is opaque.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{self, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::metadata::named;
use super::paths;
use super::stack::{beneath, is_opaque, is_whiteout, list};

/// What has happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is another one, or something in it is.
    Changed,
    /// It is gone.
    Deleted,
}

/// Where a container's own mounts are attached: the places are made for them, if the image has none.
const PLACES: [&str; 7] = ["dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc"];

/// A directory that is there, with the layers that have a part in it: 0 is the upper one. No descriptor is kept for it,
/// or a tree of ten thousand directories would need as many.
struct Folder {
    path: PathBuf,
    layers: Vec<usize>,
    /// Whether what only lower layers have in it is gone.
    opaque: bool,
}

struct Comparison {
    roots: Vec<OwnedFd>,
    found: BTreeMap<PathBuf, Change>,
    folders: Vec<Folder>,
}

/// Compares a container's upper directory with the layers below it, the top-most first. Paths are relative, and sorted.
///
/// # Errors
/// A directory cannot be read.
// ANCHOR: changes
pub fn changes(upper: &Path, lower: &[PathBuf]) -> Result<BTreeMap<PathBuf, Change>> {
    let all = std::iter::once(upper).chain(lower.iter().map(PathBuf::as_path));
    let root = Folder { path: PathBuf::new(), layers: (0..=lower.len()).collect(), opaque: false };
    let roots = all.map(open).collect::<Result<_>>()?;
    let mut comparison = Comparison { roots, found: BTreeMap::new(), folders: vec![root] };
    while let Some(folder) = comparison.folders.pop() {
        comparison.compare(&folder)?;
    }
    Ok(with_parents(comparison.found))
}

impl Comparison {
    fn compare(&mut self, folder: &Folder) -> Result<()> {
        let mut above = BTreeSet::new();
        for (name, _) in list(self.roots[0].as_fd(), &folder.path)? {
            self.compare_one(folder, &name)?;
            above.insert(name);
        }
        if folder.opaque {
            for name in self.names_below(folder)?.difference(&above) {
                if self.below(folder, name)?.is_some() {
                    self.found.insert(folder.path.join(name), Change::Deleted);
                }
            }
        }
        Ok(())
    }

    fn compare_one(&mut self, folder: &Folder, name: &OsStr) -> Result<()> {
        let path = folder.path.join(name);
        let Some(ours) = self.look(0, &path)? else { return Ok(()) };
        let before = self.below(folder, name)?;
        let change = match &before {
            Some(_) if is_whiteout(&ours) => Change::Deleted,
            None if is_whiteout(&ours) => return Ok(()),
            None => Change::Added,
            Some((_, before)) if differ(before, &ours) => Change::Changed,
            // Something below it may be.
            Some(_) => return self.descend(folder, path, &ours),
        };
        self.found.insert(path.clone(), change);
        self.descend(folder, path, &ours)
    }
    // ANCHOR_END: changes

    /// Goes into a directory of the upper one, and into what lower layers have under its name.
    fn descend(&mut self, parent: &Folder, path: PathBuf, ours: &Stat) -> Result<()> {
        if !is_directory(ours) {
            return Ok(());
        }
        let directory = self.open(0, &path)?;
        let opaque =
            parent.opaque || directory.is_some_and(|directory| is_opaque(directory.as_fd()).unwrap_or(false));
        let mut layers = vec![0];
        for layer in parent.layers.iter().filter(|layer| **layer > 0) {
            match self.look(*layer, &path)? {
                Some(found) if is_directory(&found) => layers.push(*layer),
                Some(_) => break,
                None => continue,
            }
            if self
                .open(*layer, &path)?
                .is_some_and(|directory| is_opaque(directory.as_fd()).unwrap_or(false))
            {
                break;
            }
        }
        self.folders.push(Folder { path, layers, opaque });
        Ok(())
    }

    /// What the layers below show under a name, and which of them has it.
    fn below(&self, folder: &Folder, name: &OsStr) -> Result<Option<(usize, Stat)>> {
        for layer in folder.layers.iter().filter(|layer| **layer > 0) {
            if let Some(found) = self.look(*layer, &folder.path.join(name))? {
                return Ok((!is_whiteout(&found)).then_some((*layer, found)));
            }
        }
        Ok(None)
    }

    fn names_below(&self, folder: &Folder) -> Result<BTreeSet<OsString>> {
        let mut names = BTreeSet::new();
        for layer in folder.layers.iter().filter(|layer| **layer > 0) {
            names.extend(list(self.roots[*layer].as_fd(), &folder.path)?.into_iter().map(|(name, _)| name));
        }
        Ok(names)
    }

    fn look(&self, layer: usize, path: &Path) -> Result<Option<Stat>> {
        match beneath(self.roots[layer].as_fd(), path, OFlags::PATH) {
            Ok(inode) => Ok(Some(fs::fstat(&inode).map_err(named)?)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => bail!("cannot look at {}: {}", paths::shown(path), named(error)),
        }
    }

    fn open(&self, layer: usize, path: &Path) -> Result<Option<OwnedFd>> {
        match beneath(self.roots[layer].as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => bail!("cannot open {}: {}", paths::shown(path), named(error)),
        }
    }
}

fn open(path: &Path) -> Result<OwnedFd> {
    fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(named)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn is_directory(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::Directory
}

/// A file that was opened for writing was copied up, changed or not. The size and the time of a directory tell nothing.
fn differ(before: &Stat, ours: &Stat) -> bool {
    let is_other = |of: fn(&Stat) -> (u32, u32, u32, u64)| of(before) != of(ours);
    is_other(|found| (found.st_mode, found.st_uid, found.st_gid, found.st_rdev))
        || !is_directory(ours)
            && (before.st_size, before.st_mtime, before.st_mtime_nsec)
                != (ours.st_size, ours.st_mtime, ours.st_mtime_nsec)
}

/// Without the places of our own mounts; and a directory in which something has changed has changed itself.
fn with_parents(mut found: BTreeMap<PathBuf, Change>) -> BTreeMap<PathBuf, Change> {
    for place in PLACES {
        let place = Path::new(place);
        let is_used = found.keys().any(|path| path != place && path.starts_with(place));
        if found.get(place) == Some(&Change::Added) && !is_used {
            found.remove(place);
        }
    }
    let paths: Vec<PathBuf> = found.keys().cloned().collect();
    for path in paths {
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            found.entry(parent.to_path_buf()).or_insert(Change::Changed);
        }
    }
    found
}
