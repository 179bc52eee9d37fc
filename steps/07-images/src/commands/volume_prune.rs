//! `volume prune`: the volumes that no container has.

use anyhow::Result;
use clap::Args;

use super::Place;
use super::container::agreed;
use super::listing::{Filter, Filters};
use crate::human::size;
use crate::records::Record;
use crate::sizes;
use crate::text::{answer, tell};
use crate::volumes::{ANONYMOUS, Volume, users};

/// The options of `volume prune`.
#[derive(Debug, Clone, Args)]
pub struct Prune {
    /// Also those that have a name
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only some: label=KEY[=VALUE], label!=KEY[=VALUE], all=true
    #[arg(long = "filter", value_name = "NAME=VALUE")]
    filters: Vec<Filter>,
}

impl Prune {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let filters = Filters(&self.filters);
        filters.check(&["all", "label", "label!"])?;
        let all = self.all || filters.switch("all")? == Some(true);
        let kind = if all { "all" } else { "anonymous" };
        let warning = format!("This will remove {kind} local volumes not used by at least one container.");
        if !self.force && !agreed(&warning)? {
            return Ok(0);
        }
        let bytes = prune(place, all, filters)?;
        answer(format_args!("Total reclaimed space: {}\n", size(bytes)))?;
        Ok(0)
    }
}

/// Removes the volumes that nobody has, those with a name only if `all` are meant, and says which. Returns how many
/// bytes are free now.
pub(super) fn prune(place: &Place, all: bool, filters: Filters<'_>) -> Result<u64> {
    let (volumes, containers) = (place.volumes()?, place.containers()?);
    // Nobody shall make a container with one while we look who has it.
    let _alone = containers.lock()?;
    let records = containers.all()?;
    let mut meant = volumes.all()?;
    meant.retain(|volume| {
        (all || volume.labels.contains_key(ANONYMOUS)) && is_meant(volume, filters, &records)
    });
    let places = meant.iter().map(|volume| volumes.data(&volume.name)).collect();
    let bytes: u64 = sizes::of(places)?.iter().sum();
    let mut removed = String::new();
    for volume in meant {
        // Those that have gone are told, whatever happens to the others.
        match volumes.remove(&volume.name, &records) {
            Ok(()) => removed.push_str(&format!("{}\n", volume.name)),
            Err(error) => tell(step01_unshare::message(&error)),
        }
    }
    if !removed.is_empty() {
        answer(format_args!("Deleted Volumes:\n{removed}\n"))?;
    }
    Ok(bytes)
}

fn is_meant(volume: &Volume, filters: Filters<'_>, containers: &[Record]) -> bool {
    users(&volume.name, containers).next().is_none() && filters.labels_for_prune(&volume.labels)
}
