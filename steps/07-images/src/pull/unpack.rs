//! From blobs to trees.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::digest::Digest;
use crate::layers;
use crate::manifest::{Image, Layer};
use crate::store::{Scratch, Store};

/// Unpacks those layers of an image in the store that are not unpacked yet. Returns a sentence for each kind of thing
/// that was left out. The caller sees to it that nobody removes them meanwhile.
pub fn unpack_image(store: &Store, image: &Image) -> Result<Vec<String>> {
    let mut unpacking = Unpacking::new(store);
    let mut omissions = Vec::new();
    for layer in &image.layers {
        omissions.extend(unpacking.layer(layer, false)?.unwrap_or_default());
    }
    unpacking.finish()?;
    Ok(omissions)
}

/// The layers of one image, from the lowest on.
pub(super) struct Unpacking<'a> {
    store: &'a Store,
    /// The trees so far, the topmost first, as overlayfs counts them.
    lower: Vec<PathBuf>,
    /// Those that do not have their name yet. They go with their folder unless they get it.
    fresh: Vec<(PathBuf, Digest)>,
    folder: Option<Scratch>,
}

impl<'a> Unpacking<'a> {
    pub fn new(store: &'a Store) -> Self {
        Self { store, lower: Vec::new(), fresh: Vec::new(), folder: None }
    }

    /// Unpacks the next layer into `tmp/`; `None` if its tree is there already. A blob that is new has to be what the
    /// image says also then.
    pub fn layer(&mut self, layer: &Layer, is_new: bool) -> Result<Option<Vec<String>>> {
        let number = self.lower.len() + 1;
        if self.store.has_doubtful_tree(&layer.chain_id) {
            let away = self.folder()?.join(format!("doubtful-{number}"));
            self.store.drop_doubtful(&layer.chain_id, &away)?;
        }
        let place = self.store.layer(&layer.chain_id);
        if place.is_dir() {
            if is_new {
                layers::verify(number, &mut self.store.open_blob(&layer.blob.digest)?, &layer.diff_id)?;
            }
            self.lower.insert(0, place);
            return Ok(None);
        }
        let tree = self.folder()?.join(number.to_string());
        make(&tree).with_context(|| format!("cannot make {}", tree.display()))?;
        let mut blob = self.store.open_blob(&layer.blob.digest)?;
        let omissions = layers::unpack(number, &mut blob, &layer.diff_id, &self.lower, &tree)?;
        self.lower.insert(0, tree.clone());
        self.fresh.push((tree, layer.chain_id));
        Ok(Some(omissions))
    }

    /// Gives the trees their names.
    pub fn finish(self) -> Result<()> {
        self.fresh.iter().try_for_each(|(tree, chain_id)| self.store.name_tree(tree, chain_id))
    }

    fn folder(&mut self) -> Result<&Path> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => self.store.scratch("layers-")?,
        };
        Ok(self.folder.insert(folder).path())
    }
}

/// It is a container's root directory, which everybody inside may enter.
fn make(tree: &Path) -> std::io::Result<()> {
    fs::create_dir(tree)?;
    fs::set_permissions(tree, Permissions::from_mode(0o755))
}
