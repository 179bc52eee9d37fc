//! From Docker's media types to OCI's.
//!
//! Docker's manifests are OCI's by another name. A layout may hold them, but skopeo and umoci pass over what is not
//! named in OCI's words; so they are translated when they come in. Config and layers stay the bytes that they were,
//! and the image's id with them; the manifest's digest is a new one, and the old one is noted beside it.

use anyhow::Result;
use serde_json::Value;

use super::Manifest;

/// Docker's name, and OCI's.
const NAMES: [(&str, &str); 5] = [
    (super::document::DOCKER_MANIFEST, super::document::OCI_MANIFEST),
    ("application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"),
    ("application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar"),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
    ("application/vnd.docker.image.rootfs.diff.tar.zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
];

/// The same manifest in OCI's words; without a change, byte by byte, if it speaks them already.
pub fn to_oci(text: &[u8]) -> Result<(Vec<u8>, Manifest)> {
    let mut document: Value = super::document::parse(text)?;
    let mut changed = false;
    let mut rename = |value: Option<&mut Value>| {
        if let Some(kind) = value
            && let Some((_, oci)) = NAMES.iter().find(|(docker, _)| kind.as_str() == Some(docker))
        {
            *kind = Value::from(*oci);
            changed = true;
        }
    };
    rename(document.get_mut("mediaType"));
    rename(document.pointer_mut("/config/mediaType"));
    for layer in document.get_mut("layers").and_then(Value::as_array_mut).into_iter().flatten() {
        rename(layer.get_mut("mediaType"));
    }
    let text = if changed { serde_json::to_vec(&document)? } else { text.to_vec() };
    let manifest = super::document::parse(&text)?;
    Ok((text, manifest))
}
