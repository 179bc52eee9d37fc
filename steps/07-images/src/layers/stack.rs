//! The stack of layers, looked at as overlayfs will show it.
//!
//! A layer's archive is about the whole tree, but only its own directory is at hand to write to. What lies below counts
//! nevertheless: for a parent directory that is a link in a lower layer, for the mode of a directory that has no entry of
//! its own, for the target of a hard link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{self, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags};
use rustix::io::Errno;

use super::metadata::named;
use super::paths;

/// The attribute by which a directory hides those of the same name below (kernel documentation,
/// filesystems/overlayfs, "whiteouts and opaque directories").
const OPAQUE: &str = "user.overlay.opaque";

/// The directories of all layers, the one that is being filled first, then downwards.
pub struct Stack {
    layers: Vec<OwnedFd>,
}

/// What stands at a path of the stack.
pub struct Seen {
    /// 0 for the layer that is being filled, then downwards.
    pub layer: usize,
    /// Opened with O_PATH.
    pub inode: OwnedFd,
    pub stat: Stat,
}

impl Seen {
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
}

impl Stack {
    pub fn open(into: &Path, lower: &[PathBuf]) -> Result<Self> {
        let open = |path: &Path| {
            fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(named)
                .with_context(|| format!("cannot open {}", path.display()))
        };
        let paths = [into].into_iter().chain(lower.iter().map(PathBuf::as_path));
        Ok(Self { layers: paths.map(open).collect::<Result<_>>()? })
    }

    /// The directory that is being filled.
    pub fn top(&self) -> BorrowedFd<'_> {
        self.layers[0].as_fd()
    }

    /// The directory of a layer.
    pub fn layer(&self, number: usize) -> BorrowedFd<'_> {
        self.layers[number].as_fd()
    }

    // ANCHOR: look
    /// What stands at a path whose parents are known to be directories, or nothing.
    pub fn look(&self, path: &Path) -> Result<Option<Seen>> {
        for (layer, root) in self.layers.iter().enumerate() {
            match beneath(root.as_fd(), path, OFlags::PATH) {
                Ok(inode) => {
                    let stat = fs::fstat(&inode).map_err(named)?;
                    return Ok((!is_whiteout(&stat)).then_some(Seen { layer, inode, stat }));
                }
                Err(Errno::NOENT) if hides_below(root.as_fd(), path)? => return Ok(None),
                Err(Errno::NOENT) => {}
                // A file, a link or a whiteout stands where lower layers may have a directory.
                Err(Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(error) => bail!("cannot look at {}: {}", paths::shown(path), named(error)),
            }
        }
        Ok(None)
    }
    // ANCHOR_END: look

    /// The names that the root directories of the lower layers have.
    pub fn lower_root_names(&self) -> Result<Vec<PathBuf>> {
        let mut names = Vec::new();
        for root in &self.layers[1..] {
            names.extend(list(root.as_fd(), Path::new(""))?.into_iter().map(|(name, _)| name));
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

/// Whether one of the directories above `path` in this layer is opaque: then lower layers have no say below it.
fn hides_below(root: BorrowedFd<'_>, path: &Path) -> Result<bool> {
    let mut above: Vec<&Path> =
        path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
    above.reverse();
    for path in above {
        let directory = match beneath(root, path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => bail!("cannot look at {}: {}", paths::shown(path), named(error)),
        };
        match fs::fgetxattr(&directory, OPAQUE, &mut [0; 1]) {
            Ok(1) => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(error) => bail!("cannot read {OPAQUE} of {}: {}", paths::shown(path), named(error)),
        }
    }
    Ok(false)
}

/// The entries of the directory at a path, each with its kind.
pub fn list(root: BorrowedFd<'_>, path: &Path) -> Result<Vec<(PathBuf, FileType)>> {
    let cannot = || format!("cannot list {}", paths::shown(path));
    let directory =
        beneath(root, path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(named).with_context(cannot)?;
    let mut entries = Vec::new();
    for entry in fs::Dir::new(directory).map_err(named).with_context(cannot)? {
        let entry = entry.map_err(named).with_context(cannot)?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            let name = std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes());
            let name: &std::ffi::OsStr = name;
            entries.push((PathBuf::from(name), entry.file_type()));
        }
    }
    Ok(entries)
}
