//! Which places are meant: Docker's rules.
//!
//! | source | nothing there | a file there | a directory there |
//! |---|---|---|---|
//! | file | made; an error if the word ends with a slash | replaced | into it, under its own name |
//! | directory | made, and filled | an error | into it, under its own name |
//! | `directory/.` | made, and filled | an error | what is in it goes into it |

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{FileType, OFlags};

use super::tree::{DIRECTORY, Found, Tree};
use super::words::{Words, cleaned};

/// What is copied.
#[derive(Debug)]
pub struct Source {
    /// The inode itself.
    pub found: Found,
    /// What it is called, wherever it comes to lie.
    pub name: OsString,
    /// Only what is in the directory.
    pub is_content: bool,
}

/// Where it goes.
#[derive(Debug)]
pub enum Target {
    /// Into this directory, under this name.
    Name(OwnedFd, OsString),
    /// What is in the source goes into this directory.
    Directory(OwnedFd),
}

/// So many links the kernel follows, too (`man 7 path_resolution`).
const LINKS: usize = 40;

/// Finds what is copied. A link is copied as such, unless links are followed or the word says that it is a directory.
///
/// # Errors
/// Nothing is there, or no directory; in Docker's words.
pub fn source(tree: &Tree, words: &Words, follow: bool) -> Result<Source> {
    let path = &words.path;
    let Some(found) = tree.look(path, follow || words.is_directory)? else {
        match tree.is_host() {
            true => bail!("lstat {}: no such file or directory", shown(&tree.absolute(path))),
            false => bail!("Could not find the file {} in container {}", shown(path), tree.container),
        }
    };
    let is_directory = found.kind() == FileType::Directory;
    if words.is_directory && !is_directory {
        bail!("not a directory");
    }
    let name = match path.file_name() {
        Some(name) => Some(name.to_owned()),
        // `..` has a name that only the kernel knows; the root has none.
        None if tree.is_host() => found.path().and_then(|path| path.file_name().map(OsString::from)),
        None => None,
    };
    let is_content = is_directory && (words.is_content || name.is_none());
    Ok(Source { found, name: name.unwrap_or_default(), is_content })
}

// ANCHOR: target
/// Finds where it goes.
///
/// # Errors
/// It cannot go there; in Docker's words.
pub fn target(tree: &Tree, words: &Words, source: &Source) -> Result<Target> {
    let is_directory = source.found.kind() == FileType::Directory;
    let (path, found) = follow(tree, &words.path)?;
    match found.map(|found| found.kind()) {
        Some(FileType::Directory) => {
            let directory = tree.open(&path, DIRECTORY).with_context(|| cannot(&path))?;
            match source.is_content {
                true => Ok(Target::Directory(directory)),
                false => Ok(Target::Name(directory, source.name.clone())),
            }
        }
        Some(_) if is_directory => bail!("cannot copy directory"),
        Some(_) | None if words.is_directory && !is_directory => bail!("no such directory"),
        _ => {
            let name = path.file_name().context("it has no name")?.to_owned();
            Ok(Target::Name(parent(tree, &path)?, name))
        }
    }
}
// ANCHOR_END: target

/// The directory into which an archive is unpacked; `None` if there is no directory.
///
/// # Errors
/// It cannot be looked at.
pub fn existing_directory(tree: &Tree, words: &Words) -> Result<Option<OwnedFd>> {
    match tree.look(&words.path, true)? {
        Some(found) if found.kind() == FileType::Directory => {
            Ok(Some(tree.open(&words.path, DIRECTORY).with_context(|| cannot(&words.path))?))
        }
        _ => Ok(None),
    }
}

/// Where a path ends, also if it ends at a link to something that is not there yet. Each part is resolved on this side:
/// the container's links lead to the container's files.
fn follow(tree: &Tree, path: &Path) -> Result<(PathBuf, Option<Found>)> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match tree.look(&path, false)? {
            Some(found) if found.kind() == FileType::Symlink => {
                path = path.parent().unwrap_or(Path::new("")).join(found.link()?);
            }
            found => return Ok((path, found)),
        }
    }
    bail!("ELOOP: a link on the way to {} leads in a circle", shown(&path))
}

fn parent(tree: &Tree, path: &Path) -> Result<OwnedFd> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match tree.look(parent, true)? {
        Some(found) if found.kind() == FileType::Directory => {
            Ok(tree.open(parent, OFlags::union(DIRECTORY, OFlags::PATH)).with_context(|| cannot(parent))?)
        }
        _ if tree.is_host() => {
            bail!("invalid output path: directory \"{}\" does not exist", shown(&tree.absolute(parent)))
        }
        _ => bail!("Could not find the file {} in container {}", shown(&cleaned(parent)), tree.container),
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot open {}", shown(path))
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}
