//! Removing images by name or id, with Docker's rules and words.

use anyhow::{Result, bail, ensure};
use nix::fcntl::FlockArg;

use super::index::{Entry, Index};
use super::{Named, Writer};
use crate::digest::Digest;
use crate::full_disk;
use crate::names::{Reference, Version};

/// A container that stands on an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The container's id.
    pub container: String,
    /// Whether it runs.
    pub running: bool,
    /// The image's id.
    pub image: Digest,
    /// The chain ids of its layers.
    pub layers: Vec<Digest>,
}

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// As people write them.
    pub names: Vec<String>,
    /// The ids of images, and the chain ids of their layers, the topmost first.
    pub digests: Vec<Digest>,
    /// How much room is free now, in bytes.
    pub bytes: u64,
}

/// What of an image the index has: its id, and all entries that lead to it.
struct Found {
    id: Digest,
    layers: Vec<Digest>,
    entries: Vec<Entry>,
}

impl Writer {
    // ANCHOR: remove
    /// Removes a name, and with the last name the image; or, by its id, an image with its only name, with `force`
    /// with all of its names.
    ///
    /// `uses` tells which containers there are, and is asked when nobody can begin to use an image. The layers under a
    /// container stay. What runs keeps its image also with `force`.
    pub fn remove(&self, text: &str, force: bool, uses: &dyn Fn() -> Result<Vec<Use>>) -> Result<Removed> {
        // Whoever found the image before may still be writing down that he needs its layers.
        let _nobody_reads = self.lock(".", FlockArg::LockExclusive)?;
        let mut index = Index::read(&self.root)?;
        let matching = index.matching(&self.store, text)?;
        let Some(first) = matching.first() else { bail!("No such image: {}", familiar(text)) };
        let found = self.all_of(&index, first);
        let uses = uses()?;
        let user = |running: bool| uses.iter().find(|u| u.image == found.id && (u.running || !running));
        let by_name = first.name.as_ref().is_some_and(|name| is_name(name, text));
        let is_single = is_single(&found.entries);

        if by_name {
            if let (Some(user), true, false) = (user(false), is_single, force) {
                bail!(
                    "conflict: unable to remove repository reference \"{text}\" (must force) - container {} is \
                     using its referenced image {}",
                    &user.container[..12],
                    &found.id.hex()[..12]
                );
            }
            let going = with_its_digest(first, &found.entries);
            if going.len() < found.entries.len() {
                return self.finish(&mut index, &going, None, &uses);
            }
            if user(true).is_some() {
                return self.untag(&mut index, &found, &uses);
            }
        } else {
            let cannot = |forced: &str, why: &str| {
                format!("conflict: unable to delete {text} ({forced} be forced) - {why}")
            };
            let used_by = |user: &Use, kind: &str| {
                format!("image is being used by {kind} container {}", &user.container[..12])
            };
            if let Some(user) = user(true) {
                bail!(cannot("cannot", &used_by(user, "running")));
            }
            ensure!(force || is_single, cannot("must", "image is referenced in multiple repositories"));
            if let (Some(user), false) = (user(false), force) {
                bail!(cannot("must", &used_by(user, "stopped")));
            }
        }
        self.finish(&mut index, &found.entries.clone(), Some(&found), &uses)
    }
    // ANCHOR_END: remove

    /// Removes all images that no container stands on and that fit, with all of their names, and what pulls have left
    /// that ended before their time.
    pub fn prune(
        &self,
        fits: &dyn Fn(&[Named]) -> bool,
        uses: &dyn Fn() -> Result<Vec<Use>>,
    ) -> Result<Removed> {
        let _nobody_reads = self.lock(".", FlockArg::LockExclusive)?;
        let mut index = Index::read(&self.root)?;
        // What needs no index to be written goes first: on a full disk there must be room for that.
        let (uses, mut removed) = (uses()?, Removed::default());
        removed.bytes += self.swept() + self.collect_orphans(&index)?;
        removed.bytes += self.collect_trees(&index, &uses)?.bytes;
        for entry in index.entries() {
            let found = self.all_of(&index, &entry);
            let named: Vec<Named> = found.entries.iter().filter_map(|entry| self.named(entry)).collect();
            let in_use = uses.iter().any(|user| user.image == found.id);
            // Of several entries of one image, the first has taken the others along.
            if !in_use && !named.is_empty() && fits(&named) {
                let one = self.finish(&mut index, &found.entries, Some(&found), &uses)?;
                removed.names.extend(one.names);
                removed.digests.extend(one.digests);
                removed.bytes += one.bytes;
            }
        }
        Ok(removed)
    }

