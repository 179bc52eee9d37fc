//! `rmi`: an image, by name or id.

use std::collections::HashSet;

use anyhow::{Result, bail};
use clap::Args;

use super::{Place, for_each};
use crate::digest::Digest;
use crate::task;

/// Remove images.
#[derive(Debug, Args)]
pub struct Rmi {
    /// Also if a stopped container needs it, or if it has several names
    #[arg(short, long)]
    force: bool,
    /// Names or ids
    #[arg(required = true)]
    images: Vec<String>,
}

impl Rmi {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let containers = place.containers()?.all()?;
        let store = place.store()?;
        for_each(&self.images, |text| {
            let Some(image) = store.find(text)? else { bail!("No such image: {text}") };
            if let Some(user) = containers.iter().find(|record| record.image_id == image.config_digest)
                && !self.force
            {
                bail!(
                    "conflict: unable to remove repository reference \"{text}\" (must force) - container {} \
                     is using its referenced image {}",
                    &user.id[..12],
                    &image.config_digest.hex()[..12]
                );
            }
            let in_use: HashSet<Digest> =
                containers.iter().flat_map(|record| record.layers.clone()).collect();
            let (store, text, force) = (store.clone(), text.to_owned(), self.force);
            // Only a user namespace may remove the files of its ids.
            task::in_child(move || {
                for line in store.writer()?.remove(&text, force, &in_use)? {
                    println!("{line}");
                }
                Ok(())
            })
        })
    }
}
