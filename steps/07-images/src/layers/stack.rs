//! The stack of layers, looked at as overlayfs will show it.
//!
//! A layer's archive is about the whole tree, but only its own directory is at hand to write to. What lies below counts
//! nevertheless: for a parent directory that is a link in a lower layer, for the mode of a directory that has no
//! entry of its own, for the target of a hard link.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use rustix::fs::{self, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags};
use rustix::io::Errno;

use super::metadata::named;
use super::paths;

/// The attribute by which a directory hides those of the same name below (kernel documentation,
/// filesystems/overlayfs, "whiteouts and opaque directories").
const OPAQUE: &str = "user.overlay.opaque";

/// A directory as the stack shows it: those of the layers that have a say in it, the top-most first. The first layer
/// is the one that is being filled.
#[derive(Clone)]
pub struct Merged {
    parts: Vec<Part>,
}

/// The directory of one layer; layers count from 0, the one that is being filled, downwards.
#[derive(Clone)]
struct Part {
    layer: usize,
    directory: Rc<OwnedFd>,
}

/// What stands under a name of a merged directory.
pub struct Seen {
    pub layer: usize,
    /// Opened with O_PATH.
    pub inode: OwnedFd,
    pub stat: Stat,
    /// The directory of its layer that it stands in.
    pub directory: Rc<OwnedFd>,
}

impl Seen {
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
}

impl Merged {
    /// The root directory of a stack.
    pub fn root(into: &Path, lower: &[PathBuf]) -> Result<Self> {
        let open = |(layer, path): (usize, &Path)| {
            let directory =
                fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                    .map_err(named)
                    .with_context(|| format!("cannot open {}", path.display()))?;
            Ok(Part { layer, directory: Rc::new(directory) })
        };
        let paths = [into].into_iter().chain(lower.iter().map(PathBuf::as_path));
        Ok(Self { parts: paths.enumerate().map(open).collect::<Result<_>>()? })
    }

    // ANCHOR: look
    /// What stands under a name: the top-most layer that has it decides, be it by a whiteout.
    pub fn look(&self, name: &OsStr) -> Result<Option<Seen>> {
        for Part { layer, directory } in &self.parts {
            match beneath(directory.as_fd(), Path::new(name), OFlags::PATH) {
                Ok(inode) => {
                    let stat = fs::fstat(&inode).map_err(named)?;
                    let seen = Seen { layer: *layer, inode, stat, directory: Rc::clone(directory) };
                    return Ok((!is_whiteout(&stat)).then_some(seen));
                }
                Err(Errno::NOENT) => {}
                Err(error) => bail!("cannot look at {}: {}", paths::shown(Path::new(name)), named(error)),
            }
        }
        Ok(None)
    }

    /// The directory under a name: of all layers down to where one has something else there, or an opaque directory.
    pub fn enter(&self, name: &OsStr) -> Result<Self> {
        let mut parts = Vec::new();
        for Part { layer, directory } in &self.parts {
            match beneath(directory.as_fd(), Path::new(name), OFlags::RDONLY | OFlags::DIRECTORY) {
                Ok(directory) => {
                    let opaque = is_opaque(directory.as_fd())?;
                    parts.push(Part { layer: *layer, directory: Rc::new(directory) });
                    if opaque {
                        break;
                    }
                }
                Err(Errno::NOENT) => {}
                Err(Errno::NOTDIR | Errno::LOOP) => break,
                Err(error) => bail!("cannot open {}: {}", paths::shown(Path::new(name)), named(error)),
            }
        }
        Ok(Self { parts })
    }
    // ANCHOR_END: look

    /// The directory of the layer that is being filled, if it has a part in this one.
    pub fn top(&self) -> Option<Rc<OwnedFd>> {
        self.parts.first().filter(|part| part.layer == 0).map(|part| Rc::clone(&part.directory))
    }

    /// The directory of the top-most lower layer that has a part in this one.
    pub fn below(&self) -> Option<Rc<OwnedFd>> {
        self.parts.iter().find(|part| part.layer > 0).map(|part| Rc::clone(&part.directory))
    }

    /// The names that lower layers have here.
    pub fn names_below(&self) -> Result<Vec<OsString>> {
        let mut names = Vec::new();
        for part in self.parts.iter().filter(|part| part.layer > 0) {
            names.extend(list(part.directory.as_fd(), Path::new(""))?.into_iter().map(|(name, _)| name));
        }
        Ok(names)
    }
}

/// Opens what is at a relative path below an open directory. No link is followed, not even in the last place, where
/// O_PATH opens the link itself (openat2(2)); the empty path is the directory itself.
pub fn beneath(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    fs::openat2(root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Whether this is how overlayfs writes "deleted": a character device 0:0.
pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Marks a directory as one that hides what lower layers have in it.
pub fn set_opaque(directory: BorrowedFd<'_>) -> Result<()> {
    fs::fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty())
        .map_err(named)
        .with_context(|| format!("cannot set {OPAQUE}"))
}

/// Whether it hides them.
pub fn is_opaque(directory: BorrowedFd<'_>) -> Result<bool> {
    match fs::fgetxattr(directory, OPAQUE, &mut [0; 1]) {
        Ok(length) => Ok(length == 1),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(false),
        Err(error) => Err(named(error)).with_context(|| format!("cannot read {OPAQUE}")),
    }
}

/// The names in the directory at a path, each with its kind.
pub fn list(root: BorrowedFd<'_>, path: &Path) -> Result<Vec<(OsString, FileType)>> {
    let cannot = || format!("cannot list {}", paths::shown(path));
    let directory =
        beneath(root, path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(named).with_context(cannot)?;
    let mut entries = Vec::new();
    for entry in fs::Dir::new(directory).map_err(named).with_context(cannot)? {
        let entry = entry.map_err(named).with_context(cannot)?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            entries.push((name.to_os_string(), entry.file_type()));
        }
    }
    Ok(entries)
}
