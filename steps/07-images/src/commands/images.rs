//! `images`: what is here.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::Result;
use clap::Args;

use super::Place;
use crate::human::{duration, seconds_since_1970, size, table};
use crate::names::{Reference, Version};
use crate::records::now;
use crate::store::{Named, Store};
use crate::task;
use crate::text::answer;

/// List the images that are here.
#[derive(Debug, Clone, Args)]
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
        let store = place.store()?;
        let images = store.images()?;
        if self.quiet {
            answer(images.iter().map(|named| self.id(named) + "\n").collect::<String>())?;
            return Ok(0);
        }
        let this = self.clone();
        // Only a user namespace may look into the folders of its ids.
        task::in_child(move || {
            let header = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"].map(str::to_owned).to_vec();
            let rows = images.iter().map(|named| this.row(&store, named));
            answer(table(&std::iter::once(header).chain(rows).collect::<Vec<_>>()))
        })?;
        Ok(0)
    }

    fn row(&self, store: &Store, named: &Named) -> Vec<String> {
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
            size(unpacked_size(store, named)),
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

/// The bytes of all files of all layers, as they are unpacked. What images share counts for each.
fn unpacked_size(store: &Store, named: &Named) -> u64 {
    let mut folders: Vec<_> = named.image.chain_ids().iter().map(|chain_id| store.layer(chain_id)).collect();
    let (mut bytes, mut counted) = (0, HashSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                // A file with several names is one file.
                Ok(found) if found.is_file() && (found.nlink() == 1 || counted.insert(found.ino())) => {
                    bytes += found.len();
                }
                _ => {}
            }
        }
    }
    bytes
}
