//! The images of an archive: as its layout names them, or as Docker's `manifest.json` does.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::IMAGE_NAME;
use super::members::{Content, Members};
use crate::digest::Digest;
use crate::manifest::{
    self, Descriptor, Document, Image, Manifest, OCI_MANIFEST, Platform, REF_NAME, choose, parse, to_oci,
};
use crate::names::{Reference, Version};
use crate::text::printable;

/// An index may name an index, but not for ever.
const DEEPEST_INDEX: usize = 4;

const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image that the archive promises.
pub(super) struct Promised<'a> {
    pub names: Vec<Reference>,
    /// The manifest, in OCI's words.
    pub text: Vec<u8>,
    pub manifest: Manifest,
    pub config: &'a Content,
    pub layers: Vec<&'a Content>,
}

impl Promised<'_> {
    /// The image itself, whose layers nobody has looked into yet.
    pub fn image(&self) -> Result<Image> {
        Image::new(Digest::of(&self.text), &self.manifest, &self.config.text()?)
    }
}

/// All images of an archive. A layout goes before Docker's table: its layers are still compressed.
/// Where it has an image for several platforms, `wanted` decides.
pub(super) fn images<'a>(members: &'a Members, wanted: &Platform) -> Result<Vec<Promised<'a>>> {
    let images = if members.has("index.json") {
        of_layout(members, wanted)?
    } else if members.has("manifest.json") {
        of_docker(members)?
    } else {
        bail!("it is no archive of images: it has neither index.json nor manifest.json");
    };
    ensure!(!images.is_empty(), "it has no image in it");
    Ok(images)
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

fn of_layout<'a>(members: &'a Members, wanted: &Platform) -> Result<Vec<Promised<'a>>> {
    let index: Index = parse(&members.file("index.json")?.text()?).context("cannot use index.json")?;
    let mut images: Vec<Promised> = Vec::new();
    for descriptor in &index.manifests {
        // Attestations stand beside the images that they are about.
        if descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown") {
            continue;
        }
        let name = name_of(descriptor)?;
        let image = of_descriptor(members, descriptor, wanted)?;
        match images.iter_mut().find(|other| other.text == image.text) {
            Some(other) => other.names.extend(name),
            None => images.push(Promised { names: name.into_iter().collect(), ..image }),
        }
    }
    Ok(images)
}

/// Goes from index to manifest: the platform decides.
fn of_descriptor<'a>(members: &'a Members, first: &Descriptor, wanted: &Platform) -> Result<Promised<'a>> {
    let mut descriptor = first.clone();
    for _ in 0..=DEEPEST_INDEX {
        let content = members.blob(&descriptor.digest)?;
        check_size(content, &descriptor)?;
        let text = content.text()?;
        let document = Document::parse(&text, &descriptor.media_type);
        match document.with_context(|| format!("cannot use manifest {}", descriptor.digest))? {
            Document::Index(manifests) => descriptor = choose(&manifests, wanted)?,
            Document::Manifest(_) => {
                let (text, manifest) = to_oci(&text)?;
                let config = members.blob(&manifest.config.digest)?;
                check_size(config, &manifest.config)?;
                let mut layers = Vec::new();
                for layer in &manifest.layers {
                    let content = members.blob(&layer.digest)?;
                    check_size(content, layer)?;
                    layers.push(content);
                }
                return Ok(Promised { names: Vec::new(), text, manifest, config, layers });
            }
        }
    }
    bail!("the index leads to another one more than {DEEPEST_INDEX} times")
}

fn check_size(content: &Content, descriptor: &Descriptor) -> Result<()> {
    let Descriptor { digest, size, .. } = descriptor;
    ensure!(
        content.size == *size,
        "blob {digest} has {} bytes, but its descriptor tells {size}",
        content.size
    );
    Ok(())
}

/// Docker writes the whole name, and the tag where the specification wants a name; others write the whole name there,
/// and some nothing.
fn name_of(descriptor: &Descriptor) -> Result<Option<Reference>> {
    let annotation = |name: &str| descriptor.annotations.get(name);
    let text = match (annotation(IMAGE_NAME), annotation(REF_NAME)) {
        (Some(name), _) => name,
        (None, Some(name)) if name.contains([':', '/']) => name,
        _ => return Ok(None),
    };
    name(text).map(Some)
}

fn name(text: &str) -> Result<Reference> {
    let name: Reference = text.parse().with_context(|| format!("cannot use the name {}", printable(text)))?;
    ensure!(
        matches!(name.version, Version::Tag(_)),
        "cannot use the name {}: it has no tag",
        printable(text)
    );
    Ok(name)
}

/// One image of Docker's `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Docker's table names files; a manifest with their digests is made here.
fn of_docker(members: &Members) -> Result<Vec<Promised<'_>>> {
    let entries: Vec<Entry> =
        parse(&members.file("manifest.json")?.text()?).context("cannot use manifest.json")?;
    entries.iter().map(|entry| of_entry(members, entry)).collect()
}

fn of_entry<'a>(members: &'a Members, entry: &Entry) -> Result<Promised<'a>> {
    let names = entry.repo_tags.iter().flatten().map(|tag| name(tag)).collect::<Result<_>>()?;
    let config = named(members, &entry.config)?;
    let (mut layers, mut descriptors) = (Vec::new(), Vec::new());
    for path in &entry.layers {
        let layer = named(members, path)?;
        let kind = match layer.magic()? {
            [0x1f, 0x8b, ..] => format!("{OCI_LAYER}+gzip"),
            [0x28, 0xb5, 0x2f, 0xfd] => format!("{OCI_LAYER}+zstd"),
            _ => OCI_LAYER.to_owned(),
        };
        descriptors.push(json!({"mediaType": kind, "digest": layer.digest, "size": layer.size}));
        layers.push(layer);
    }
    let text = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": config.digest, "size": config.size},
        "layers": descriptors,
    });
    let text = serde_json::to_vec(&text).context("cannot write a manifest")?;
    let manifest: Manifest = manifest::parse(&text)?;
    Ok(Promised { names, text, manifest, config, layers })
}

/// A file whose name may be its digest: then it is.
fn named<'a>(members: &'a Members, path: &str) -> Result<&'a Content> {
    match path.strip_prefix("blobs/sha256/") {
        Some(hex) => members.blob(&format!("sha256:{hex}").parse()?),
        None => members.file(path),
    }
}
