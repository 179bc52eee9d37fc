//! Garbage: what no name and no container needs any more.
//!
//! Other tools put things into a layout too, and write their blobs before the index names them. So a blob goes only if
//! it belonged to what is being removed, and a tree, which is ours alone, if nobody needs it.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::fcntl::FlockArg;
use serde_json::Value;

use super::index::{Entry, Index};
use super::remove::remove_tree;
use super::{Store, Use, Writer};
use crate::digest::Digest;
use crate::manifest::chain_ids_of_config;
use crate::sizes;

/// A blob without a name may be on its way to one; after so long it is not.
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
        self.collect(&Index::read(&self.root)?, &[], &uses()?).map(drop)
    }

    /// Removes what only these entries, which are no longer in the index, needed.
    pub(super) fn collect(&self, index: &Index, gone: &[Entry], uses: &[Use]) -> Result<Swept> {
        let mut needed = Reached::of(&self.store, &index.entries());
        needed.trees.extend(uses.iter().flat_map(|user| &user.layers).map(Digest::hex));
        let mut swept = Swept::default();
        for blob in Reached::of(&self.store, gone).blobs.difference(&needed.blobs) {
            swept.bytes += self.remove_blob(blob)?;
        }
        let names = |folder: &str| names(&self.root.join(folder));
        for tree in names("layers")?.difference(&needed.trees) {
            swept.bytes += sizes::of_tree(&self.store, tree);
            self.remove_aside("layers", tree)?;
            swept.trees.insert(tree.clone());
        }
        for note in names("sizes")?.difference(&needed.trees) {
            self.remove_aside("sizes", note)?;
        }
        Ok(swept)
    }
    // ANCHOR_END: collect

    /// Removes the blobs that nothing leads to, and that nobody is about to name: what pulls left that were given up.
    pub(super) fn collect_orphans(&self, index: &Index) -> Result<u64> {
        let needed = Reached::of(&self.store, &index.entries());
        let mut bytes = 0;
        for blob in names(&self.root.join("blobs/sha256"))?.difference(&needed.blobs) {
            let status = self.root.join("blobs/sha256").join(blob).symlink_metadata();
            let age = status.and_then(|status| status.modified()).map(|time| time.elapsed());
            if matches!(age, Ok(Ok(age)) if age > PATIENCE) {
                bytes += self.remove_blob(blob)?;
            }
        }
        Ok(bytes)
    }

    fn remove_blob(&self, name: &str) -> Result<u64> {
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

fn names(folder: &Path) -> Result<HashSet<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// What entries of the index lead to: names of blobs and of trees.
#[derive(Default)]
struct Reached {
    blobs: HashSet<String>,
    trees: HashSet<String>,
}

impl Reached {
    fn of(store: &Store, entries: &[Entry]) -> Self {
        let mut reached = Self::default();
        let mut documents: Vec<Digest> = entries.iter().map(|entry| entry.descriptor.digest).collect();
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
