//! Removal: names go first, then what no name needs any more.

use std::collections::HashSet;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::FlockArg;

use super::Writer;
use super::index::{Entry, Index};
use super::remove::remove_tree;
use crate::digest::Digest;
use crate::manifest::{Descriptor, Document, chain_ids_of_config};

impl Writer {
    /// Removes an image by name or id, and what only it needed.
    ///
    /// `in_use` tells the chain ids that containers stand on, when nobody can begin to use one: their trees stay, and the image's blobs go. An id under
    /// several names is only removed with `force`. Returns what was done in Docker's words, a line each.
    pub fn remove(
        &self,
        text: &str,
        force: bool,
        in_use: &dyn Fn() -> Result<HashSet<Digest>>,
    ) -> Result<Vec<String>> {
        let mut index = Index::read(&self.root)?;
        let entries = index.matching(&self.store, text)?;
        let Some(first) = entries.first() else {
            bail!("No such image: {text}");
        };
        let names: Vec<&String> = entries.iter().filter_map(|e| e.name.as_ref()).collect();
        ensure!(
            force || names.len() < 2,
            "conflict: unable to delete {text} (must be forced) - image is referenced in multiple repositories"
        );
        let mut done: Vec<String> = names.iter().map(|name| untagged(name)).collect();
        let id = self.image(&first.descriptor).map_or(first.descriptor.digest, |i| i.config_digest);
        index.remove(&entries)?;
        // Whoever found the image before may still be writing down that he needs its layers.
        let _nobody_reads = self.lock(".", FlockArg::LockExclusive)?;
        index.write(&self.root)?;
        self.collect(&index.entries(), &in_use()?)?;
        if !self.blob(&id).exists() {
            done.push(format!("Deleted: {id}"));
        }
        Ok(done)
    }

    /// Removes what neither a name nor a container needs: a tree outlives its image as long as a container is on it.
    pub fn tidy(&self, in_use: &dyn Fn() -> Result<HashSet<Digest>>) -> Result<()> {
        let _nobody_reads = self.lock(".", FlockArg::LockExclusive)?;
        self.collect(&Index::read(&self.root)?.entries(), &in_use()?)
    }

    /// Removes all blobs and trees that neither an entry nor a container needs.
    fn collect(&self, entries: &[Entry], in_use: &HashSet<Digest>) -> Result<()> {
        let mut needed = Needed::default();
        for entry in entries {
            needed.add(self, &entry.descriptor, 0);
        }
        needed.trees.extend(in_use.iter().map(Digest::hex));
        self.sweep("blobs/sha256", &needed.blobs)?;
        self.sweep("layers", &needed.trees)?;
        match self.root.join("sizes").exists() {
            true => self.sweep("sizes", &needed.trees),
            false => Ok(()),
        }
    }

    /// A tree that is half gone must not keep its name: it is moved away first.
    fn sweep(&self, folder: &str, needed: &HashSet<String>) -> Result<()> {
        let folder = self.root.join(folder);
        let cannot = || format!("cannot clean up {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| needed.contains(name)) {
                let away = self.root.join("tmp").join(name);
                fs::rename(entry.path(), &away).with_context(cannot)?;
                remove_tree(&away).with_context(|| format!("cannot remove {}", away.display()))?;
            }
        }
        Ok(())
    }
}

/// Names of files and folders to keep.
#[derive(Default)]
struct Needed {
    blobs: HashSet<String>,
    trees: HashSet<String>,
}

impl Needed {
    /// Marks what a descriptor leads to. What is of no kind that we know (other tools put it there) is kept itself.
    fn add(&mut self, writer: &Writer, descriptor: &Descriptor, depth: usize) {
        self.blobs.insert(descriptor.digest.hex());
        let Ok(text) = writer.document(descriptor) else {
            return;
        };
        match Document::parse(&text, &descriptor.media_type) {
            Ok(Document::Index(manifests)) if depth < 4 => {
                for manifest in &manifests {
                    self.add(writer, manifest, depth + 1);
                }
            }
            Ok(Document::Manifest(manifest)) => {
                self.blobs.insert(manifest.config.digest.hex());
                self.blobs.extend(manifest.layers.iter().map(|layer| layer.digest.hex()));
                let config = writer.document(&manifest.config).ok();
                let chain = config.and_then(|config| chain_ids_of_config(&config).ok());
                self.trees.extend(chain.iter().flatten().map(Digest::hex));
            }
            _ => {}
        }
    }
}

fn untagged(name: &str) -> String {
    let reference = name.parse::<crate::names::Reference>();
    format!("Untagged: {}", reference.map_or(name.to_owned(), |r| r.familiar()))
}
