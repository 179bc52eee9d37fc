//! Images, as layouts that other tools push.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};
use step07_images::digest::Digest;
use support::{busybox_root, not_run};
use tar::{Builder, EntryType, Header};

const BUILT: &str = "2026-01-02T03:04:05Z";

/// An image that is not pushed yet.
#[derive(Clone)]
pub struct Image {
    /// The part of its config that says how to run it.
    pub settings: Value,
    pub architecture: &'static str,
    /// When it was built
    pub created: &'static str,
    /// How it was built
    pub history: Vec<Value>,
    layers: Vec<Vec<u8>>,
}

impl Image {
    /// Busybox, two users, and each thing that layers are made of. Nothing where busybox is not static; it is said.
    pub fn usual() -> Option<Self> {
        let users = Layer::new()
            .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1001:Ada:/home/ada:/bin/sh\n")
            .file("etc/group", "root:x:0:\nada:x:1001:\naudio:x:29:bob,ada\n")
            .file("greeting", "hello from below\n")
            .file("deleted", "")
            .file("hidden/below", "");
        let changes = Layer::new()
            .file("greeting", "hello from above\n")
            .file(".wh.deleted", "")
            .file("hidden/.wh..wh..opq", "")
            .file("hidden/above", "");
        let settings = json!({"Cmd": ["cat", "/greeting"], "Env": ["GREETING=hello"]});
        Some(Self::busybox(settings)?.layer(users).layer(changes))
    }

    /// Busybox and nothing else.
    pub fn busybox(settings: Value) -> Option<Self> {
        Some(Self {
            settings,
            architecture: "amd64",
            created: BUILT,
            history: Vec::new(),
            layers: vec![busybox()?.clone()],
        })
    }

    /// Nothing but the program and a folder for it: every other place is free.
    pub fn bare_busybox(settings: Value) -> Option<Self> {
        busybox()?;
        let program = std::fs::read(support::program("busybox")?).unwrap();
        let mut layer = Layer::new().program("bin/busybox", program);
        for name in ["sh", "true", "echo", "test"] {
            layer = layer.link(&format!("bin/{name}"), "busybox");
        }
        Some(
            Self { settings, architecture: "amd64", created: BUILT, history: Vec::new(), layers: Vec::new() }
                .layer(layer),
        )
    }

    /// One layer of files that come from elsewhere, as an archive.
    pub fn of_archive(settings: Value, archive: Vec<u8>) -> Self {
        Self { settings, architecture: "amd64", created: BUILT, history: Vec::new(), layers: vec![archive] }
    }

    /// One small file, for whoever only wants to see images come and go.
    pub fn small(settings: Value) -> Self {
        let layers = Vec::new();
        Self { settings, architecture: "amd64", created: BUILT, history: Vec::new(), layers }
            .layer(Layer::new().file("file", "content"))
    }

    /// As if it had been built at another time.
    #[must_use]
    pub fn built(self, created: &'static str) -> Self {
        Self { created, ..self }
    }

    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer.0.into_inner().unwrap());
        self
    }

    #[must_use]
    pub fn set(mut self, name: &str, value: Value) -> Self {
        self.settings[name] = value;
        self
    }

    /// Writes a layout with this image under a name, or adds it to the one that is there.
    pub fn write(&self, folder: &Path, name: &str) {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        let blob = |kind: &str, content: &[u8]| {
            let digest = Digest::of(content);
            fs::write(folder.join("blobs/sha256").join(digest.hex()), content).unwrap();
            let media_type = format!("application/vnd.oci.image.{kind}");
            json!({"mediaType": media_type, "digest": digest, "size": content.len()})
        };
        let diff_ids: Vec<Digest> = self.layers.iter().map(Digest::of).collect();
        let mut config = json!({
            "architecture": self.architecture, "os": "linux", "created": self.created,
            "config": self.settings, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        if !self.history.is_empty() {
            config["history"] = self.history.clone().into();
        }
        let layers: Vec<Value> = self.layers.iter().map(|layer| blob("layer.v1.tar", layer)).collect();
        let config = blob("config.v1+json", config.to_string().as_bytes());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": layers,
        });
        let mut manifest = blob("manifest.v1+json", manifest.to_string().as_bytes());
        manifest["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let index = fs::read(folder.join("index.json")).ok();
        let index = index.map(|text| serde_json::from_slice(&text).unwrap());
        let mut index: Value = index.unwrap_or_else(|| json!({"schemaVersion": 2, "manifests": []}));
        index["manifests"].as_array_mut().unwrap().push(manifest);
        fs::write(folder.join("index.json"), index.to_string()).unwrap();
    }
}

/// The digest of some content, in the words of the specification.
pub fn digest(content: &[u8]) -> String {
    Digest::of(content).to_string()
}

/// A layer that is being written: everything in it is root's.
pub struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.add(path, EntryType::Regular, 0o644, content.as_ref())
    }

    pub fn program(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.add(path, EntryType::Regular, 0o755, content.as_ref())
    }

    /// Somebody else's file.
    pub fn owned_file(mut self, path: &str, uid: u64, gid: u64, mode: u32, content: &str) -> Self {
        let mut header = header(EntryType::Regular, mode);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, path, content.as_bytes()).unwrap();
        self
    }

    pub fn folder(self, path: &str) -> Self {
        self.add(path, EntryType::Directory, 0o755, &[])
    }

    pub fn fifo(self, path: &str) -> Self {
        self.add(path, EntryType::Fifo, 0o644, &[])
    }

    /// A character device.
    pub fn device(mut self, path: &str, major: u32, minor: u32) -> Self {
        let mut header = header(EntryType::Char, 0o666);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        self.0.append_data(&mut header, path, &[][..]).unwrap();
        self
    }

    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.0.append_link(&mut header(EntryType::Symlink, 0o777), path, target).unwrap();
        self
    }

    fn add(mut self, path: &str, kind: EntryType, mode: u32, content: &[u8]) -> Self {
        let mut header = header(kind, mode);
        header.set_size(content.len() as u64);
        self.0.append_data(&mut header, path, content).unwrap();
        self
    }
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    header
}

/// The archive of the smallest root file system, made once.
fn busybox() -> Option<&'static Vec<u8>> {
    static ARCHIVE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let archive = ARCHIVE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        busybox_root(folder.path()).unwrap().then(|| archive(folder.path()))
    });
    if archive.is_none() {
        not_run("busybox is missing: apt-get install busybox-static");
    }
    archive.as_ref()
}

fn archive(folder: &Path) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    builder.follow_symlinks(false);
    builder.mode(tar::HeaderMode::Complete);
    for name in super::names(folder) {
        let mut add = |path: &Path| {
            let inside = path.strip_prefix(folder).unwrap();
            let meta = fs::symlink_metadata(path).unwrap();
            let mut header = Header::new_ustar();
            header.set_metadata(&meta);
            header.set_uid(0);
            header.set_gid(0);
            if meta.is_symlink() {
                builder.append_link(&mut header, inside, fs::read_link(path).unwrap()).unwrap();
            } else if meta.is_dir() {
                builder.append_data(&mut header, inside, &[][..]).unwrap();
            } else {
                builder.append_data(&mut header, inside, &*fs::read(path).unwrap()).unwrap();
            }
        };
        let path = folder.join(name);
        add(&path);
        super::names(&path).iter().for_each(|name| add(&path.join(name)));
    }
    builder.into_inner().unwrap()
}
