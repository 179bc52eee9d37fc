//! What of a container's files is not the image's: the options of `run`.

use anyhow::Result;
use clap::Args;

use crate::container::{Mount, mount_option, tmpfs_option, volume_option};
use crate::human::bytes;

// ANCHOR: storage
/// The mounts of a container.
#[derive(Debug, Clone, Default, Args)]
pub struct StorageArgs {
    /// Mount a path of the host (/a, ./a) or a volume (a name): [SOURCE:]TARGET[:ro]
    #[arg(short, long = "volume", value_name = "SOURCE:TARGET", value_parser = |text: &str| whole(volume_option(text)))]
    pub volumes: Vec<Mount>,
    /// The same, key by key: type=bind|volume|tmpfs,source=…,target=…,readonly
    #[arg(long = "mount", value_name = "KEYS", value_parser = |text: &str| whole(mount_option(text)))]
    pub mounts: Vec<Mount>,
    /// Mount an empty file system in memory: TARGET[:size=…,mode=…,exec]
    #[arg(long, value_name = "TARGET", value_parser = |text: &str| whole(tmpfs_option(text)))]
    pub tmpfs: Vec<Mount>,
    /// Mount all that another container has mounted: NAME[:ro]
    #[arg(long, value_name = "CONTAINER")]
    pub volumes_from: Vec<String>,
    /// Allow no change of the root file system
    #[arg(long)]
    pub read_only: bool,
    /// How much /dev/shm takes: 64m
    #[arg(long, value_name = "BYTES", value_parser = bytes, allow_hyphen_values = true)]
    pub shm_size: Option<u64>,
}
// ANCHOR_END: storage

/// clap prints the outermost sentence of an error only.
fn whole(read: Result<Mount>) -> Result<Mount, String> {
    read.map_err(|error| format!("{error:#}"))
}
