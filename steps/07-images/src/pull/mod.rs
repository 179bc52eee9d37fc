//! Pull: from a reference to layers on disk.
//!
//! What is named by a digest may come from anybody: it is verified. What is not, a tag, is the registry's word.
//! The name is written as the last act, so that a pull that broke off left no image behind.

mod download;
mod unpack;

use anyhow::{Context, Result, bail, ensure};

pub use unpack::unpack_image;

use crate::digest::Digest;
use crate::full_disk;
use crate::manifest::{self, Document, Image, LARGEST_DOCUMENT, Manifest, OCI_MANIFEST, PULLED, Platform};
use crate::names::{Reference, Version};
use crate::progress::Progress;
use crate::registry::{self, Fetched, Registry};
use crate::store::Store;

/// An index may name an index, but not for ever.
const DEEPEST_INDEX: usize = 4;

/// How to pull.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// For whom; `None` is this machine.
    pub platform: Option<Platform>,
    /// Say nothing.
    pub quiet: bool,
    /// Say it on stdout, as `docker pull` does; `docker run` leaves that to the container.
    pub to_stdout: bool,
    /// How to ask the registry.
    pub registry: registry::Options,
}

/// Gets an image, unpacks its layers and names it in the store. What is here already is not fetched again.
///
/// Starts threads: run it in a process that clones no container. The process must be root, or root of a user
/// namespace that has the ids of the image's files.
// ANCHOR: pull
pub fn pull(store: &Store, reference: &Reference, options: &PullOptions) -> Result<Image> {
    let progress = Progress::new(options.quiet, options.to_stdout);
    let registry = Registry::connect(reference, &options.registry)?;
    progress.say(&greeting(reference));

    let first = registry.manifest(&reference.version)?;
    let told = first.digest;
    let wanted = options.platform.clone().unwrap_or_else(Platform::of_this_machine);
    if let Some(image) = up_to_date(store, reference, &told, &wanted)? {
        progress.say(&format!("Digest: {told}"));
        progress.say(&format!("Status: Image is up to date for {}", reference.familiar()));
        return Ok(image);
    }
    let fetched = choose(&registry, first, &wanted)?;
    let (text, manifest) = manifest::to_oci(&fetched.text)?;

    let (pulling, writer) = store.pulling(&Digest::of(&text))?;
    let before = store.find_reference(reference)?.map(|image| image.digest);
    let bring = || -> Result<Image> {
        let mut descriptor = writer.add(OCI_MANIFEST, &mut &*text)?;
        drop(writer);
        // From here to the name nobody waits for us who does not want the same.
        descriptor.annotations.insert(PULLED.to_owned(), told.to_string());
        let image = add_config(store, &registry, descriptor.digest, &manifest)?;
        if options.platform.is_some() {
            ensure!(
                image.platform.fits(&wanted).is_some(),
                "no matching manifest for {wanted}: the image is for {}",
                image.platform
            );
        }
        download::download_and_unpack(store, &registry, &image, &progress)?;
        store.writer_of_names()?.tag(reference, &descriptor)?;
        Ok(image)
    };
    let image = match bring() {
        Err(error) if full_disk::is_why(&error) => {
            let error = full_disk::told(error, store.root());
            // What has come would only be in the way of those who make room.
            return pulling.give_up().and(Err(error));
        }
        other => other?,
    };
    pulling.done();

    progress.say(&format!("Digest: {told}"));
    let status = match before == Some(image.digest) {
        true => "Image is up to date",
        false => "Downloaded newer image",
    };
    progress.say(&format!("Status: {status} for {}", reference.familiar()));
    Ok(image)
}
// ANCHOR_END: pull

/// The image that has this name already, if the registry still means the same, and all of it is here: then there is
/// nothing to write, and nobody to wait for.
fn up_to_date(
    store: &Store,
    reference: &Reference,
    told: &Digest,
    wanted: &Platform,
) -> Result<Option<Image>> {
    let _reading = store.reading()?;
    let name = reference.to_string();
    let named = store.images()?.into_iter().find(|named| named.name.as_ref() == Some(&name));
    let image = named.filter(|named| named.pulled == Some(*told)).map(|named| named.image);
    Ok(image.filter(|image| {
        image.platform.fits(wanted).is_some() && store.is_whole(image) && store.is_unpacked(image)
    }))
}

fn greeting(reference: &Reference) -> String {
    let repository = &reference.repository;
    match &reference.version {
        Version::Tag(tag) => format!("{tag}: Pulling from {repository}"),
        Version::Digest(digest) => format!("{digest}: Pulling from {repository}"),
    }
}

/// Goes from index to manifest: the platform decides.
fn choose(registry: &Registry, first: Fetched, wanted: &Platform) -> Result<Fetched> {
    let mut fetched = first;
    for _ in 0..=DEEPEST_INDEX {
        let parsed = Document::parse(&fetched.text, &fetched.content_type);
        match parsed.with_context(|| format!("cannot use manifest {}", fetched.digest))? {
            Document::Manifest(_) => return Ok(fetched),
            Document::Index(manifests) => {
                let chosen = manifest::choose(&manifests, wanted)?;
                fetched = registry.manifest(&Version::Digest(chosen.digest))?;
                let size = fetched.text.len() as u64;
                ensure!(
                    size == chosen.size,
                    "manifest {} has {size} bytes, but its index tells {}",
                    chosen.digest,
                    chosen.size
                );
            }
        }
    }
    bail!("the index leads to another one more than {DEEPEST_INDEX} times")
}

fn add_config(store: &Store, registry: &Registry, image: Digest, manifest: &Manifest) -> Result<Image> {
    let config = &manifest.config;
    let digest: Digest = config.digest;
    ensure!(
        config.size <= LARGEST_DOCUMENT,
        "the image config {digest} is longer than {LARGEST_DOCUMENT} bytes"
    );
    if let Some(mut incoming) = store.incoming(config, &|| {})? {
        registry.blob(config, &mut incoming, &|_| Ok(()))?;
        incoming.keep()?;
    }
    Image::new(image, manifest, &store.document(config)?)
}
