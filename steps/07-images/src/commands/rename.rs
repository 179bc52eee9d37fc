//! `rename`: another name for a container, also while it runs.

use anyhow::{Context, Result, bail};
use clap::Args;

use super::Place;

/// Give a container another name.
#[derive(Debug, Args)]
pub struct Rename {
    /// Its name or id
    container: String,
    /// What to call it from now on
    new_name: String,
}

impl Rename {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        if self.container.is_empty() || self.new_name.is_empty() {
            bail!("Neither old nor new names may be empty");
        }
        let containers = place.containers()?;
        let record = containers.find(&self.container)?;
        let name = self.new_name.strip_prefix('/').unwrap_or(&self.new_name);
        if record.name == name {
            bail!("Renaming a container with the same name as its current name");
        }
        containers.rename(record, name).context("Error when allocating new name")?;
        Ok(0)
    }
}
