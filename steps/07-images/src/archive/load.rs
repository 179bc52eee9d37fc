//! `load`: from an archive into the store.

use std::io::Read;

use anyhow::{Context, Result, bail};

use super::documents::{Promised, images};
use super::members::{Content, Members};
use crate::digest::Digest;
use crate::layers;
use crate::manifest::{Image, OCI_MANIFEST, Platform};
use crate::pull::unpack_image;
use crate::store::{Store, Writer};
use crate::text::tell;

// ANCHOR: load
/// Takes all images of an archive, or those for the platform that is wanted, unpacks them and names them. Returns what
/// Docker says of each.
///
/// The process must be root, or root of a user namespace that has the ids of the images' files. Starts threads.
///
/// # Errors
/// What is wrong with the archive. Nothing of it is in the store then, but images that were named before.
pub fn load(store: &Store, source: &mut dyn Read, wanted: Option<&Platform>) -> Result<Vec<String>> {
    // Whoever writes the archive may be slow: nobody else waits for that.
    let folder = store.scratch("load-")?;
    let members = Members::read(&folder, source)?;
    let writer = store.writer()?;
    let (mut said, mut others) = (Vec::new(), Vec::new());
    let this_machine = Platform::of_this_machine();
    for promised in images(&members, wanted.unwrap_or(&this_machine))? {
        let image = promised.image()?;
        if wanted.is_some_and(|wanted| image.platform.fits(wanted).is_none()) {
            others.push(image.platform.to_string());
            continue;
        }
        let mut fresh = Vec::new();
        match take(&writer, &promised, &image, &mut fresh) {
            Ok(lines) => said.extend(lines),
            Err(error) => {
                // Nobody has a name for these.
                fresh.iter().for_each(|blob| drop(std::fs::remove_file(writer.blob(blob))));
                return Err(error);
            }
        }
    }
    if let (Some(wanted), true) = (wanted, said.is_empty()) {
        bail!("it has no image for {wanted}: there are {}", others.join(", "));
    }
    Ok(said)
}

/// The name is given as the last act, when the layers were unpacked, and so checked by the digests of their content.
fn take(writer: &Writer, promised: &Promised, image: &Image, fresh: &mut Vec<Digest>) -> Result<Vec<String>> {
    let Promised { config, layers, .. } = promised;
    let digest = image.digest;
    check_what_is_unpacked(writer, image, layers)?;
    for content in layers.iter().chain([config]) {
        adopt(writer, content, fresh)?;
    }
    if !writer.blob(&digest).exists() {
        fresh.push(digest);
    }
    let descriptor = writer.add(OCI_MANIFEST, &mut &*promised.text)?;
    for omission in unpack_image(writer, image)? {
        tell(format_args!("warning: {omission}"));
    }
    let mut said = Vec::new();
    for name in &promised.names {
        let old = writer.find_reference(name)?.filter(|old| old.config_digest != image.config_digest);
        if let Some(old) = old {
            let (name, id) = (name.familiar(), old.config_digest);
            said.push(format!(
                "The image {name} already exists, renaming the old one with ID {id} to empty string"
            ));
        }
        writer.tag(name, &descriptor).context("cannot name the image")?;
        said.push(format!("Loaded image: {}", name.familiar()));
    }
    if promised.names.is_empty() {
        writer.add_nameless(&descriptor)?;
        said.push(format!("Loaded image ID: {}", image.config_digest));
    }
    Ok(said)
}
// ANCHOR_END: load

/// A tree that is here already is not unpacked again, so nobody would notice that this archive has other content for it.
fn check_what_is_unpacked(writer: &Writer, image: &Image, contents: &[&Content]) -> Result<()> {
    for ((number, layer), content) in (1..).zip(&image.layers).zip(contents) {
        if writer.has_tree(&layer.chain_id) {
            layers::verify(number, &mut content.open(writer)?, &layer.diff_id)?;
        }
    }
    Ok(())
}

fn adopt(writer: &Writer, content: &Content, fresh: &mut Vec<Digest>) -> Result<()> {
    // Two images of one archive may share it.
    if fresh.contains(&content.digest) || !content.path.exists() {
        return Ok(());
    }
    if !writer.blob(&content.digest).exists() {
        fresh.push(content.digest);
    }
    writer.adopt(&content.path, &content.digest)
}
