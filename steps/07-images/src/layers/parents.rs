//! From an entry's name to the directory that it belongs into.
//!
//! A name may lead through links, and the links may be in any layer: with `var/run -> /run` in one, `var/run/x` of
//! a later one is `run/x` (as if it had been unpacked on the finished tree: OCI image specification, layer.md,
//! "Applying Changesets"; umoci does the same). The kernel can follow links contained in one tree (openat2(2), RESOLVE_IN_ROOT), but
//! not through a stack that is not mounted yet, so here it is done by hand: from the root, name by name, `..` stops
//! at the root, and what comes out is a path without any link, which the kernel is then told to open as such.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use rustix::fs::{self, FileType, OFlags};

use super::metadata::{Metadata, named};
use super::paths;
use super::place::Placer;
use super::stack::beneath;

/// As many links as the kernel follows in one path (path_resolution(7)).
const LINKS: usize = 40;

/// A directory of the layer that is being filled.
pub struct Directory {
    /// Its path from the root, without links.
    pub path: PathBuf,
    pub inode: OwnedFd,
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
    pub fn parent(&mut self, path: &Path) -> Result<Rc<Directory>> {
        // Neighbours in an archive are mostly neighbours in the tree.
        if let Some((last, directory)) = &self.last_parent
            && last == path
        {
            return Ok(Rc::clone(directory));
        }
        let open =
            |placer: &Self, path: &Path| beneath(placer.stack.top(), path, OFlags::PATH | OFlags::DIRECTORY);
        let directory = match open(self, path) {
            Ok(inode) => Directory { path: path.to_path_buf(), inode },
            Err(_) => {
                let real = self.resolve(path, Missing::Make)?.context("it was not made")?;
                let inode = open(self, &real).map_err(named)?;
                Directory { path: real, inode }
            }
        };
        let directory = Rc::new(directory);
        self.last_parent = Some((path.to_path_buf(), Rc::clone(&directory)));
        Ok(directory)
    }

    // ANCHOR: resolve
    /// Follows all links of a directory's path through the stack. Nothing, where a part is missing and is to be left so.
    pub fn resolve(&mut self, path: &Path, missing: Missing) -> Result<Option<PathBuf>> {
        let mut ahead: VecDeque<OsString> = path.iter().map(OsStr::to_os_string).collect();
        let mut here = PathBuf::new();
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&name);
            let seen = self.stack.look(&next)?;
            match seen.as_ref().map(|seen| (seen.kind(), seen.layer)) {
                Some((FileType::Directory, 0)) => here = next,
                Some((FileType::Symlink, _)) => {
                    links += 1;
                    if links > LINKS {
                        bail!("too many links in {}", paths::shown(path));
                    }
                    let target = seen.map(|seen| fs::readlinkat(&seen.inode, "", Vec::new()).map_err(named));
                    let target = target.transpose()?.unwrap_or_default().into_bytes();
                    if target.starts_with(b"/") {
                        here = PathBuf::new();
                    }
                    let names =
                        target.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
                    for name in names.rev() {
                        ahead.push_front(OsStr::from_bytes(name).to_os_string());
                    }
                }
                Some((FileType::Directory, _)) | None => {
                    match (missing, &seen) {
                        (Missing::Leave, None) => return Ok(None),
                        (Missing::Leave, Some(_)) => {}
                        (Missing::Make, None) => {
                            self.make_directory(&next, &Metadata { mode: 0o755, ..Metadata::default() })?;
                        }
                        (Missing::Make, Some(lower)) => {
                            use std::os::fd::AsFd;
                            let metadata = Metadata::of(lower.inode.as_fd(), &lower.stat)?;
                            self.make_directory(&next, &metadata)?;
                        }
                    }
                    here = next;
                }
                Some(_) => bail!("{} is no directory", paths::shown(&next)),
            }
        }
        Ok(Some(here))
    }
    // ANCHOR_END: resolve
}
