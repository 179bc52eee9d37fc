//! Garbage: what no name and no container needs any more.
//!
//! Other tools put things into a layout too, and write their blobs before the index names them. So a blob goes only if
//! it belonged to what is being removed, or to a pull that has ended before its time; and a tree, which is ours alone,
//! if nobody needs it.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::fcntl::FlockArg;
use serde_json::Value;

use super::index::{Entry, Index};
use super::pulls::Abandoned;
use super::remove::remove_tree;
use super::{Store, Use, Writer, incoming};
use crate::digest::Digest;
use crate::manifest::chain_ids_of_config;
use crate::sizes;

/// A blob of which we know nothing may be on its way to a name, by another tool; after so long it is not.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// What was removed.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub trees: HashSet<String>,
    pub bytes: u64,
}

// ANCHOR: collect
impl Writer {
    /// Removes the trees that neither a name nor a container needs: a tree outlives its image as long as a container
    /// is on it.
    pub fn tidy(&self, uses: &dyn Fn() -> Result<Vec<Use>>) -> Result<()> {
        let _nobody_reads = self.lock(".", FlockArg::LockExclusive)?;
        self.collect_trees(&Index::read(&self.root)?, &uses()?).map(drop)
    }

    /// Removes the trees that neither the index nor a container needs, nor somebody who gets an image.
    pub(super) fn collect_trees(&self, index: &Index, uses: &[Use]) -> Result<Swept> {
        let mut needed = self.needed(index).trees;
        needed.extend(uses.iter().flat_map(|user| &user.layers).map(Digest::hex));
        let mut swept = Swept::default();
        for tree in names(&self.root.join("layers"))?.difference(&needed) {
            swept.bytes += sizes::of_tree(&self.store, tree);
            self.remove_aside("layers", tree)?;
            swept.trees.insert(tree.clone());
        }
        for folder in ["sizes", "fresh"] {
            for note in names(&self.root.join(folder))?.difference(&needed) {
                self.remove_aside(folder, note)?;
            }
        }
        Ok(swept)
    }

    /// Removes the blobs that only these entries, which are no longer in the index, needed.
    pub(super) fn collect_blobs(&self, index: &Index, gone: &[Entry]) -> Result<u64> {
        let needed = self.needed(index).blobs;
        let gone = Reached::of(&self.store, &manifests(gone)).blobs;
        gone.difference(&needed).map(|blob| self.remove_blob(blob)).sum()
    }
    // ANCHOR_END: collect

    /// Removes what pulls have left that ended before their time, and blobs that nobody has named for a day.
    pub(super) fn collect_orphans(&self, index: &Index) -> Result<u64> {
        let abandoned = self.abandoned();
        let mut bytes = incoming::remove_partials(&self.root)?;
        for blob in self.orphans(index, &abandoned)? {
            bytes += self.remove_blob(&blob)?;
        }
        for left in abandoned {
            fs::remove_file(&left.path).with_context(|| format!("cannot remove {}", left.path.display()))?;
        }
        Ok(bytes)
    }

    pub(super) fn remove_blob(&self, name: &str) -> Result<u64> {
        let path = self.root.join("blobs/sha256").join(name);
        let Ok(status) = path.symlink_metadata() else { return Ok(0) };
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        Ok(status.len())
    }

    /// A tree that is half gone must not keep its name: it is moved away first.
    fn remove_aside(&self, folder: &str, name: &str) -> Result<()> {
        let (path, away) = (self.root.join(folder).join(name), self.root.join("tmp").join(name));
        let removed = fs::rename(&path, &away).and_then(|()| remove_tree(&away));
        removed.with_context(|| format!("cannot remove {}", path.display()))
    }
}

impl Store {
    /// What the index leads to, and all manifests of images that are on their way.
    pub(super) fn needed(&self, index: &Index) -> Reached {
        let mut documents = manifests(&index.entries());
        documents.extend(self.on_their_way());
        Reached::of(self, &documents)
    }

    /// The blobs that nothing leads to, and that nobody is about to name.
    pub(super) fn orphans(&self, index: &Index, abandoned: &[Abandoned]) -> Result<Vec<String>> {
        let left = abandoned.iter().map(|left| left.manifest).collect::<Vec<_>>();
        let mut needed = manifests(&index.entries());
        // Those that are held by us here are on their way nowhere.
        needed.extend(self.on_their_way().into_iter().filter(|digest| !left.contains(digest)));
        let (needed, left) = (Reached::of(self, &needed).blobs, Reached::of(self, &left).blobs);
        let is_old = |blob: &String| {
            let status = self.root.join("blobs/sha256").join(blob).symlink_metadata();
            let age = status.and_then(|status| status.modified()).map(|time| time.elapsed());
            matches!(age, Ok(Ok(age)) if age > PATIENCE)
        };
        let mut all = names(&self.root.join("blobs/sha256"))?;
        all.retain(|blob| !needed.contains(blob) && (left.contains(blob) || is_old(blob)));
        Ok(all.into_iter().collect())
    }
}

/// The digests of what these entries name.
pub(super) fn manifests(entries: &[Entry]) -> Vec<Digest> {
    entries.iter().map(|entry| entry.descriptor.digest).collect()
}

pub(super) fn names(folder: &Path) -> Result<HashSet<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// What documents lead to: names of blobs and of trees.
#[derive(Default)]
pub(super) struct Reached {
    pub blobs: HashSet<String>,
    pub trees: HashSet<String>,
}

impl Reached {
    pub fn of(store: &Store, documents: &[Digest]) -> Self {
        let mut reached = Self::default();
        let mut documents = documents.to_vec();
        while let Some(document) = documents.pop() {
            if !reached.blobs.insert(document.hex()) {
                continue;
            }
            // What is no JSON, or of a kind that we do not know, may name other blobs all the same.
            let text = store.verified(&document).unwrap_or_default();
            let mut named = BTreeSet::new();
            find_digests(&serde_json::from_slice(&text).unwrap_or_default(), &mut named);
            for (digest, kind) in named {
                let is_document = kind.is_empty() || kind.contains("manifest") || kind.contains("index");
                if is_document {
                    documents.push(digest);
                    continue;
                }
                reached.blobs.insert(digest.hex());
                if kind.contains("config") || kind.contains("container.image") {
                    let config = store.verified(&digest).ok();
                    let chain = config.and_then(|config| chain_ids_of_config(&config).ok());
                    reached.trees.extend(chain.iter().flatten().map(Digest::hex));
                }
            }
        }
        reached
    }
}

/// Each object with a `digest`, wherever it stands, and its media type.
fn find_digests(value: &Value, found: &mut BTreeSet<(Digest, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| find_digests(item, found)),
        Value::Object(map) => {
            let text = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
            if let Ok(digest) = text("digest").parse() {
                found.insert((digest, text("mediaType").to_owned()));
            }
            map.values().for_each(|value| find_digests(value, found));
        }
        _ => {}
    }
}
