//! `load`: images out of an archive.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::Place;
use super::platform::ForPlatform;
use crate::archive::load;
use crate::text::{answer, printable};
use crate::waiting::Waiting;
use crate::{full_disk, task};

/// Take images out of an archive.
#[derive(Debug, Clone, Args)]
pub struct Load {
    /// The archive, compressed or not; without it the standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    #[command(flatten)]
    platform: ForPlatform,
    /// Print only which images were loaded, as it is done anyway
    #[arg(short, long)]
    quiet: bool,
}

impl Load {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let (input, name) = match &self.input {
            Some(path) => {
                let cannot = || format!("cannot read {}", path.display());
                let file = File::open(path).with_context(cannot)?;
                if file.metadata().with_context(cannot)?.is_dir() {
                    bail!("cannot read {}: it is a folder, not an archive", path.display());
                }
                (file, path.display().to_string())
            }
            None if std::io::stdin().is_terminal() => bail!("requested load from stdin, but stdin is empty"),
            None => (File::from(std::io::stdin().as_fd().try_clone_to_owned()?), "the standard input".into()),
        };
        let store = place.store()?;
        let wanted = self.platform.platform.clone();
        // Only a user namespace may unpack for its ids, and unpacking starts threads.
        task::in_child(move || {
            let said = load(&store, &mut Waiting::copy(&input)?, wanted.as_ref());
            let said = said.with_context(|| format!("cannot load {}", printable(&name)));
            let said = said.map_err(|error| full_disk::told(error, store.root()))?;
            answer(said.iter().map(|line| format!("{line}\n")).collect::<String>())
        })?;
        Ok(0)
    }
}
