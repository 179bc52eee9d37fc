//! `host-tools`: an image made from this machine itself.
//!
//! A shell, the usual tools and the libraries that they need, so that a first container needs no registry. Nothing is
//! run to find out what belongs to it: the tools' own files say which libraries they need.
//!
//! It is an image like any other: a layer, a config and a manifest in the store, unpacked by the same code. Owners are
//! all 0:0, times all 0, names in order, so the same machine makes the same digests. It is made anew when one of the
//! files that it was made of has changed.
//!
//! In reading order:

mod archive;
mod elf;
mod libraries;
mod sources;
mod tools;
mod tree;

use anyhow::{Context, Result};
use serde_json::json;

use crate::digest::Digest;
use crate::manifest::{Descriptor, Image, OCI_MANIFEST, Platform};
use crate::names::{Reference, Version};
use crate::pull::unpack_image;
use crate::store::{Store, Writer};
use sources::Record;
use tree::Tree;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether a reference means this image: `host-tools`, however much of it is written out.
pub fn is_it(reference: &Reference) -> bool {
    reference.familiar_name() == "host-tools" && reference.version == Version::Tag("latest".to_owned())
}

/// The image, if the store has it whole and the machine is still as it was.
pub fn current(store: &Store) -> Result<Option<Image>> {
    let Some(image) = store.find_reference(&reference()?)? else { return Ok(None) };
    let record = Record::read(store);
    Ok(record.is_some_and(|record| record.image == image.digest && record.is_current()).then_some(image))
}

// ANCHOR: ensure
/// Makes the image, unpacks and names it, unless the current one is there.
///
/// The process must be root, or root in a user namespace.
///
/// # Errors
/// If the machine has no shell that can be read, or the store cannot be written.
pub fn ensure(store: &Store) -> Result<Image> {
    let writer = store.writer()?;
    // Somebody else may have made it while we waited to write.
    if let Some(image) = current(store)?
        && store.is_unpacked(&image)
    {
        return Ok(image);
    }
    let tree = collect().context("cannot make the image host-tools from this machine")?;
    let mut blobs = Vec::new();
    let made = add(&writer, &tree, &mut blobs);
    if made.is_err() {
        // Nobody has a name for them.
        blobs.iter().for_each(|blob| drop(std::fs::remove_file(store.blob(blob))));
    }
    let (image, manifest) = made?;
    writer.tag(&reference()?, &manifest)?;
    Record { image: image.digest, sources: tree.sources }.write(store)?;
    Ok(image)
}
// ANCHOR_END: ensure

/// Puts it into the store, and unpacks it. `blobs` is told which were not there before.
fn add(writer: &Writer, tree: &Tree, blobs: &mut Vec<Digest>) -> Result<(Image, Descriptor)> {
    let mut add = |kind: &str, content: &[u8]| -> Result<Descriptor> {
        let digest = Digest::of(content);
        if !writer.blob(&digest).exists() {
            blobs.push(digest);
        }
        writer.add(kind, &mut &*content)
    };
    let layer = add(LAYER, &archive::write(tree)?)?;
    let platform = Platform::of_this_machine();
    // Without a time of building: that of today would make another image each day, and any other would not be true.
    let config = json!({
        "os": platform.os,
        "architecture": platform.architecture,
        "config": { "Env": [PATH], "Cmd": ["sh"] },
        // The layer is not compressed, so its two digests are one.
        "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
    });
    let config = add(CONFIG, config.to_string().as_bytes())?;
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer] });
    let manifest = add(OCI_MANIFEST, manifest.to_string().as_bytes())?;
    let image = writer.image(&manifest)?;
    unpack_image(writer, &image)?;
    Ok((image, manifest))
}

/// Everything that belongs into the image.
fn collect() -> Result<Tree> {
    let mut tree = Tree::default();
    tools::add(&mut tree)?;
    libraries::add(&mut tree)?;
    tools::add_surroundings(&mut tree);
    Ok(tree)
}

fn reference() -> Result<Reference> {
    "host-tools".parse()
}

/// A digest of the code's own decisions: a newer Coracle may choose other tools, or write another config.
fn edition() -> Digest {
    Digest::of([env!("CARGO_PKG_VERSION"), "undated", &tools::NAMES.join(" ")].join(" "))
}
