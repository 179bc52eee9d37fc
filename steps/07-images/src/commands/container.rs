//! `container prune`: all containers that do not run.

use std::io::{BufRead, stdin};

use anyhow::Result;
use clap::{Args, Subcommand};

use super::listing::Filter;
use super::prune_filters::Meant;
use super::{Place, tidy};
use crate::human::size;
use crate::records::{Held, Record, Status};
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
    /// Only some: until=24h, those made before that time; label=KEY[=VALUE]; label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "NAME=VALUE")]
    filters: Vec<Filter>,
}

impl Prune {
    fn execute(&self, place: &Place) -> Result<u8> {
        let meant = Meant::new(&self.filters)?;
        if !self.force && !agreed("This will remove all stopped containers.")? {
            return Ok(0);
        }
        let bytes = prune(place, &meant)?;
        answer(format_args!("Total reclaimed space: {}\n", size(bytes)))?;
        Ok(0)
    }
}

// ANCHOR: prune
/// Removes the containers that do not run and are meant, and says which. Returns how many bytes are free now.
pub(super) fn prune(place: &Place, meant: &Meant) -> Result<u64> {
    let containers = place.containers()?;
    let is_meant = |record: &Record| {
        record.state.status != Status::Running && meant.fits(record.created, &record.labels)
    };
    let all = containers.all()?.into_iter().filter(is_meant);
    // Whoever is about to start one has it in hand.
    let held: Vec<Held> = all.filter_map(|record| containers.hold(record).ok()?).collect();
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

// ANCHOR: agreed
/// Docker's question before much is removed. No answer is a no.
pub(super) fn agreed(warning: &str) -> Result<bool> {
    answer(format_args!("WARNING! {warning}\nAre you sure you want to continue? [y/N] "))?;
    let mut line = String::new();
    let _ = stdin().lock().read_line(&mut line);
    Ok(line.trim().eq_ignore_ascii_case("y"))
}
// ANCHOR_END: agreed
