//! The root file system: the image's layers below, the container's own changes above.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use nix::unistd::chdir;
use step03_pid::Isolation;

// ANCHOR: overlay
/// A mount of overlayfs (kernel documentation, filesystems/overlayfs). It is made inside the
/// container's mount namespace, so that the kernel unmounts it when the container has gone.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// The container's directory, which has `l`, `upper`, `work` and `merged`.
    pub directory: PathBuf,
    /// How many layers the image has.
    pub layers: usize,
    /// Whether nobody will want the changes after the container's end.
    pub volatile: bool,
}

impl Isolation for Overlay {
    fn in_container(&self) -> Result<()> {
        // Relative names are short and have no colon or comma in them: five hundred layers fit
        // into the one page that mount(2) takes as options.
        chdir(&self.directory).context("cannot enter the container's directory")?;
        let lower: Vec<_> = (0..self.layers).map(|layer| format!("l/{layer}")).collect();
        // The end of an overlay writes all of its file system to the disk, other people's files too, and the
        // container's last process waits for it. What is thrown away need not be safe before.
        let volatile = if self.volatile { ",volatile" } else { "" };
        let lower = lower.join(":");
        let options = format!("lowerdir={lower},upperdir=upper,workdir=work,userxattr{volatile}");
        // Root may place what an image has of device nodes, or make one. What may be opened is in /dev: through any other
        // node it would be the host's disk, for everybody in there whom the node's mode allows it.
        mount(Some("overlay"), "merged", Some("overlay"), MsFlags::MS_NODEV, Some(&*options))
            .context("cannot mount the image's layers with overlayfs")
    }
}

/// Makes what [`Overlay`] needs in `directory`. `layers` are the unpacked trees, the topmost
/// first; an image without any gets an empty one.
///
/// # Errors
/// The disk is full, or the directory cannot be written.
pub(crate) fn prepare(directory: &Path, layers: &[PathBuf]) -> Result<()> {
    let cannot = || format!("cannot write into {}", directory.display());
    for name in ["l", "upper", "work", "merged"] {
        fs::create_dir(directory.join(name)).with_context(cannot)?;
    }
    if layers.is_empty() {
        fs::create_dir(directory.join("l/0")).with_context(cannot)?;
    }
    for (number, layer) in layers.iter().enumerate() {
        symlink(layer, directory.join("l").join(number.to_string())).with_context(cannot)?;
    }
    // Of all the root directories the container sees the upper one: it must be like the image's.
    let (image, ours) = (directory.join("l/0"), directory.join("upper"));
    fs::metadata(image).and_then(|root| fs::set_permissions(ours, root.permissions())).with_context(cannot)
}
// ANCHOR_END: overlay
