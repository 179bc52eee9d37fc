//! `tag`: one more name for an image.

use anyhow::{Context, Result, bail};
use clap::Args;

use super::Place;
use super::images::none_such;
use crate::manifest::PULLED;
use crate::names::{Reference, Version};
use crate::task;

/// Give an image one more name.
#[derive(Debug, Clone, Args)]
pub struct Tag {
    /// The image, by name or id
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    source: String,
    /// Its new name, which another image loses if it has it
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    target: String,
}

impl Tag {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let name = || format!("Error parsing reference: \"{}\" is not a valid repository/tag", self.target);
        let target: Reference = self.target.parse().with_context(name)?;
        if matches!(target.version, Version::Digest(_)) {
            bail!("refusing to create a tag with a digest reference");
        }
        let store = place.store()?;
        let this = self.clone();
        task::in_child(move || {
            // Nobody removes the image meanwhile: he would have to write.
            let writer = store.writer()?;
            let names = writer.find_all_names(&this.source)?;
            let found = names.first().with_context(|| none_such(&this.source))?;
            let mut descriptor = found.descriptor.clone();
            // The digest is that of the repository it was pulled from, and of no other.
            let source = found.name.as_deref().and_then(|name| name.parse::<Reference>().ok());
            if source.is_none_or(|source| source.familiar_name() != target.familiar_name()) {
                descriptor.annotations.remove(PULLED);
            }
            writer.tag(&target, &descriptor)
        })?;
        Ok(0)
    }
}
