//! Small images, and the same in bad shape.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use step07_images::digest::Digest;

use super::server::{Ask, Reply, Server};

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An archive of files, each with its content, all of them root's.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What does not compress, for a layer of some size.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 88172645463325252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

/// An image as the documents that a registry has. All may be changed before it is served.
#[derive(Clone, Debug)]
pub struct Content {
    pub manifest: Value,
    pub manifest_type: &'static str,
    pub config: Value,
    pub layers: Vec<Vec<u8>>,
}

impl Content {
    /// With these archives as layers.
    pub fn of(archives: &[Vec<u8>]) -> Self {
        let diff_ids: Vec<Digest> = archives.iter().map(Digest::of).collect();
        let layers: Vec<Vec<u8>> = archives.iter().map(|archive| gzip(archive)).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let mut content = Self { manifest: json!({}), manifest_type: OCI_MANIFEST, config, layers };
        content.describe();
        content
    }

    /// Of one layer with one file.
    pub fn tiny() -> Self {
        Self::of(&[tar(&[("hello", b"hello\n")])])
    }

    /// Writes the manifest anew, after layers or config were changed.
    pub fn describe(&mut self) {
        let config = serde_json::to_vec(&self.config).unwrap();
        let layers: Vec<Value> = self.layers.iter().map(|layer| describe(OCI_LAYER, layer)).collect();
        self.manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": describe(OCI_CONFIG, &config), "layers": layers,
        });
    }

    pub fn text(&self) -> Vec<u8> {
        serde_json::to_vec(&self.manifest).unwrap()
    }

    pub fn digest(&self) -> Digest {
        Digest::of(self.text())
    }

    /// The address of a layer's blob.
    pub fn layer_path(&self, number: usize) -> String {
        format!("/v2/x/blobs/{}", Digest::of(&self.layers[number]))
    }

    /// As a registry has it: the repository `x` with the tag `1`.
    pub fn served(&self) -> Served {
        let mut served = Served::default();
        served.manifest("1", self.manifest_type, self.text());
        served.manifest(&self.digest().to_string(), self.manifest_type, self.text());
        served.blob(serde_json::to_vec(&self.config).unwrap());
        for layer in &self.layers {
            served.blob(layer.clone());
        }
        served
    }
}

/// A descriptor.
pub fn describe(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(content), "size": content.len()})
}

/// What a registry answers, by path.
#[derive(Clone, Debug, Default)]
pub struct Served(pub BTreeMap<String, Reply>);

impl Served {
    pub fn manifest(&mut self, version: &str, media_type: &str, text: Vec<u8>) {
        let reply = Reply::ok(text).with("Content-Type", media_type);
        self.0.insert(format!("/v2/x/manifests/{version}"), reply);
    }

    pub fn blob(&mut self, content: Vec<u8>) {
        self.0.insert(format!("/v2/x/blobs/{}", Digest::of(&content)), Reply::ok(content));
    }

    /// The answer of an honest registry, without ranges.
    pub fn answer(&self, ask: &Ask) -> Reply {
        match self.0.get(&ask.path) {
            Some(reply) => reply.clone(),
            None => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    }
}

/// The part of an honest answer that was asked for.
pub fn ranged(ask: &Ask, honest: Reply) -> Reply {
    let range =
        ask.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let Some(from) = range.filter(|from: &usize| *from > 0) else { return honest };
    let length = honest.body.len();
    if from >= length {
        return Reply::status(416);
    }
    let range = format!("bytes {from}-{}/{length}", length - 1);
    Reply { status: 206, body: honest.body[from..].to_vec(), ..honest }.with("Content-Range", &range)
}

/// Two images that share their lower layer, and the registries that have them as `x:1`.
pub fn two() -> (Server, Server) {
    let below = tar(&[("below", b"below")]);
    let serve = |top: &str| {
        let served = Content::of(&[below.clone(), tar(&[(top, b"")])]).served();
        Server::start(move |ask| served.answer(ask))
    };
    (serve("a"), serve("b"))
}
