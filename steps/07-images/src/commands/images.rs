//! `images`: what is here.

use anyhow::Result;
use clap::Args;

use super::Place;
use crate::human::{duration, seconds_since_1970, size, table};
use crate::names::{Reference, Version};
use crate::records::now;
use crate::store::Named;

/// List the images that are here.
#[derive(Debug, Args)]
pub struct Images {
    /// Print only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Print whole ids
    #[arg(long)]
    no_trunc: bool,
}

impl Images {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let images = place.store()?.images()?;
        if self.quiet {
            images.iter().for_each(|named| println!("{}", self.id(named)));
            return Ok(0);
        }
        let header = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"].map(str::to_owned).to_vec();
        let rows = images.iter().map(|named| self.row(named));
        print!("{}", table(&std::iter::once(header).chain(rows).collect::<Vec<_>>()));
        Ok(0)
    }

    fn row(&self, named: &Named) -> Vec<String> {
        let reference = named.name.as_deref().and_then(|name| name.parse::<Reference>().ok());
        let none = || "<none>".to_owned();
        let tag = reference.as_ref().and_then(|reference| match &reference.version {
            Version::Tag(tag) => Some(tag.clone()),
            Version::Digest(_) => None,
        });
        vec![
            reference.map_or_else(none, |reference| reference.familiar_name()),
            tag.unwrap_or_else(none),
            self.id(named),
            created(named).map_or_else(|| "N/A".into(), |created| duration(now() - created) + " ago"),
            size(named.image.compressed_size()),
        ]
    }

    fn id(&self, named: &Named) -> String {
        let id = &named.image.config_digest;
        if self.no_trunc { id.to_string() } else { id.hex()[..12].to_owned() }
    }
}

/// What the builder says of itself, if it makes sense.
fn created(named: &Named) -> Option<f64> {
    seconds_since_1970(named.image.created.as_deref()?)
}
