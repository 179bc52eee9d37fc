//! Removing what a later entry replaces.

use std::os::fd::BorrowedFd;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{self, AtFlags, FileType, OFlags};
use rustix::io::Errno;

use super::metadata::named;
use super::paths;
use super::stack::{beneath, is_whiteout, list};

/// Removes the file or the whole tree at `path`, if there is one.
///
/// Directories are listed one after the other, and removed backwards: however deep the tree is, one descriptor is open
/// at a time and the stack does not grow.
pub fn remove(root: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let cannot = || format!("cannot remove what stood at {} before", paths::shown(path));
    match unlink(root, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(error) => return Err(named(error)).with_context(cannot),
    }
    let mut directories = vec![path.to_path_buf()];
    let mut next = 0;
    while next < directories.len() {
        let directory = directories[next].clone();
        for (name, kind) in list(root, &directory)? {
            let path = directory.join(name);
            if kind == FileType::Directory {
                directories.push(path);
            } else {
                unlink(root, &path, AtFlags::empty()).map_err(named).with_context(cannot)?;
            }
        }
        next += 1;
    }
    for directory in directories.iter().rev() {
        unlink(root, directory, AtFlags::REMOVEDIR).map_err(named).with_context(cannot)?;
    }
    Ok(())
}

/// Removes the whiteouts below a directory that has become opaque: nothing is left for them to hide, and overlayfs shows
/// the names of whiteouts in a directory that it need not merge.
pub fn remove_whiteouts(root: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let mut directories = vec![path.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for (name, kind) in list(root, &directory)? {
            let path = directory.join(name);
            if kind == FileType::Directory {
                directories.push(path);
            } else if kind == FileType::CharacterDevice {
                let inode = beneath(root, &path, OFlags::PATH).map_err(named)?;
                if is_whiteout(&fs::fstat(&inode).map_err(named)?) {
                    unlink(root, &path, AtFlags::empty()).map_err(named)?;
                }
            }
        }
    }
    Ok(())
}

/// unlinkat(2) does not follow a link in the last place; the directory before it is opened without following any.
fn unlink(root: BorrowedFd<'_>, path: &Path, flags: AtFlags) -> Result<(), Errno> {
    let parent = beneath(root, path.parent().unwrap_or(Path::new("")), OFlags::PATH | OFlags::DIRECTORY)?;
    fs::unlinkat(parent, path.file_name().unwrap_or_default(), flags)
}