    fn all_of(&self, index: &Index, one: &Entry) -> Found {
        let image = self.image(&one.descriptor).ok();
        let id = image.as_ref().map_or(one.descriptor.digest, |image| image.config_digest);
        let is_same = |entry: &Entry| {
            entry.descriptor.digest == one.descriptor.digest
                || self.image(&entry.descriptor).is_ok_and(|image| image.config_digest == id)
        };
        let entries = index.entries().into_iter().filter(is_same).collect();
        let layers = image.map(|image| image.chain_ids()).unwrap_or_default();
        Found { id, layers, entries }
    }

    /// Takes entries out of the index, and with them, if it is told, the image.
    fn finish(
        &self,
        index: &mut Index,
        gone: &[Entry],
        image: Option<&Found>,
        uses: &[Use],
    ) -> Result<Removed> {
        index.remove(gone)?;
        let swept = match index.write(&self.root) {
            // The trees make room for the new index. Whoever is killed in between has an image that is unpacked again.
            Err(error) if full_disk::is_why(&error) => {
                let swept = self.collect_trees(index, uses)?;
                index.write(&self.root)?;
                swept
            }
            other => {
                other?;
                self.collect_trees(index, uses)?
            }
        };
        let bytes = swept.bytes + self.collect_blobs(index, gone)?;
        let names = untagged(gone, &index.entries());
        let mut removed = Removed { names, digests: Vec::new(), bytes };
        if let Some(image) = image {
            removed.digests.push(image.id);
            removed
                .digests
                .extend(image.layers.iter().rev().filter(|layer| swept.trees.contains(&layer.hex())));
        }
        Ok(removed)
    }

    /// Whatever runs keeps its image: it only loses its name.
    fn untag(&self, index: &mut Index, found: &Found, uses: &[Use]) -> Result<Removed> {
        index.untag(&found.entries)?;
        index.write(&self.root)?;
        self.collect_trees(index, uses)?;
        Ok(Removed { names: untagged(&found.entries, &[]), ..Removed::default() })
    }
}

impl Removed {
    /// In Docker's words, a line each.
    pub fn lines(&self) -> String {
        let names = self.names.iter().map(|name| format!("Untagged: {name}\n"));
        names.chain(self.digests.iter().map(|digest| format!("Deleted: {digest}\n"))).collect()
    }
}

/// At most one name: a tag may have the digest of its repository beside it.
fn is_single(entries: &[Entry]) -> bool {
    let references: Vec<Reference> = entries.iter().filter_map(reference).collect();
    let mut tags = references.iter().filter(|reference| matches!(reference.version, Version::Tag(_)));
    let (first, second) = (tags.next().or(references.first()), tags.next());
    let repository = |reference: &Reference| (reference.registry.clone(), reference.repository.clone());
    second.is_none()
        && references.iter().all(|one| first.is_some_and(|first| repository(first) == repository(one)))
}

/// The entry, and with the last tag of a repository the entries by digest of the same repository.
fn with_its_digest(entry: &Entry, all: &[Entry]) -> Vec<Entry> {
    let mut going = vec![entry.clone()];
    let Some(name) = reference(entry) else { return going };
    let is_beside = |other: &Reference| {
        (&other.registry, &other.repository) == (&name.registry, &name.repository) && *other != name
    };
    let beside: Vec<&Entry> =
        all.iter().filter(|other| reference(other).is_some_and(|o| is_beside(&o))).collect();
    let is_tag = |entry: &&&Entry| reference(entry).is_some_and(|r| matches!(r.version, Version::Tag(_)));
    if matches!(name.version, Version::Tag(_)) && !beside.iter().any(|entry| is_tag(&entry)) {
        going.extend(beside.into_iter().cloned());
    }
    going
}

/// The names, and the digests by which registries know them where no name of the same repository is left.
fn untagged(gone: &[Entry], left: &[Entry]) -> Vec<String> {
    let with_digest =
        |entry: &Entry| Some(format!("{}@{}", reference(entry)?.familiar_name(), entry.pulled()?));
    let left: Vec<String> = left.iter().filter_map(with_digest).collect();
    let mut names = Vec::new();
    for entry in gone {
        names.extend(entry.name.as_deref().map(familiar));
        names.extend(with_digest(entry).filter(|name| !left.contains(name)));
    }
    names.sort();
    names.dedup();
    names
}

fn reference(entry: &Entry) -> Option<Reference> {
    entry.name.as_deref()?.parse().ok()
}

fn is_name(name: &str, text: &str) -> bool {
    name == text || text.parse::<Reference>().is_ok_and(|reference| reference.to_string() == name)
}

fn familiar(name: &str) -> String {
    name.parse::<Reference>().map_or(name.to_owned(), |reference| reference.familiar())
}
