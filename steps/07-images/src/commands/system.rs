//! `system df` and `system prune`: what takes room, and what can go.

use std::collections::HashSet;
use std::fs;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Place;
use super::container::{agreed, prune as prune_containers};
use super::image::{Chosen, prune as prune_images};
use super::listing::{Filter, Format, List, Row};
use crate::digest::Digest;
use crate::human::size;
use crate::records::Status;
use crate::sizes;
use crate::store::Store;
use crate::text::answer;
use crate::volumes::{Volume, Volumes, users};

/// What concerns all of the state directory.
#[derive(Debug, Subcommand)]
pub enum SystemVerb {
    /// Show how much room images and containers take
    Df(Df),
    /// Remove what nobody needs: containers that do not run, images without a name
    Prune(Prune),
    /// Show what is here
    Info(super::Version),
}

impl SystemVerb {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        match self {
            Self::Df(command) => command.execute(place),
            Self::Prune(command) => command.execute(place),
            Self::Info(command) => command.info(place),
        }
    }
}

/// The options of `system df`.
#[derive(Debug, Clone, Args)]
pub struct Df {
    #[command(flatten)]
    format: Format,
}

/// The options of `system prune`.
#[derive(Debug, Clone, Args)]
pub struct Prune {
    /// Also images that have a name, if no container needs them
    #[arg(short, long)]
    all: bool,
    /// Only some: until=24h, those made before that time
    #[arg(long = "filter", value_name = "NAME=VALUE")]
    filters: Vec<Filter>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// A line of `df`.
#[derive(Debug, Default)]
struct Room {
    total: usize,
    active: usize,
    bytes: u64,
    reclaimable: u64,
}

impl Df {
    // ANCHOR: df
    fn execute(&self, place: &Place) -> Result<u8> {
        let (images, containers, volumes) = (images(place)?, containers(place)?, volumes(place)?);
        let list = List {
            headers: HEADERS.to_vec(),
            columns: HEADERS.iter().map(|(name, _)| *name).collect(),
            only: None,
            rows: vec![images.row("Images"), containers.row("Containers"), volumes.row("Local Volumes")],
        };
        list.print(&self.format)
    }
    // ANCHOR_END: df
}

const HEADERS: [(&str, &str); 5] = [
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];

impl Room {
    fn row(&self, kind: &str) -> Row {
        let percent = match self.bytes {
            0 => String::new(),
            bytes => format!(" ({}%)", u128::from(self.reclaimable) * 100 / u128::from(bytes)),
        };
        let fields = [
            ("Type", kind.to_owned()),
            ("TotalCount", self.total.to_string()),
            ("Active", self.active.to_string()),
            ("Size", size(self.bytes)),
            ("Reclaimable", size(self.reclaimable) + &percent),
        ];
        Row { fields: fields.into(), ..Row::default() }
    }
}

/// What is on the disk of images: the blobs as they travelled, and the trees that were unpacked from them.
fn images(place: &Place) -> Result<Room> {
    let (store, uses) = (place.store()?, place.containers()?.uses()?);
    let images = store.images()?;
    let ids = |only_used: bool| -> HashSet<Digest> {
        let is_used = |id: &Digest| uses.iter().any(|user| user.image == *id);
        let ids = images.iter().map(|named| named.image.config_digest);
        ids.filter(|id| !only_used || is_used(id)).collect()
    };
    let needed =
        images.iter().filter(|named| uses.iter().any(|user| user.image == named.image.config_digest));
    let layers = needed.flat_map(|named| &named.image.layers);
    let (mut trees, mut blobs): (HashSet<Digest>, HashSet<Digest>) =
        layers.map(|layer| (layer.chain_id, layer.blob.digest)).unzip();
    trees.extend(uses.iter().flat_map(|user| user.layers.clone()));
    let (all_trees, all_blobs) = (digests(&store, "layers"), digests(&store, "blobs/sha256"));
    trees.retain(|tree| all_trees.contains(tree));
    blobs.retain(|blob| all_blobs.contains(blob));
    let bytes = room(&store, all_trees, &all_blobs)?;
    let reclaimable = bytes.saturating_sub(room(&store, trees, &blobs)?);
    Ok(Room { total: ids(false).len(), active: ids(true).len(), bytes, reclaimable })
}

fn room(store: &Store, trees: HashSet<Digest>, blobs: &HashSet<Digest>) -> Result<u64> {
    let trees = sizes::of_layers(store, &trees.into_iter().collect::<Vec<_>>())?;
    let blobs = blobs.iter().filter_map(|blob| fs::symlink_metadata(store.blob(blob)).ok());
    Ok(trees.into_iter().chain(blobs.map(|found| found.len())).fold(0, u64::saturating_add))
}

fn digests(store: &Store, folder: &str) -> HashSet<Digest> {
    let entries = fs::read_dir(store.root().join(folder)).into_iter().flatten().flatten();
    entries.filter_map(|entry| format!("sha256:{}", entry.file_name().to_str()?).parse().ok()).collect()
}

/// What containers have written.
fn containers(place: &Place) -> Result<Room> {
    let containers = place.containers()?;
    let records = containers.all()?;
    let folder = |id: &String| containers.directory().join(id).join("upper");
    let sizes = sizes::of(records.iter().map(|record| folder(&record.id)).collect())?;
    let runs = |status: Status| matches!(status, Status::Running);
    let stopped = records.iter().zip(&sizes).filter(|(record, _)| !runs(record.state.status));
    Ok(Room {
        total: records.len(),
        active: records.iter().filter(|record| runs(record.state.status)).count(),
        bytes: sizes.iter().sum(),
        reclaimable: stopped.map(|(_, size)| size).sum(),
    })
}

/// What was put into volumes.
fn volumes(place: &Place) -> Result<Room> {
    let records = place.containers()?.all()?;
    let kept = Volumes::of(place.store()?.root());
    let all = kept.all()?;
    let sizes = sizes::of(all.iter().map(|volume| kept.data(&volume.name)).collect())?;
    let is_used = |volume: &Volume| users(&volume.name, &records).next().is_some();
    let unused = all.iter().zip(&sizes).filter(|(volume, _)| !is_used(volume));
    Ok(Room {
        total: all.len(),
        active: all.iter().filter(|volume| is_used(volume)).count(),
        bytes: sizes.iter().sum(),
        reclaimable: unused.map(|(_, size)| size).sum(),
    })
}

impl Prune {
    fn execute(&self, place: &Place) -> Result<u8> {
        let chosen = Chosen::new(self.all, &self.filters)?;
        let images = if self.all {
            "images without at least one container associated to them"
        } else {
            "dangling images"
        };
        let warning = format!("This will remove:\n  - all stopped containers\n  - all {images}\n");
        if !self.force && !agreed(&warning)? {
            return Ok(0);
        }
        let bytes = prune_containers(place, chosen.until())? + prune_images(place, chosen)?;
        answer(format_args!("Total reclaimed space: {}\n", size(bytes)))?;
        Ok(0)
    }
}
