//! Many layers at once down, one after the other unpacked.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};

use super::unpack::Unpacking;
use crate::digest::Digest;
use crate::manifest::{Image, Layer};
use crate::progress::{LayerProgress, Progress};
use crate::registry::Registry;
use crate::store::Store;

/// Docker's number: more connections do not make a line wider.
const AT_ONCE: usize = 3;

/// A layer with its words.
struct Item<'a> {
    layer: &'a Layer,
    progress: LayerProgress,
}

/// While later layers are still on their way, earlier ones are unpacked: the order of unpacking is fixed, that of
/// arriving is not.
pub(super) fn download_and_unpack(
    store: &Store,
    registry: &Registry,
    image: &Image,
    progress: &Progress,
) -> Result<()> {
    let items: Vec<Item> =
        image.layers.iter().map(|layer| Item { layer, progress: progress.layer(&layer.blob) }).collect();
    let mut seen = HashSet::new();
    let queue: Vec<&Item> = items.iter().filter(|item| seen.insert(item.layer.blob.digest)).collect();
    let queue = Mutex::new(queue.into_iter());
    let stop = AtomicBool::new(false);
    let (sender, arrivals) = channel();

    // ANCHOR: threads
    thread::scope(|scope| {
        for number in 0..AT_ONCE.min(items.len()) {
            let sender = sender.clone();
            let (queue, stop) = (&queue, &stop);
            let work = move || {
                while let Some(item) = next(queue) {
                    let result = download(store, registry, item, stop);
                    if sender.send(result.map(|is_new| (item.layer.blob.digest, is_new))).is_err() {
                        return;
                    }
                }
            };
            let started = thread::Builder::new().spawn_scoped(scope, work);
            // Where there may be few threads, one is enough.
            if number == 0 {
                started.context("cannot start a thread")?;
            }
        }
        // Only the threads hold one now: when they are gone, so is the channel.
        drop(sender);
        let mut here: HashMap<Digest, bool> = HashMap::new();
        let mut unpack_all = || -> Result<()> {
            let mut unpacking = Unpacking::new(store);
            for item in &items {
                let is_new = loop {
                    match here.get(&item.layer.blob.digest) {
                        Some(is_new) => break *is_new,
                        None => here.extend([arrivals.recv().context("the download ended too early")??]),
                    }
                };
                let Some(omissions) = unpacking.layer(item.layer, is_new)? else {
                    item.progress.end("Already exists");
                    continue;
                };
                item.progress.end("Pull complete");
                omissions.iter().for_each(|omission| progress.say(&format!("warning: {omission}")));
            }
            unpacking.finish()
        };
        let outcome = unpack_all();
        stop.store(true, Ordering::Relaxed);
        outcome
    })
    // ANCHOR_END: threads
}

fn next<'a>(queue: &Mutex<std::vec::IntoIter<&'a Item<'a>>>) -> Option<&'a Item<'a>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// Returns whether it had to be fetched.
fn download(store: &Store, registry: &Registry, item: &Item, stop: &AtomicBool) -> Result<bool> {
    let blob = &item.layer.blob;
    let go_on = |count| {
        item.progress.bytes(count);
        if stop.load(Ordering::Relaxed) {
            bail!("another layer failed");
        }
        Ok(())
    };
    go_on(0)?;
    // What is unpacked was verified; what is not will be read again, so it had better be right.
    if store.has_tree(&item.layer.chain_id) && store.has_blob(blob) {
        return Ok(false);
    }
    let Some(mut incoming) = store.incoming(blob, &|| item.progress.state("Waiting"))? else {
        return Ok(false);
    };
    item.progress.state("Pulling fs layer");
    registry.blob(blob, &mut incoming, &go_on)?;
    incoming.keep()?;
    item.progress.state("Download complete");
    Ok(true)
}
