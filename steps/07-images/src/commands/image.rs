//! `image prune`: images that nobody needs.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Place;
use super::container::agreed;
use super::listing::Filter;
use super::prune_filters::Meant;
use crate::human::{seconds_since_1970, size};
use crate::names::{Reference, Version};
use crate::store::{Named, Removed};
use crate::task;
use crate::text::answer;

/// What Docker has below `image` only. All other commands can be said there as well: see `groups`.
#[derive(Debug, Subcommand)]
pub enum ImageVerb {
    /// Remove images that nobody needs
    Prune(Prune),
}

impl ImageVerb {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        match self {
            Self::Prune(command) => command.execute(place),
        }
    }
}

/// The options of `image prune`.
#[derive(Debug, Clone, Args)]
pub struct Prune {
    /// Also images that have a name, if no container needs them
    #[arg(short, long)]
    all: bool,
    /// Only some: until=24h, those built before that time; label=KEY[=VALUE]; label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "NAME=VALUE")]
    filters: Vec<Filter>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Prune {
    fn execute(&self, place: &Place) -> Result<u8> {
        let chosen = Chosen { all: self.all, meant: Meant::new(&self.filters)? };
        let warning = match self.all {
            true => "This will remove all images without at least one container associated to them.",
            false => "This will remove all dangling images.",
        };
        if !self.force && !agreed(warning)? {
            return Ok(0);
        }
        let bytes = prune(place, chosen)?;
        answer(format_args!("Total reclaimed space: {}\n", size(bytes)))?;
        Ok(0)
    }
}

/// Which images go.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// Of all, or of those without a name.
    pub all: bool,
    /// Those that the filters leave.
    pub meant: Meant,
}

impl Chosen {
    /// One image, with all of its names.
    fn is_one(&self, image: &[Named]) -> bool {
        let is_tag = |named: &Named| {
            let reference = named.name.as_deref().and_then(|name| name.parse::<Reference>().ok());
            reference.is_some_and(|reference| matches!(reference.version, Version::Tag(_)))
        };
        let Some(first) = image.first() else { return false };
        let created = first.image.created.as_deref().and_then(seconds_since_1970).unwrap_or(0.0);
        (self.all || !image.iter().any(is_tag)) && self.meant.fits(created, &first.image.settings.labels)
    }
}

// ANCHOR: prune
/// Removes the images, and says which. Returns how many bytes are free now.
pub(super) fn prune(place: &Place, chosen: Chosen) -> Result<u64> {
    let (store, containers) = (place.store()?, place.containers()?);
    // Only a user namespace may remove the files of its ids.
    let said = task::ask_child(move || {
        let removed = store.writer()?.prune(&|image| chosen.is_one(image), &|| containers.uses())?;
        Ok(format!("{}\n{}", removed.bytes, lines(&removed)).into_bytes())
    })?;
    let said = String::from_utf8_lossy(&said);
    let (bytes, lines) = said.split_once('\n').unwrap_or_default();
    if !lines.is_empty() {
        answer(format_args!("Deleted Images:\n{lines}\n"))?;
    }
    Ok(bytes.parse().unwrap_or(0))
}
// ANCHOR_END: prune

/// Docker writes the same words small here.
fn lines(removed: &Removed) -> String {
    removed.lines().replace("Untagged:", "untagged:").replace("Deleted:", "deleted:")
}
