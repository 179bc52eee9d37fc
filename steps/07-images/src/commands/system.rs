//! `system df` and `system prune`: what takes room, and what can go.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use super::Place;
use super::container::{agreed, prune as prune_containers};
use super::image::{Chosen, prune as prune_images};
use super::listing::Filter;
use super::prune_filters::Meant;
use super::system_df::Df;
use super::volume_prune::prune as prune_volumes;
use crate::human::size;
use crate::text::answer;

/// What concerns all of the state directory.
#[derive(Debug, Subcommand)]
pub enum SystemVerb {
    /// Show how much room images and containers take
    Df(Df),
    /// Remove what nobody needs: containers that do not run, images without a name
    Prune(Prune),
    /// Show what is here
    Info(super::Version),
}

impl SystemVerb {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        match self {
            Self::Df(command) => command.execute(place),
            Self::Prune(command) => command.execute(place),
            Self::Info(command) => command.info(place),
        }
    }
}

/// The options of `system prune`.
#[derive(Debug, Clone, Args)]
pub struct Prune {
    /// Also images that have a name, if no container needs them
    #[arg(short, long)]
    all: bool,
    /// Only some: until=24h, those made before that time; label=KEY[=VALUE]; label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "NAME=VALUE")]
    filters: Vec<Filter>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Also volumes without a name, if no container has them
    #[arg(long)]
    volumes: bool,
}

impl Prune {
    // ANCHOR: prune
    fn execute(&self, place: &Place) -> Result<u8> {
        let meant = Meant::new(&self.filters)?;
        if self.volumes && meant.has_until() {
            bail!("ERROR: The \"until\" filter is not supported with \"--volumes\"");
        }
        if !self.force && !agreed(&self.warning())? {
            return Ok(0);
        }
        // Containers first: what only they had is free then.
        let mut bytes = prune_containers(place, &meant)?;
        if self.volumes {
            bytes += prune_volumes(place, false, meant.filters())?;
        }
        bytes += prune_images(place, Chosen { all: self.all, meant })?;
        answer(format_args!("Total reclaimed space: {}\n", size(bytes)))?;
        Ok(0)
    }
    // ANCHOR_END: prune

    fn warning(&self) -> String {
        let volumes = match self.volumes {
            true => "  - all anonymous volumes not used by at least one container\n",
            false => "",
        };
        let images = match self.all {
            true => "images without at least one container associated to them",
            false => "dangling images",
        };
        format!("This will remove:\n  - all stopped containers\n{volumes}  - all {images}\n")
    }
}
