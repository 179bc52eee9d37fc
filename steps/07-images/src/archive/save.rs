//! `save`: from the store into an archive that everybody reads.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek, Write};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::IMAGE_NAME;
use crate::digest::{Digest, HashingReader};
use crate::layers::by_magic;
use crate::manifest::{Image, Layer, OCI_MANIFEST, REF_NAME};
use crate::names::{Reference, Version};
use crate::store::Store;

/// An image, and the names that it has in the archive.
#[derive(Debug)]
pub struct Wanted {
    /// The image.
    pub image: Image,
    /// Its names, with tags.
    pub names: Vec<Reference>,
}

/// What is to be written, open: from here on nobody has to keep it for us.
#[derive(Debug)]
pub struct Opened<'a> {
    images: &'a [Wanted],
    texts: HashMap<Digest, Vec<u8>>,
    blobs: HashMap<Digest, File>,
}

/// Opens all that belongs to some images.
///
/// # Errors
/// Something is not there, or a document is damaged.
pub fn open<'a>(store: &Store, images: &'a [Wanted]) -> Result<Opened<'a>> {
    let mut opened = Opened { images, texts: HashMap::new(), blobs: HashMap::new() };
    for Wanted { image, .. } in images {
        opened.texts.insert(image.config_digest, store.config(image)?);
        opened.texts.insert(image.digest, store.manifest(image)?);
        for layer in &image.layers {
            opened.blobs.insert(layer.blob.digest, store.open_blob(&layer.blob.digest)?);
        }
    }
    Ok(opened)
}

impl Opened<'_> {
    fn text(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.texts.get(digest).cloned().with_context(|| format!("document {digest} is not there"))
    }

    /// From its beginning, each time.
    fn blob(&self, digest: &Digest) -> Result<&File> {
        let mut blob = self.blobs.get(digest).with_context(|| format!("blob {digest} is not there"))?;
        blob.rewind().with_context(|| format!("cannot read blob {digest}"))?;
        Ok(blob)
    }
}

// ANCHOR: save
/// Writes images into one archive, whose bytes depend on nothing else.
///
/// # Errors
/// A blob is damaged, or the archive cannot be written.
pub fn save(opened: &Opened<'_>, output: &mut dyn Write) -> Result<()> {
    let mut archive = Archive { opened, builder: Builder::new(output), written: HashSet::new() };
    // Who unpacks this without being root may make folders, but not give them to root.
    archive.folder("blobs/")?;
    archive.folder("blobs/sha256/")?;
    let (mut manifests, mut table) = (Vec::new(), Vec::new());
    let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for Wanted { image, names } in opened.images {
        let config = archive.config(image)?;
        let layers = image.layers.iter().map(|layer| archive.layer(layer)).collect::<Result<Vec<_>>>()?;
        let paths: Vec<String> = layers.iter().map(path_of).collect();
        let tags: Vec<String> = names.iter().map(Reference::familiar).collect();
        table.push(json!({"Config": path_of(&config), "RepoTags": tags, "Layers": paths}));
        let manifest = archive.manifest(image, &config, &layers)?;
        if names.is_empty() {
            manifests.push(manifest.clone());
        }
        for name in names {
            let Version::Tag(tag) = &name.version else { continue };
            let mut manifest = manifest.clone();
            manifest["annotations"] = json!({IMAGE_NAME: name.to_string(), REF_NAME: tag});
            manifests.push(manifest);
            let tags = repositories.entry(name.familiar_name()).or_default();
            tags.insert(tag.clone(), image.config_digest.hex());
        }
    }
    archive.document("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))?;
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
    });
    archive.document("index.json", &index)?;
    archive.document("manifest.json", &table.into())?;
    archive.document("repositories", &json!(repositories))?;
    archive.builder.finish().context("cannot write the archive")
}
// ANCHOR_END: save

struct Archive<'a> {
    opened: &'a Opened<'a>,
    builder: Builder<&'a mut dyn Write>,
    written: HashSet<Digest>,
}

