//! Where everything is kept.

use std::path::PathBuf;

use anyhow::{Context, Error, Result};
use clap::Args;
use step05_userns::is_root;

use crate::credentials::home;
use crate::full_disk;
use crate::records::Containers;
use crate::store::Store;
use crate::volumes::Volumes;

/// Where images and containers are kept.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Where images and containers are kept
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

impl Place {
    /// The state directory: the one asked for; root's is the machine's, everybody else has one
    /// in the home directory (the XDG base directory specification).
    ///
    /// # Errors
    /// An ordinary user without HOME.
    pub fn directory(&self) -> Result<PathBuf> {
        if let Some(root) = &self.root {
            return Ok(root.clone());
        }
        if is_root() {
            return Ok("/var/lib/coracle".into());
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data = set("XDG_DATA_HOME").or_else(|| home().map(|home| home.join(".local/share")));
        Ok(data
            .context(
                "cannot tell where images are kept: you have no home directory\nset HOME, or use --root DIR",
            )?
            .join("coracle"))
    }

    /// The images.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn store(&self) -> Result<Store> {
        Store::open(&self.directory()?)
    }

    /// The volumes.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn volumes(&self) -> Result<Volumes> {
        Ok(Volumes::of(self.store()?.root()))
    }

    /// An error, and what helps if it is that there is no room for all this.
    pub(super) fn explained(&self, error: Error) -> Error {
        match self.directory().map(|directory| directory.canonicalize().unwrap_or(directory)) {
            Ok(directory) => full_disk::suspected(error, &directory),
            Err(_) => error,
        }
    }

    /// The containers, after those whose monitors were killed have been cleaned up.
    ///
    /// # Errors
    /// The directory cannot be read or changed.
    pub fn containers(&self) -> Result<Containers> {
        let containers = Containers::open(self.store()?.root())?;
        containers.sweep()?;
        // Whoever needs the volume tells what goes wrong here.
        let _ = Volumes::of(self.store()?.root()).sweep();
        // What they have left on the host. Whoever needs the network tells what goes wrong here.
        let _ = step06_net::sweep();
        Ok(containers)
    }
}
