//! `rmi`: an image, by name or id.

use anyhow::Result;
use clap::Args;

use super::platform::ForPlatforms;
use super::{Place, for_each};
use crate::task;
use crate::text::answer;

/// Remove images.
#[derive(Debug, Args)]
pub struct Rmi {
    /// Also if a stopped container needs it, or if it has several names
    #[arg(short, long)]
    force: bool,
    /// Keep the layers below: accepted for those who say it to docker, there is no image between here
    #[arg(long)]
    no_prune: bool,
    #[command(flatten)]
    platform: ForPlatforms,
    /// Names or ids
    #[arg(required = true)]
    images: Vec<String>,
}

impl Rmi {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let containers = place.containers()?;
        let store = place.store()?;
        for_each(&self.images, |text| {
            let (containers, store) = (containers.clone(), store.clone());
            let (text, force) = (text.to_owned(), self.force);
            if let Some(found) = store.find_all_names(&text)?.first() {
                self.platform.check(&found.image, &text)?;
            }
            // Only a user namespace may remove the files of its ids.
            task::in_child(move || {
                answer(store.writer()?.remove(&text, force, &|| containers.uses())?.lines())
            })
        })
    }
}
