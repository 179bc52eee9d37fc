//! The options of this step.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use step03_pid::Container;

use crate::table::check_target;
use crate::{Entry, MountNamespace, Root, Tmpfs, What};

// ANCHOR: args
/// What is the container's own about its file system.
#[derive(Debug, Clone, Args)]
pub struct MountArgs {
    /// The directory that becomes the root of the container
    #[arg(long, value_name = "DIRECTORY")]
    pub rootfs: PathBuf,
    /// Mount a file or directory of the host: HOST:CONTAINER[:ro]
    #[arg(short, long = "volume", value_name = "HOST:CONTAINER[:ro]")]
    pub volumes: Vec<Volume>,
    /// Mount an empty file system in memory
    #[arg(long, value_name = "CONTAINER")]
    pub tmpfs: Vec<PathBuf>,
    /// Allow no change of the root file system
    #[arg(long)]
    pub read_only: bool,
}
// ANCHOR_END: args

// ANCHOR: add_to
impl MountArgs {
    /// Adds the walls of this step.
    ///
    /// # Errors
    /// A directory that is not there, a path inside that is not absolute.
    pub fn add_to(&self, container: Container) -> Result<Container> {
        let path = self.rootfs.canonicalize();
        let path =
            path.with_context(|| format!("cannot use the root file system {}", self.rootfs.display()))?;
        let mut root = Root::new(path);
        root.read_only = self.read_only;
        for target in &self.tmpfs {
            check_target(target)?;
            let what = What::Tmpfs(Tmpfs::default());
            root.entries.push(Entry { what, target: target.clone(), read_only: false });
        }
        for volume in &self.volumes {
            root.entries.push(volume.entry()?);
        }
        Ok(container.with(MountNamespace::default()).with(root))
    }
}
// ANCHOR_END: add_to

// ANCHOR: volume
/// A file or directory of the host that the container sees too.
#[derive(Debug, Clone)]
pub struct Volume {
    /// On the host.
    pub source: PathBuf,
    /// In the container.
    pub target: PathBuf,
    /// Whether the container cannot change it.
    pub read_only: bool,
}

impl Volume {
    /// The mount that makes it seen.
    ///
    /// # Errors
    /// The source is not there, or the target is no absolute path.
    pub fn entry(&self) -> Result<Entry> {
        check_target(&self.target)?;
        let source = self.source.canonicalize();
        let source = source.with_context(|| format!("cannot mount the volume {}", self.source.display()))?;
        Ok(Entry { what: What::Bind(source), target: self.target.clone(), read_only: self.read_only })
    }
}

impl std::str::FromStr for Volume {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (source, target, mode) = match text.split(':').collect::<Vec<_>>()[..] {
            [source, target] => (source, target, "rw"),
            [source, target, mode] => (source, target, mode),
            [_] => bail!("a volume is HOST:CONTAINER[:ro]"),
            _ => bail!("invalid spec: {text}: too many colons"),
        };
        if source.is_empty() || target.is_empty() {
            bail!("invalid spec: {text}: empty section between colons");
        }
        let read_only = match mode {
            "ro" => true,
            "rw" => false,
            other => bail!("invalid mode: {other}"),
        };
        Ok(Self { source: source.into(), target: target.into(), read_only })
    }
}
// ANCHOR_END: volume
