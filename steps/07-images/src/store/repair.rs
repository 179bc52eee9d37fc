//! After a power cut, or a disk that lost something: what can be saved, and what is said to be lost.
//!
//! We write each file whole and in an order in which nothing points to what is not there yet. Disks lie, and other
//! tools write here too: so a store whose table of names cannot be read is still opened. The images themselves are
//! found again, since each blob is named by what is in it. Their names are not.

use std::fs;

use anyhow::{Context, Result};
use nix::fcntl::FlockArg;

use super::index::Index;
use super::{LAYOUT, Store, blobs};
use crate::digest::Digest;
use crate::manifest::{Descriptor, Document, LARGEST_DOCUMENT, OCI_MANIFEST};
use crate::text::tell;

const KEPT_AS: &str = "index.json.damaged";

impl Store {
    // ANCHOR: repair
    /// Makes a table of names anew, if there is none that can be read.
    pub(super) fn repair(&self) -> Result<()> {
        if !self.is_damaged() {
            return Ok(());
        }
        // Of several that find it so, one mends it.
        let _alone = self.lock(".", FlockArg::LockExclusive)?;
        if !self.is_damaged() {
            return Ok(());
        }
        let path = self.root.join("index.json");
        if path.exists() {
            fs::rename(&path, self.root.join(KEPT_AS)).context("cannot put index.json aside")?;
        }
        let mut index = Index::default();
        let found = self.manifests()?;
        for manifest in &found {
            index.add(manifest)?;
        }
        index.write(&self.root)?;
        blobs::write_whole(&self.root, &self.root.join("oci-layout"), LAYOUT.as_bytes())?;
        tell(format_args!(
            "warning: {} was damaged or lost, and with it the names of the images: {} without a name were found; what \
             was there is kept as {KEPT_AS}",
            path.display(),
            found.len()
        ));
        Ok(())
    }
    // ANCHOR_END: repair

    /// Whether one of the two documents of the layout is no document. What is no file at all is not for us to mend.
    fn is_damaged(&self) -> bool {
        let is_damaged = |name: &str| match blobs::open_regular(&self.root.join(name)) {
            Ok(file) => {
                serde_json::from_reader::<_, serde_json::Map<_, _>>(std::io::BufReader::new(file)).is_err()
            }
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        is_damaged("index.json") || is_damaged("oci-layout")
    }

    /// All blobs that are the manifest of an image that can be read.
    fn manifests(&self) -> Result<Vec<Descriptor>> {
        let folder = self.root.join("blobs/sha256");
        let mut found = Vec::new();
        for entry in
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?.flatten()
        {
            let digest: Option<Digest> =
                entry.file_name().to_str().and_then(|name| format!("sha256:{name}").parse().ok());
            let size = entry.metadata().map_or(0, |found| found.len());
            let Some(digest) = digest.filter(|_| (1..=LARGEST_DOCUMENT).contains(&size)) else { continue };
            let Ok(text) = self.verified(&digest) else { continue };
            let descriptor = Descriptor {
                media_type: OCI_MANIFEST.to_owned(),
                digest,
                size,
                platform: None,
                annotations: Default::default(),
            };
            let is_manifest = matches!(Document::parse(&text, OCI_MANIFEST), Ok(Document::Manifest(_)));
            if is_manifest && self.image(&descriptor).is_ok() {
                found.push(descriptor);
            }
        }
        found.sort_by_key(|manifest| manifest.digest);
        Ok(found)
    }

    /// The names of images of which something is missing or damaged: they are as good as not here.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn damaged(&self) -> Result<Vec<String>> {
        let entries = Index::read(&self.root)?.entries();
        let is_damaged = |descriptor: &Descriptor| match self.document(descriptor) {
            Err(_) => true,
            // What is no image, and what is an index of images, may be somebody else's.
            Ok(text) => match Document::parse(&text, &descriptor.media_type) {
                Ok(Document::Manifest(_)) => {
                    self.image(descriptor).map_or(true, |image| !self.is_whole(&image))
                }
                _ => false,
            },
        };
        let damaged = entries.into_iter().filter(|entry| is_damaged(&entry.descriptor));
        Ok(damaged.map(|entry| entry.name.unwrap_or_else(|| entry.descriptor.digest.to_string())).collect())
    }
}
