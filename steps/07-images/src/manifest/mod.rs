//! Index, manifest and config: what an image is made of.
//!
//! Three kinds of JSON documents, each naming the next by digest:
//! ```text
//!   index ──────> manifest ──────> config      how to run it, and the diff_id of each layer
//!   one entry per platform   └───> layers      compressed archives of files
//! ```
//! OCI image specification: image-index.md, manifest.md, config.md. Docker's own documents (manifest version 2,
//! schema 2) differ in their media types only.

mod convert;
mod document;
mod platform;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

pub use convert::to_oci;
pub use document::{ACCEPTED, Descriptor, Document, Manifest, OCI_MANIFEST, PULLED, REF_NAME, choose, parse};
pub use platform::Platform;

use crate::digest::Digest;
use crate::text::printable;

/// No document is read beyond this size, in bytes: registries refuse larger manifests too.
pub const LARGEST_DOCUMENT: u64 = 4 << 20;

/// The most layers that overlayfs stacks (`OVL_MAX_STACK` of the kernel).
const MOST_LAYERS: usize = 500;

/// An image for one platform: everything known about it before a layer is opened.
// ANCHOR: image
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The digest of the manifest, which names all the rest.
    pub digest: Digest,
    /// The digest of the config: what Docker calls the image's id.
    pub config_digest: Digest,
    /// From the lowest to the topmost.
    pub layers: Vec<Layer>,
    /// How to run it.
    pub settings: Settings,
    /// What it was built for.
    pub platform: Platform,
    /// When it was built (RFC 3339), if the builder said so. Not to be believed.
    pub created: Option<String>,
}

/// One layer, known by two digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// What travels: mostly compressed. Its digest names the blob, its size is in bytes.
    pub blob: Descriptor,
    /// The digest of the archive itself, once decompressed.
    pub diff_id: Digest,
    /// The digest of this layer's place: of all diff_ids up to this one. It names the unpacked tree.
    pub chain_id: Digest,
}
// ANCHOR_END: image

/// The part of the config that says how to run the image. All of it is text of strangers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Settings {
    /// `NAME=value`, in order.
    #[serde(deserialize_with = "or_nothing")]
    pub env: Vec<String>,
    /// The words before the command.
    #[serde(deserialize_with = "one_or_many")]
    pub entrypoint: Vec<String>,
    /// The command, or the words after the entrypoint.
    #[serde(deserialize_with = "one_or_many")]
    pub cmd: Vec<String>,
    /// `user`, `uid`, `user:group` …; empty means root.
    #[serde(deserialize_with = "or_nothing")]
    pub user: String,
    /// Where the command starts; empty means `/`.
    #[serde(deserialize_with = "or_nothing")]
    pub working_dir: String,
    /// Free text.
    #[serde(deserialize_with = "or_nothing")]
    pub labels: BTreeMap<String, String>,
    /// A name or a number; empty means SIGTERM.
    #[serde(deserialize_with = "or_nothing")]
    pub stop_signal: String,
    /// `80/tcp` and the like: a note, nothing is opened. The values are always empty.
    #[serde(deserialize_with = "or_nothing")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// Paths that want a volume. The values are always empty.
    #[serde(deserialize_with = "or_nothing")]
    pub volumes: BTreeMap<String, Empty>,
    /// How its health would be checked.
    #[serde(deserialize_with = "if_it_makes_sense", skip_serializing_if = "Health::is_none")]
    pub healthcheck: Health,
}

/// A check of a container's health: the words after `NONE`, `CMD` or `CMD-SHELL`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// Nothing, or only `NONE`, is no check.
    #[serde(deserialize_with = "or_nothing")]
    pub test: Vec<String>,
}

impl Health {
    /// Whether nothing is to be checked.
    pub fn is_none(&self) -> bool {
        self.test.first().is_none_or(|kind| kind == "NONE")
    }
}

/// The value in what is a set of names: `{}`. Anything else is taken for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Empty {}

impl<'de> Deserialize<'de> for Empty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self {})
    }
}

/// Builders written in Go write `null` for an empty list.
fn or_nothing<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What is of no use here is no reason to refuse an image.
fn if_it_makes_sense<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Old builders wrote a command of one word as a string.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Words::One(word)) => vec![word],
        Some(Words::Many(words)) => words,
    })
}

#[derive(Deserialize)]
struct Config {
    #[serde(flatten)]
    platform: Platform,
    created: Option<String>,
    config: Option<Settings>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

impl Image {
    /// Puts a manifest and its config together.
    ///
    /// `digest` is the manifest's. Both texts must have been verified by their digests before.
    /// Fails if the config is no valid JSON, or if the two disagree about the number of layers.
    pub fn new(digest: Digest, manifest: &Manifest, config: &[u8]) -> Result<Self> {
        let config_digest = manifest.config.digest;
        let config: Config = document::parse(config)
            .with_context(|| format!("cannot read the image config {config_digest}"))?;
        let (blobs, diff_ids) = (&manifest.layers, config.rootfs.diff_ids);
        ensure!(
            blobs.len() == diff_ids.len(),
            "image {digest} has {} layers, but its config has {} diff_ids",
            blobs.len(),
            diff_ids.len()
        );
        ensure!(
            blobs.len() <= MOST_LAYERS,
            "image {digest} has {} layers: overlayfs stacks at most {MOST_LAYERS}",
            blobs.len()
        );
        if config.platform.os != "linux" {
            bail!(
                "image operating system \"{}\" cannot be used on this platform",
                printable(&config.platform.os)
            );
        }
        let chain_ids = chain_ids(&diff_ids);
        let layers = blobs.iter().zip(diff_ids).zip(chain_ids);
        Ok(Self {
            digest,
            config_digest,
            layers: layers
                .map(|((blob, diff_id), chain_id)| Layer { blob: blob.clone(), diff_id, chain_id })
                .collect(),
            settings: config.config.unwrap_or_default(),
            platform: config.platform,
            created: config.created,
        })
    }

    /// The names of the unpacked trees, from the lowest to the topmost.
    pub fn chain_ids(&self) -> Vec<Digest> {
        self.layers.iter().map(|layer| layer.chain_id).collect()
    }

    /// The bytes of all compressed layers.
    pub fn compressed_size(&self) -> u64 {
        let sizes = self.layers.iter().map(|layer| layer.blob.size);
        sizes.fold(0, u64::saturating_add)
    }
}

/// The chain id of the lowest layer is its diff_id; that of any other is the digest of the text
/// `<chain id of the layer below> <diff_id>` (config.md, section "Layer ChainID").
// ANCHOR: chain
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::new();
    for diff_id in diff_ids {
        chain.push(match chain.last() {
            None => *diff_id,
            Some(below) => Digest::of(format!("{below} {diff_id}")),
        });
    }
    chain
}
// ANCHOR_END: chain

/// The chain ids alone, of a config that was verified.
pub fn chain_ids_of_config(config: &[u8]) -> Result<Vec<Digest>> {
    let config: Config = document::parse(config)?;
    Ok(chain_ids(&config.rootfs.diff_ids))
}
