//! `container prune`: all containers that do not run.

use std::io::{BufRead, stdin};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use super::{Place, tidy};
use crate::human::size;
use crate::moment::moment;
use crate::records::{Held, Record, Status, now};
use crate::sizes;
use crate::text::answer;

/// What Docker has below `container` only. All other commands can be said there as well: see `groups`.
#[derive(Debug, Subcommand)]
pub enum ContainerVerb {
    /// Remove all containers that do not run
    Prune(Prune),
}

impl ContainerVerb {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        match self {
            Self::Prune(command) => command.execute(place),
        }
    }
}

/// The options of `container prune`.
#[derive(Debug, Args)]
pub struct Prune {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only some: until=24h, those made before that time
    #[arg(long, value_name = "NAME=VALUE", value_parser = filter)]
    filter: Vec<(String, String)>,
}

impl Prune {
    fn execute(&self, place: &Place) -> Result<u8> {
        let until = self.until()?;
        if !self.force && !agreed("This will remove all stopped containers.")? {
            return Ok(0);
        }
        let bytes = prune(place, until)?;
        answer(format_args!("Total reclaimed space: {}\n", size(bytes)))?;
        Ok(0)
    }

    fn until(&self) -> Result<Option<f64>> {
        if let Some((name, _)) = self.filter.iter().find(|(name, _)| name != "until") {
            bail!("Invalid filter '{}'", name.escape_debug());
        }
        match &self.filter[..] {
            [] => Ok(None),
            [(_, text)] => moment(text, now()).map(Some),
            _ => bail!("more than one until filter specified"),
        }
    }
}

// ANCHOR: prune
/// Removes the containers that do not run and were made before a moment, and says which. Returns how many bytes are
/// free now.
pub(super) fn prune(place: &Place, until: Option<f64>) -> Result<u64> {
    let containers = place.containers()?;
    let is_meant = |record: &Record| {
        record.state.status != Status::Running && until.is_none_or(|until| record.created <= until)
    };
    let meant = containers.all()?.into_iter().filter(is_meant);
    // Whoever is about to start one has it in hand.
    let held: Vec<Held> = meant.filter_map(|record| containers.hold(record).ok()?).collect();
    let bytes: u64 = sizes::of(held.iter().map(|held| held.directory.join("upper")).collect())?.iter().sum();
    let mut removed = String::new();
    for held in held {
        let image = held.record.image_id;
        removed.push_str(&format!("{}\n", held.record.id));
        held.remove()?;
        tidy(place, &image)?;
    }
    if !removed.is_empty() {
        answer(format_args!("Deleted Containers:\n{removed}\n"))?;
    }
    Ok(bytes)
}
// ANCHOR_END: prune

/// `name=value`, as all filters are.
fn filter(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_lowercase(), value.trim().to_owned())),
        None => bail!("bad format of filter (expected name=value)"),
    }
}

// ANCHOR: agreed
/// Docker's question before much is removed. No answer is a no.
pub(super) fn agreed(warning: &str) -> Result<bool> {
    answer(format_args!("WARNING! {warning}\nAre you sure you want to continue? [y/N] "))?;
    let mut line = String::new();
    let _ = stdin().lock().read_line(&mut line);
    Ok(line.trim().eq_ignore_ascii_case("y"))
}
// ANCHOR_END: agreed
