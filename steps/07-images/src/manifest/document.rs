//! The documents as they travel, and what is no container image.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::Platform;
use crate::digest::Digest;
use crate::text::printable;

/// The annotation that names an image in a layout's `index.json` (annotations.md).
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Our own annotation in `index.json`: the digest by which the registry knows what was pulled, of an index or of a
/// manifest in Docker's words.
pub const PULLED: &str = "coracle.pulled";

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of all manifests in the store.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// What we can read, as a request's `Accept`.
pub const ACCEPTED: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];

const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The ending of a layer's type is only what its maker believed: the first bytes decide how it is decompressed.
const LAYERS: [&str; 6] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// How one document names another (descriptor.md). What else stands in it, such as `urls`, is not read.
// ANCHOR: documents
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What kind of content it is.
    #[serde(default)]
    pub media_type: String,
    /// The content's hash.
    pub digest: Digest,
    /// The content's length in bytes.
    pub size: u64,
    /// Whom a manifest is for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Free text, among it [`REF_NAME`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An image for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// How to run it.
    pub config: Descriptor,
    /// Its layers, from the lowest to the topmost.
    pub layers: Vec<Descriptor>,
}

/// What a registry gives when it is asked for a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// The manifests of several platforms.
    Index(Vec<Descriptor>),
    /// The manifest itself.
    Manifest(Manifest),
}
// ANCHOR_END: documents

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

/// What both kinds may have: read first, to tell them apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

impl Document {
    /// Reads an index or a manifest.
    ///
    /// `content_type` is what the one who handed it over says it is (a registry's header, a descriptor's `mediaType`),
    /// or empty. A document that could be taken for both kinds is refused: two programs would see two images behind
    /// one digest (CVE-2021-41190).
    pub fn parse(text: &[u8], content_type: &str) -> Result<Self> {
        let outline: Outline = parse(text)?;
        let told = content_type.split(';').next().unwrap_or("").trim();
        let own = outline.media_type.as_deref().unwrap_or("");
        let is_known = |kind: &str| ACCEPTED.contains(&kind) || DOCKER_SCHEMA_1.contains(&kind);
        if !own.is_empty() && is_known(told) && own != told {
            bail!("it was sent as {told}, but calls itself {}", printable(own));
        }
        let kind = if is_known(told) { told } else { own };
        if outline.schema_version == Some(1) || DOCKER_SCHEMA_1.contains(&kind) {
            bail!("schema 1 is no longer supported: push the image again with a newer tool");
        }
        if !kind.is_empty() && !is_known(kind) {
            bail!("not a container image: {}", printable(kind));
        }
        let must_be = |index: bool| match kind {
            OCI_INDEX | DOCKER_INDEX => index,
            OCI_MANIFEST | DOCKER_MANIFEST => !index,
            _ => true,
        };
        match (outline.manifests, outline.layers) {
            (Some(_), Some(_)) => bail!("it has both \"manifests\" and \"layers\""),
            (Some(_), None) if must_be(true) => {
                let index: Index = parse(text)?;
                Ok(Self::Index(index.manifests))
            }
            (None, Some(_)) if must_be(false) => {
                let manifest: Manifest = parse(text)?;
                check(&manifest, outline.artifact_type.as_deref())?;
                Ok(Self::Manifest(manifest))
            }
            _ => bail!("not a container image: neither an index nor a manifest"),
        }
    }
}

/// Charts, signatures and wasm modules travel as manifests too; encrypted layers, and those that must be fetched from
/// somewhere else, are not ours to open.
fn check(manifest: &Manifest, artifact: Option<&str>) -> Result<()> {
    let config = &*manifest.config.media_type;
    if !CONFIGS.contains(&config) {
        let kind = artifact.unwrap_or(config);
        bail!("not a container image: {}", printable(kind));
    }
    for (number, layer) in (1..).zip(&manifest.layers) {
        let kind = &*layer.media_type;
        if kind.contains("foreign") || kind.contains("nondistributable") {
            bail!(
                "layer {number} is not in the registry ({}): such layers are not supported",
                printable(kind)
            );
        }
        ensure!(LAYERS.contains(&kind), "layer {number} is of an unknown kind: {}", printable(kind));
    }
    Ok(())
}

/// Picks the manifest for a platform. Of equals the first wins; what names no platform is the last resort.
pub fn choose(manifests: &[Descriptor], wanted: &Platform) -> Result<Descriptor> {
    let mut best: Option<(u32, &Descriptor)> = None;
    for manifest in manifests {
        let fit = manifest.platform.as_ref().map_or(Some(0), |p| p.fits(wanted));
        if let Some(fit) = fit
            && best.is_none_or(|(so_far, _)| fit > so_far)
        {
            best = Some((fit, manifest));
        }
    }
    best.map(|(_, manifest)| manifest.clone()).ok_or_else(|| {
        // Attestations stand in an index as manifests for "unknown/unknown".
        let there: Vec<String> = manifests
            .iter()
            .filter_map(|manifest| manifest.platform.as_ref())
            .filter(|platform| platform.os != "unknown")
            .take(20)
            .map(Platform::to_string)
            .collect();
        let there = match there.is_empty() {
            true => "none".to_owned(),
            false => there.join(", "),
        };
        anyhow!("no matching manifest for {wanted} in the manifest list entries: there are {there}")
    })
}

/// JSON with the depth that serde_json bounds (128), and an error of one bounded line.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    serde_json::from_slice(text)
        .map_err(|error| anyhow!("{}", printable(&error.to_string())))
        .context("not a valid document")
}
