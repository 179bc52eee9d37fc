//! `system df`: what takes room.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail};
use clap::Args;

use super::images::{self, Images};
use super::listing::{Format, List, Row};
use super::ps::{self, Ps};
use super::{Place, volume};
use crate::digest::Digest;
use crate::human::size;
use crate::records::Status;
use crate::sizes;
use crate::text::answer;
use crate::volumes::{Volume, Volumes, users};

/// The options of `system df`.
#[derive(Debug, Clone, Args)]
pub struct Df {
    #[command(flatten)]
    format: Format,
    /// Show each image, each container and each volume
    #[arg(short, long)]
    verbose: bool,
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
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        if self.verbose {
            if self.format.format.is_some() {
                bail!("system df: --verbose has lists of three kinds, and no --format for them");
            }
            return each(place);
        }
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

/// Images, and what of their parts is on the disk.
fn images(place: &Place) -> Result<Room> {
    let (store, uses) = (place.store()?, place.containers()?.uses()?);
    let images = store.images()?;
    let ids = |only_used: bool| -> HashSet<Digest> {
        let is_used = |id: &Digest| uses.iter().any(|user| user.image == *id);
        let ids = images.iter().map(|named| named.image.config_digest);
        ids.filter(|id| !only_used || is_used(id)).collect()
    };
    let room = store.room(&uses)?;
    Ok(Room {
        total: ids(false).len(),
        active: ids(true).len(),
        bytes: room.bytes,
        reclaimable: room.reclaimable,
    })
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

/// The lists of `--verbose`, with Docker's headings.
fn each(place: &Place) -> Result<u8> {
    let list = |title: &str, list: List| {
        answer(format_args!("{title} space usage:\n\n"))?;
        list.print(&Format::default())?;
        answer("\n")
    };
    list("Images", each_image(place)?)?;
    list("Containers", each_container(place)?)?;
    list("Local Volumes", each_volume(place)?)?;
    // Nothing is built here, and so nothing is kept of it.
    answer(
        "Build cache usage: 0B\n\nCACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n",
    )?;
    Ok(0)
}

/// Each image once, by its first name. What several images stand on is shared.
fn each_image(place: &Place) -> Result<List> {
    let (store, uses) = (place.store()?, place.containers()?.uses()?);
    let mut all = store.images()?;
    let mut known = HashSet::new();
    all.retain(|named| known.insert(named.image.config_digest));
    let mut stand_on: HashMap<Digest, usize> = HashMap::new();
    for chain_id in all.iter().flat_map(|named| named.image.chain_ids()) {
        *stand_on.entry(chain_id).or_default() += 1;
    }
    let shown = Images::default();
    let rows = all.iter().map(|named| {
        let chain_ids = named.image.chain_ids().into_iter();
        let shared: Vec<Digest> = chain_ids.filter(|chain_id| stand_on[chain_id] > 1).collect();
        let shared: u64 = sizes::of_layers(&store, &shared)?.iter().sum();
        let unique = sizes::of_image(&store, &named.image)?.saturating_sub(shared);
        let users = uses.iter().filter(|user| user.image == named.image.config_digest).count();
        let mut row = shown.row(&store, named)?;
        let more =
            [("SharedSize", size(shared)), ("UniqueSize", size(unique)), ("Containers", users.to_string())];
        row.fields.extend(more);
        Ok(row)
    });
    Ok(List {
        headers: images::HEADERS.to_vec(),
        columns: vec![
            "Repository",
            "Tag",
            "ID",
            "CreatedSince",
            "Size",
            "SharedSize",
            "UniqueSize",
            "Containers",
        ],
        only: None,
        rows: rows.collect::<Result<_>>()?,
    })
}

fn each_container(place: &Place) -> Result<List> {
    let containers = place.containers()?;
    let records = containers.all()?;
    let folder = |id: &String| containers.directory().join(id).join("upper");
    let sizes = sizes::of(records.iter().map(|record| folder(&record.id)).collect())?;
    let shown = Ps::default();
    let rows = records.iter().zip(sizes).map(|(record, bytes)| {
        let mut row = shown.row(record);
        row.fields.insert("Size", size(bytes));
        row
    });
    Ok(List {
        headers: ps::HEADERS.to_vec(),
        columns: vec!["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
        only: None,
        rows: rows.collect(),
    })
}

fn each_volume(place: &Place) -> Result<List> {
    let records = place.containers()?.all()?;
    let kept = place.volumes()?;
    let all = kept.all()?;
    let sizes = sizes::of(all.iter().map(|volume| kept.data(&volume.name)).collect())?;
    let rows = all.iter().zip(sizes).map(|(volume, bytes)| {
        let mut row = volume::row(volume, &kept);
        let links = users(&volume.name, &records).count();
        row.fields.extend([("Links", links.to_string()), ("Size", size(bytes))]);
        row
    });
    Ok(List {
        headers: volume::HEADERS.to_vec(),
        columns: vec!["Name", "Links", "Size"],
        only: None,
        rows: rows.collect(),
    })
}
