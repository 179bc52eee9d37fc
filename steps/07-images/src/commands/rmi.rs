//! `rmi`: an image, by name or id.

use anyhow::{Result, bail};
use clap::Args;

use super::{Place, for_each};
use crate::task;
use crate::text::answer;

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
        let all = place.containers()?;
        let containers = all.all()?;
        let store = place.store()?;
        for_each(&self.images, |text| {
            // What is damaged is not found, and can be removed all the same.
            if let Some(image) = store.find(text)?
                && let Some(user) = containers.iter().find(|record| record.image_id == image.config_digest)
                && !self.force
            {
                bail!(
                    "conflict: unable to remove repository reference \"{text}\" (must force) - container {} \
                     is using its referenced image {}",
                    &user.id[..12],
                    &image.config_digest.hex()[..12]
                );
            }
            let (all, store, text, force) = (all.clone(), store.clone(), text.to_owned(), self.force);
            // Only a user namespace may remove the files of its ids.
            task::in_child(move || {
                for line in store.writer()?.remove(&text, force, &|| all.layers())? {
                    answer(line + "\n")?;
                }
                Ok(())
            })
        })
    }
}