impl Archive<'_> {
    fn config(&mut self, image: &Image) -> Result<Value> {
        let text = self.opened.text(&image.config_digest)?;
        let digest = image.config_digest;
        self.blob(&digest, text.len() as u64, &mut &*text)?;
        let kind = "application/vnd.oci.image.config.v1+json";
        Ok(json!({"mediaType": kind, "digest": digest, "size": text.len()}))
    }

    /// Many tools cannot read zstd: such a layer is written without it. The digest of that is known: its diff_id.
    fn layer(&mut self, layer: &Layer) -> Result<Value> {
        let cannot = || format!("cannot read layer {}", layer.blob.digest);
        let mut magic = [0; 4];
        let blob = self.opened.blob(&layer.blob.digest)?;
        let count = blob.take(4).read(&mut magic).with_context(cannot)?;
        let kind = match magic[..count] {
            [0x28, 0xb5, 0x2f, 0xfd] => return self.decompressed(layer),
            [0x1f, 0x8b, ..] => "application/vnd.oci.image.layer.v1.tar+gzip",
            _ => "application/vnd.oci.image.layer.v1.tar",
        };
        let mut content = HashingReader::new(self.opened.blob(&layer.blob.digest)?);
        self.blob(&layer.blob.digest, layer.blob.size, &mut content)?;
        let is_right = content.length() == 0 || content.digest() == layer.blob.digest;
        ensure!(is_right, "blob {} is damaged: pull the image again", layer.blob.digest);
        Ok(json!({"mediaType": kind, "digest": layer.blob.digest, "size": layer.blob.size}))
    }

    /// An archive tells the size of a file before its content, so it is read twice.
    fn decompressed(&mut self, layer: &Layer) -> Result<Value> {
        let cannot = || format!("cannot decompress layer {}", layer.blob.digest);
        let mut blob = self.opened.blob(&layer.blob.digest)?;
        let mut content = HashingReader::new(by_magic(&mut blob).with_context(cannot)?);
        io::copy(&mut content, &mut io::sink()).with_context(cannot)?;
        let (digest, size) = (content.digest(), content.length());
        ensure!(digest == layer.diff_id, "blob {} is damaged: pull the image again", layer.blob.digest);
        let mut blob = self.opened.blob(&layer.blob.digest)?;
        self.blob(&digest, size, &mut by_magic(&mut blob).with_context(cannot)?)?;
        Ok(json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}))
    }

    /// The manifest as it is, or, if a layer is another one now, with that.
    fn manifest(&mut self, image: &Image, config: &Value, layers: &[Value]) -> Result<Value> {
        let same =
            image.layers.iter().zip(layers).all(|(old, new)| new["digest"] == old.blob.digest.to_string());
        let text = match same {
            true => self.opened.text(&image.digest)?,
            false => {
                let manifest = json!({
                    "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers,
                });
                serde_json::to_vec(&manifest).context("cannot write a manifest")?
            }
        };
        let digest = Digest::of(&text);
        self.blob(&digest, text.len() as u64, &mut &*text)?;
        let platform = serde_json::to_value(&image.platform).context("cannot write a manifest")?;
        Ok(json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": text.len(), "platform": platform}))
    }

    fn document(&mut self, name: &str, value: &Value) -> Result<()> {
        let text = serde_json::to_vec(value).with_context(|| format!("cannot write {name}"))?;
        self.file(name, text.len() as u64, &mut &*text)
    }

    /// Once, however many images share it.
    fn blob(&mut self, digest: &Digest, size: u64, content: &mut dyn Read) -> Result<()> {
        match self.written.insert(*digest) {
            true => self.file(&format!("blobs/sha256/{}", digest.hex()), size, content),
            false => Ok(()),
        }
    }

    fn folder(&mut self, name: &str) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        self.builder.append_data(&mut header, name, io::empty()).context("cannot write the archive")
    }

    fn file(&mut self, name: &str, size: u64, content: &mut dyn Read) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(size);
        self.builder.append_data(&mut header, name, content).context("cannot write the archive")
    }
}

fn path_of(descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap_or_default();
    format!("blobs/{}", digest.replacen(':', "/", 1))
}
