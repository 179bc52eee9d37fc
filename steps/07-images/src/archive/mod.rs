//! Archives: images in one file, for machines that no registry reaches.
//!
//! ```text
//!   oci-layout, index.json      the layout, as it is in the store (image-layout.md)
//!   manifest.json, repositories Docker's own table of contents, for those who know no layout
//!   blobs/sha256/<hex>          manifests, configs and layers, which both name
//! ```
//! Docker and podman write the one, the other, or both, and layers compressed or not. Whatever comes is a stranger's:
//! no path of the archive becomes one on the disk, and each content is checked by its digest before it has a name.
//!
//! In reading order:

mod documents;
mod load;
mod members;
mod save;

pub use load::load;
pub use save::{Opened, Wanted, open, save};

/// For [`crate::fuzzing`]: an archive as it is read, up to where its layers would be unpacked.
pub(crate) fn take_apart(store: &crate::store::Store, mut archive: &[u8]) -> anyhow::Result<()> {
    let folder = store.scratch("load-")?;
    let members = members::Members::read(&folder, &mut archive)?;
    for promised in documents::images(&members, &crate::manifest::Platform::of_this_machine())? {
        let image = promised.image()?;
        assert_eq!(image.layers.len(), promised.layers.len());
    }
    Ok(())
}

/// The name by which containerd and Docker know an image in a layout: the whole reference.
const IMAGE_NAME: &str = "io.containerd.image.name";
