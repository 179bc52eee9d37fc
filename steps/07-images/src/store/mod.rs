//! The store: an OCI image layout on disk.
//!
//! ```text
//!   oci-layout                 which version of the layout this is
//!   index.json                 the names: one descriptor of a manifest each
//!   blobs/sha256/<hex>         manifests, configs and compressed layers, named by their hash
//!   layers/<hex>/              ours: each layer unpacked once, named by its chain id
//!   sizes/<hex>                ours: how many bytes a layer's files have, once somebody asked
//!   fresh/<hex>                ours: marks of trees that may not be on the disk yet
//!   pulls/<hex>                ours: a manifest whose image is on its way here, or was
//!   tmp/                       ours: what is not finished; it becomes visible by a rename. `partial-<hex>`
//!                              is the beginning of a blob, which the next pull goes on with
//! ```
//! Other tools read it: `skopeo copy oci:ROOT:docker.io/library/alpine:3.20 dir:/tmp/x` and
//! `umoci stat --image ROOT:docker.io/library/alpine:3.20`. Both take what stands before the first colon for the
//! folder, so ROOT may have none, and the rest for the value of `org.opencontainers.image.ref.name`, which is here
//! always the whole normalised reference. (OCI image specification, image-layout.md.)
//!
//! Who waits for whom is told in `locks`.

mod blobs;
mod collect;
mod fresh;
mod incoming;
mod index;
mod locks;
mod pulls;
mod removal;
mod remove;
mod repair;
mod room;
mod scratch;
mod writer;

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::FlockArg;

pub(crate) use fresh::this_boot;
pub use incoming::Incoming;
pub use locks::Lock;
pub use pulls::Pulling;
pub use removal::{Removed, Use};
pub use remove::remove_tree;
pub use room::Room;
pub use scratch::Scratch;
pub use writer::Writer;

use crate::digest::Digest;
use crate::manifest::{Descriptor, Document, Image};
use crate::names::Reference;
use index::{Entry, Index};

/// The file that makes a folder an image layout.
const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// What may be in the folder of a store that was not finished: its own names, and that of the containers beside it.
const OURS: [&str; 10] =
    ["blobs", "containers", "ended", "fresh", "index.json", "layers", "oci-layout", "pulls", "sizes", "tmp"];

/// A place for images. Cheap to clone: it is a path.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// An image of the store, under one of its names.
#[derive(Clone, Debug)]
pub struct Named {
    /// The whole reference; `None` if another image has taken the name.
    pub name: Option<String>,
    /// The image.
    pub image: Image,
    /// The digest by which its registry knows it, if it was pulled.
    pub pulled: Option<Digest>,
    /// Its entry in the index.
    pub descriptor: Descriptor,
}

impl Store {
    /// Opens the store in `root`, or makes it. Only its owner may enter: images contain programs that run as root.
    pub fn open(root: &Path) -> Result<Self> {
        let cannot = || format!("cannot open the image store {}", root.display());
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder.create(root).with_context(cannot)?;
        let root = root.canonicalize().with_context(cannot)?;
        let store = Self { root };
        store.prepare().with_context(cannot)?;
        Ok(store)
    }

