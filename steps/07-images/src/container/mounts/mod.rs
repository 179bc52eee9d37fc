//! What is mounted over the layers: files of the host (bind), named volumes, memory (tmpfs).
//!
//! Three options say so, `-v`, `--mount` and `--tmpfs`, and an image can ask for volumes. All of them become one list.

mod csv;
mod list;
mod memory;
mod mount_option;
mod volume_option;

use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use step04_mount::Tmpfs;

pub(crate) use list::target_of_image;
pub use list::{all, entries};
pub use memory::tmpfs_option;
pub use mount_option::{mount_option, settle_mount};
pub use volume_option::{settle_volume, volume_option};

// ANCHOR: mount
/// One mount that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: Source,
    /// Where, as the container names it.
    pub target: PathBuf,
    /// Whether nothing below can be changed.
    pub read_only: bool,
    /// How it was said, as `inspect` shows it: `ro`, `z`.
    pub mode: String,
    /// The words that said so.
    pub asked: String,
}

/// The kinds of mounts that one can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file or directory of the host.
    Bind {
        /// On the host.
        path: PathBuf,
        /// Make a directory if nothing is there, as `-v` does.
        create: bool,
        /// Whether what the host mounts below later is seen too, or the other way round.
        propagation: Propagation,
    },
    /// A volume that we keep. Without a name it belongs to this one container.
    Volume {
        /// Its name.
        name: Option<String>,
        /// Whether an empty one is filled with what the image has there.
        fill: bool,
        /// Of `--mount type=volume,volume-label=…`, for a volume that is not there yet.
        labels: Vec<(String, String)>,
    },
    /// A file system in memory, which goes with the container.
    Tmpfs(Tmpfs),
}

/// Whether mounts made on one side appear on the other (`man 7 mount_namespaces`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// Neither way.
    #[default]
    Private,
    /// What the host mounts later appears in the container.
    Slave,
}
// ANCHOR_END: mount

/// A mount as the record has it, in the words of `docker inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MountPoint {
    /// `bind`, `volume` or `tmpfs`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Of a volume.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// On the host.
    pub source: PathBuf,
    /// In the container.
    pub destination: PathBuf,
    /// Of a volume: always `local`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// As it was asked for.
    pub mode: String,
    /// Whether it can be written to.
    #[serde(rename = "RW")]
    pub writable: bool,
    /// As it was asked for.
    pub propagation: String,
    /// Whether it is a volume that goes with this container.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
}

/// A path inside, cleaned as Docker cleans it: `/a/../b/` is `/b`.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

/// Where a mount may go: anywhere but over the root itself.
fn check_target(asked: &str, path: &Path) -> Result<PathBuf> {
    if !path.is_absolute() {
        bail!("invalid mount path: '{}' mount path must be absolute", path.display());
    }
    match clean(path) {
        root if root == Path::new("/") => {
            bail!("invalid volume specification: '{asked}': invalid specification: destination can't be '/'")
        }
        target => Ok(target),
    }
}

/// Docker's grammar of a volume's name.
///
/// # Errors
/// In Docker's words.
pub fn check_volume_name(name: &str) -> Result<()> {
    let is_first = |byte: u8| byte.is_ascii_alphanumeric();
    let is_allowed = |byte: u8| is_first(byte) || b"_.-".contains(&byte);
    if name.len() == 1 && name.bytes().all(is_first) {
        bail!(
            "create {name}: volume name is too short, names should be at least two alphanumeric characters"
        );
    }
    if !name.bytes().next().is_some_and(is_first) || !name.bytes().all(is_allowed) || name.len() > 255 {
        let name = crate::text::printable(name);
        bail!(
            "create {name}: \"{name}\" includes invalid characters for a local volume name, only \
             \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        );
    }
    Ok(())
}
