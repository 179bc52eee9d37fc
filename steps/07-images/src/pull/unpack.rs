//! From blobs to trees.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::digest::Digest;
use crate::layers;
use crate::manifest::{Image, Layer};
use crate::store::{Writer, remove_tree};

/// Unpacks those layers of an image in the store that are not unpacked yet. Returns a sentence for each kind of thing
/// that was left out.
pub fn unpack_image(writer: &Writer, image: &Image) -> Result<Vec<String>> {
    let mut unpacking = Unpacking::new(writer);
    let mut omissions = Vec::new();
    for layer in &image.layers {
        omissions.extend(unpacking.layer(layer, false)?.unwrap_or_default());
    }
    unpacking.finish()?;
    Ok(omissions)
}

/// The layers of one image, from the lowest on.
pub(super) struct Unpacking<'a> {
    writer: &'a Writer,
    /// The trees so far, the topmost first, as overlayfs counts them.
    lower: Vec<PathBuf>,
    /// Those that do not have their name yet.
    fresh: Vec<(Unfinished, Digest)>,
}

impl<'a> Unpacking<'a> {
    pub fn new(writer: &'a Writer) -> Self {
        Self { writer, lower: Vec::new(), fresh: Vec::new() }
    }

    /// Unpacks the next layer into `tmp/`; `None` if its tree is there already. A blob that is new has to be what the
    /// image says also then.
    pub fn layer(&mut self, layer: &Layer, is_new: bool) -> Result<Option<Vec<String>>> {
        self.writer.drop_doubtful(&layer.chain_id)?;
        let number = self.lower.len() + 1;
        let place = self.writer.layer(&layer.chain_id);
        if place.is_dir() {
            if is_new {
                layers::verify(number, &mut self.writer.open_blob(&layer.blob.digest)?, &layer.diff_id)?;
            }
            self.lower.insert(0, place);
            return Ok(None);
        }
        let tree = Unfinished::new(self.writer)?;
        let mut blob = self.writer.open_blob(&layer.blob.digest)?;
        let omissions = layers::unpack(number, &mut blob, &layer.diff_id, &self.lower, &tree.0)?;
        self.lower.insert(0, tree.0.clone());
        self.fresh.push((tree, layer.chain_id));
        Ok(Some(omissions))
    }

    /// Gives the trees their names.
    pub fn finish(self) -> Result<()> {
        self.fresh.iter().try_for_each(|(tree, chain_id)| self.writer.name_tree(&tree.0, chain_id))
    }
}

/// A tree that is removed unless it gets its name.
struct Unfinished(PathBuf);

impl Unfinished {
    fn new(writer: &Writer) -> Result<Self> {
        let folder = writer.root().join("tmp");
        let make = || {
            let tree = tempfile::Builder::new().prefix("layer-").tempdir_in(&folder)?.keep();
            // It is the container's root directory, which everybody inside may enter.
            fs::set_permissions(&tree, Permissions::from_mode(0o755))?;
            Ok::<_, std::io::Error>(Self(tree))
        };
        make().with_context(|| format!("cannot make a folder in {}", folder.display()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // If this fails too, the next writer sweeps `tmp/`.
        if self.0.exists() {
            let _ = remove_tree(&self.0);
        }
    }
}