    fn prepare(&self) -> Result<()> {
        let mine = fs::metadata(&self.root)?;
        let is_ours = mine.uid() == nix::unistd::geteuid().as_raw();
        ensure!(is_ours, "it belongs to user {}", mine.uid());
        let layout = self.root.join("oci-layout");
        if !layout.exists() {
            // A slip in `--root /tmp` must not lock everybody out of /tmp.
            let mut there = fs::read_dir(&self.root)?;
            let is_ours =
                there.all(|entry| entry.is_ok_and(|e| OURS.iter().any(|name| e.file_name() == *name)));
            ensure!(is_ours, "it is not empty, and it is no image layout");
        }
        if mine.mode() & 0o077 != 0 {
            fs::set_permissions(&self.root, Permissions::from_mode(0o700))?;
        }
        for name in ["blobs", "blobs/sha256", "layers", "pulls", "tmp"] {
            let path = self.root.join(name);
            match fs::symlink_metadata(&path) {
                Ok(there) => ensure!(there.is_dir(), "{name} is not a folder"),
                Err(_) => DirBuilder::new().recursive(true).mode(0o700).create(path)?,
            }
        }
        if !layout.exists() {
            // Of several that begin at once, one begins; the others find what he made.
            let _alone = self.lock(".", FlockArg::LockExclusive)?;
            if !layout.exists() {
                Index::default().write(&self.root)?;
                blobs::write_whole(&self.root, &layout, LAYOUT.as_bytes())?;
            }
        }
        self.repair()?;
        Ok(())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the blob with this digest is, or would be.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Where the unpacked layer with this chain id is, or would be.
    pub fn layer(&self, chain_id: &Digest) -> PathBuf {
        self.root.join("layers").join(chain_id.hex())
    }

    /// Looks an image up by its name, its id (of the config), its digest (of the manifest), or a unique beginning of
    /// either; in this order, as Docker does.
    ///
    /// `None` if it is not there, or not whole: whoever wants it should get it again.
    pub fn find(&self, text: &str) -> Result<Option<Image>> {
        let index = Index::read(&self.root)?;
        for entry in index.matching(self, text)? {
            if let Ok(image) = self.image(&entry.descriptor)
                && self.is_whole(&image)
            {
                return Ok(Some(image));
            }
        }
        Ok(None)
    }

    /// Looks up exactly this reference.
    pub fn find_reference(&self, reference: &Reference) -> Result<Option<Image>> {
        let name = reference.to_string();
        let index = Index::read(&self.root)?;
        let entry = index.entries().into_iter().find(|e| e.name.as_ref() == Some(&name));
        let image = entry.and_then(|entry| self.image(&entry.descriptor).ok());
        Ok(image.filter(|image| self.is_whole(image)))
    }

    /// All images, in the order in which they came. What cannot be read is left out.
    pub fn images(&self) -> Result<Vec<Named>> {
        let entries = Index::read(&self.root)?.entries();
        Ok(entries.iter().filter_map(|entry| self.named(entry)).collect())
    }

    /// Looks an image up, as [`Store::find`] does, with all names that it has.
    pub fn find_all_names(&self, text: &str) -> Result<Vec<Named>> {
        let index = Index::read(&self.root)?;
        let found = index.matching(self, text)?.iter().find_map(|entry| self.named(entry));
        let Some(found) = found else { return Ok(Vec::new()) };
        let named = index.entries().into_iter().filter_map(|entry| self.named(&entry));
        let mut names: Vec<Named> =
            named.filter(|named| named.image.config_digest == found.image.config_digest).collect();
        // The one that was asked for comes first.
        names.sort_by_key(|named| named.name != found.name);
        Ok(names)
    }

    fn named(&self, entry: &Entry) -> Option<Named> {
        let image = self.image(&entry.descriptor).ok()?;
        let (name, pulled) = (entry.name.clone(), entry.pulled());
        Some(Named { name, image, pulled, descriptor: entry.descriptor.clone() })
    }

    /// Reads manifest and config from the blobs, verifying both.
    pub fn image(&self, manifest: &Descriptor) -> Result<Image> {
        let text = self.document(manifest)?;
        match Document::parse(&text, &manifest.media_type)? {
            Document::Manifest(parsed) => {
                let config = self.document(&parsed.config)?;
                Image::new(manifest.digest, &parsed, &config)
            }
            Document::Index(_) => bail!("{} is an index, not an image", manifest.digest),
        }
    }

    /// The image's config, verified.
    pub fn config(&self, image: &Image) -> Result<Vec<u8>> {
        self.verified(&image.config_digest)
    }

    /// The image's manifest, verified.
    pub fn manifest(&self, image: &Image) -> Result<Vec<u8>> {
        self.verified(&image.digest)
    }

    /// Whether all of the image's layers are here as blobs. Sizes are compared; hashes were when they came.
    pub fn is_whole(&self, image: &Image) -> bool {
        image.layers.iter().all(|layer| self.has_blob(&layer.blob))
    }

    /// Whether a layer is here unpacked, and whole for certain.
    pub fn has_tree(&self, chain_id: &Digest) -> bool {
        self.layer(chain_id).is_dir() && !fresh::is_doubtful(&self.root, chain_id)
    }

    /// Whether all of the image's layers are here unpacked.
    pub fn is_unpacked(&self, image: &Image) -> bool {
        image.layers.iter().all(|layer| self.has_tree(&layer.chain_id))
    }
}
