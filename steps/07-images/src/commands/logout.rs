//! `logout`: the password is forgotten here; the registry is not told.

use anyhow::{Context, Result};
use clap::Args;

use crate::credentials::{default_files, docker_file, erase, login};
use crate::names::{self, DEFAULT_REGISTRY};
use crate::text::{answer, tell};

/// Log out of a registry.
#[derive(Debug, Args)]
pub struct LogOut {
    /// The registry; Docker's own if none is given
    #[arg(default_value = DEFAULT_REGISTRY)]
    server: String,
}

impl LogOut {
    pub(super) fn execute(&self) -> Result<u8> {
        let registry = names::registry(&self.server)?;
        let file = docker_file().context("cannot tell where logins are kept: you have no home directory")?;
        answer(format_args!("Removing login credentials for {registry}\n"))?;
        erase(&file, &registry)?;
        // Podman's files are podman's to change.
        for other in default_files().iter().filter(|other| **other != file) {
            if matches!(login(other, &registry, ""), Ok(Some(_))) {
                tell(format_args!("warning: there is still a login for {registry} in {}", other.display()));
            }
        }
        Ok(0)
    }
}
