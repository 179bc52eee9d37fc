//! `index.json`: the names of the store.
//!
//! Other tools may write it too. What they put there and we do not know is kept as it is.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use super::Store;
use super::blobs::{open_regular, write_whole};
use crate::digest::Digest;
use crate::manifest::{Descriptor, LARGEST_DOCUMENT, PULLED, REF_NAME};
use crate::names::Reference;

/// The whole document.
#[derive(Debug)]
pub(super) struct Index(Map<String, Value>);

/// One of its descriptors.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The value of [`REF_NAME`].
    pub name: Option<String>,
    /// The manifest.
    pub descriptor: Descriptor,
}

impl Entry {
    /// What [`PULLED`] tells.
    pub fn pulled(&self) -> Option<Digest> {
        self.descriptor.annotations.get(PULLED)?.parse().ok()
    }

    /// Whether it is this one.
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.descriptor.digest == other.descriptor.digest
    }
}

impl Default for Index {
    fn default() -> Self {
        let empty = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [],
        });
        Self(empty.as_object().cloned().unwrap_or_default())
    }
}

impl Index {
    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join("index.json");
        let read = || -> Result<Self> {
            let mut text = Vec::new();
            let file = open_regular(&path)?;
            file.take(LARGEST_DOCUMENT + 1).read_to_end(&mut text)?;
            ensure!(text.len() as u64 <= LARGEST_DOCUMENT, "it is too long");
            let index = Self(serde_json::from_slice(&text)?);
            ensure!(index.0.get("manifests").is_none_or(Value::is_array), "\"manifests\" is no list");
            Ok(index)
        };
        read().with_context(|| format!("cannot read {}", path.display()))
    }

    pub fn write(&self, root: &Path) -> Result<()> {
        let text = serde_json::to_vec(&self.0).context("cannot write index.json")?;
        write_whole(root, &root.join("index.json"), &text)
    }

    /// The descriptors that can be understood.
    pub fn entries(&self) -> Vec<Entry> {
        let manifests = self.0.get("manifests").and_then(Value::as_array);
        manifests.into_iter().flatten().filter_map(entry).collect()
    }

    // ANCHOR: matching
    /// What a word of the command line can mean.
    pub fn matching(&self, store: &Store, text: &str) -> Result<Vec<Entry>> {
        let entries = self.entries();
        let reference = text.parse::<Reference>().map(|r| r.to_string());
        let by_name = |entry: &&Entry| {
            let name = entry.name.as_deref();
            name.is_some() && (name == reference.as_deref().ok() || name == Some(text))
        };
        let named: Vec<Entry> = entries.iter().filter(by_name).cloned().collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let digits = text.rsplit_once("sha256:").map_or(text, |(_, digits)| digits);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let mut found: Vec<(Digest, Entry)> = Vec::new();
        for entry in entries {
            let Ok(image) = store.image(&entry.descriptor) else {
                continue;
            };
            let ids = [Some(image.config_digest), Some(image.digest), entry.pulled()];
            if ids.iter().flatten().any(|id| id.hex().starts_with(digits)) {
                found.push((image.config_digest, entry));
            }
        }
        if found.iter().any(|(id, _)| *id != found[0].0) {
            bail!("multiple IDs found with provided prefix: {text}");
        }
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }
    // ANCHOR_END: matching

    /// Gives a name to a manifest. If another had it, that one stays, without a name.
    pub fn tag(&mut self, name: &str, descriptor: &Descriptor) -> Result<()> {
        let mut descriptor = descriptor.clone();
        descriptor.annotations.insert(REF_NAME.to_owned(), name.to_owned());
        let new = serde_json::to_value(&descriptor)?;
        let had_it = |old: &Entry| old.name.as_deref() == Some(name);
        let before: Vec<Entry> = self.entries().into_iter().filter(had_it).collect();
        self.untag(&before)?;
        self.manifests_mut()?.push(new);
        self.drop_needless()
    }

    /// Adds a manifest without a name.
    pub fn add(&mut self, descriptor: &Descriptor) -> Result<()> {
        let new = serde_json::to_value(descriptor)?;
        self.manifests_mut()?.push(new);
        self.drop_needless()
    }

    /// Takes the names from entries; a manifest that has no other stays, without one.
    pub fn untag(&mut self, entries: &[Entry]) -> Result<()> {
        let is_one = |old: &Value| entry(old).is_some_and(|old| entries.iter().any(|e| e.is(&old)));
        for old in self.manifests_mut()?.iter_mut().filter(|old| is_one(old)) {
            if let Some(annotations) = old.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove(REF_NAME);
            }
        }
        self.drop_needless()
    }

    /// Who has a name, or is there already, needs no entry without one.
    fn drop_needless(&mut self) -> Result<()> {
        let named = self.entries().into_iter().filter(|entry| entry.name.is_some());
        let mut known: HashSet<Digest> = named.map(|entry| entry.descriptor.digest).collect();
        self.manifests_mut()?.retain(|old| {
            entry(old).is_none_or(|old| old.name.is_some() || known.insert(old.descriptor.digest))
        });
        Ok(())
    }

    /// Takes entries out, by name and digest.
    pub fn remove(&mut self, gone: &[Entry]) -> Result<()> {
        let is_gone = |old: &Entry| gone.iter().any(|gone| gone.is(old));
        self.manifests_mut()?.retain(|old| !entry(old).is_some_and(|old| is_gone(&old)));
        Ok(())
    }

    fn manifests_mut(&mut self) -> Result<&mut Vec<Value>> {
        let manifests = self.0.entry("manifests").or_insert_with(|| json!([]));
        manifests.as_array_mut().context("\"manifests\" of index.json is no list")
    }
}

fn entry(value: &Value) -> Option<Entry> {
    let descriptor: Descriptor = serde_json::from_value(value.clone()).ok()?;
    let name = descriptor.annotations.get(REF_NAME).cloned();
    Some(Entry { name, descriptor })
}
