//! From an entry's name to the directory that it belongs into.
//!
//! A name may lead through links, and the links may be in any layer: with `var/run -> /run` in one, `var/run/x` of
//! a later one is `run/x`, as if it had been unpacked on the finished tree (OCI image specification, layer.md,
//! "Applying Changesets"; umoci does the same). The kernel can follow links contained in one tree (openat2(2),
//! RESOLVE_IN_ROOT), but not through a stack that is not mounted yet, so here it is done by hand: from the root, name
//! by name; `..` stops at the root; and what comes out is a path without any link, which the kernel is told to open
//! as such.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use rustix::fs::{self, FileType, OFlags};

use super::metadata::{Metadata, named};
use super::paths;
use super::place::Placer;
use super::stack::{Merged, Seen, beneath};

/// As many links as the kernel follows in one path (path_resolution(7)).
const LINKS: usize = 40;

/// A directory of the layer that is being filled.
#[derive(Clone)]
pub struct Directory {
    /// Its path from the root, without links.
    pub path: PathBuf,
    pub inode: Rc<OwnedFd>,
}

/// What to do about a directory that the layer being filled does not have.
#[derive(Clone, Copy, PartialEq)]
pub enum Missing {
    /// Make it like the one of the lower layers; where there is none either, like `mkdir` by root.
    Make,
    Leave,
}

impl Placer {
    /// The directory for an entry's parent path, made where it is missing.
    pub fn parent(&mut self, path: &Path) -> Result<Directory> {
        // Neighbours in an archive are mostly neighbours in the tree.
        if let Some((last, directory)) = &self.last_parent
            && last == path
        {
            return Ok(directory.clone());
        }
        let directory = match beneath(self.top().as_fd(), path, OFlags::PATH | OFlags::DIRECTORY) {
            Ok(inode) => Directory { path: path.to_path_buf(), inode: Rc::new(inode) },
            Err(_) => {
                let (path, merged) =
                    self.resolve(path, Missing::Make)?.context("a directory was not made")?;
                Directory { path, inode: merged.top().context("a directory is not there")? }
            }
        };
        self.last_parent = Some((path.to_path_buf(), directory.clone()));
        Ok(directory)
    }

    // ANCHOR: resolve
    /// Follows all links of a directory's path through the stack. Nothing, where a part is missing and is left so.
    pub fn resolve(&mut self, path: &Path, missing: Missing) -> Result<Option<(PathBuf, Merged)>> {
        let mut ahead: VecDeque<OsString> = path.iter().map(OsStr::to_os_string).collect();
        let mut here = PathBuf::new();
        let mut directory = self.root.clone();
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                here.pop();
                directory = here.iter().try_fold(self.root.clone(), |above, name| above.enter(name))?;
                continue;
            }
            let next = here.join(&name);
            let seen = directory.look(&name)?;
            match seen.as_ref().map(Seen::kind) {
                Some(FileType::Symlink) => {
                    links += 1;
                    if links > LINKS {
                        bail!("too many links in {}", paths::shown(path));
                    }
                    let target = target(seen.as_ref())?;
                    if target.starts_with(b"/") {
                        (here, directory) = (PathBuf::new(), self.root.clone());
                    }
                    for name in names(&target).rev() {
                        ahead.push_front(name);
                    }
                    continue;
                }
                Some(FileType::Directory) | None => {}
                Some(_) => bail!("{} is no directory", paths::shown(&next)),
            }
            match (seen, missing) {
                (None, Missing::Leave) => return Ok(None),
                (None, Missing::Make) => {
                    self.make_directory(&next, &Metadata { mode: 0o755, ..Metadata::default() })?;
                }
                (Some(lower), Missing::Make) if lower.layer > 0 => {
                    self.make_directory(&next, &Metadata::of(lower.inode.as_fd(), &lower.stat)?)?;
                }
                (Some(_), _) => {}
            }
            directory = directory.enter(&name)?;
            here = next;
        }
        Ok(Some((here, directory)))
    }
    // ANCHOR_END: resolve
}

fn target(link: Option<&Seen>) -> Result<Vec<u8>> {
    let link = link.context("there is no link")?;
    Ok(fs::readlinkat(&link.inode, "", Vec::new()).map_err(named)?.into_bytes())
}

fn names(target: &[u8]) -> impl DoubleEndedIterator<Item = OsString> {
    let names = target.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.map(|name| OsStr::from_bytes(name).to_os_string())
}
