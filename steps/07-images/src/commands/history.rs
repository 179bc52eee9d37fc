//! `history`: how an image was made, as its builder wrote it down.

use anyhow::{Context, Result};
use clap::{ArgAction, Args};
use serde::Deserialize;

use super::Place;
use super::images::none_such;
use super::listing::{Format, List, Row};
use super::platform::ForPlatform;
use crate::human::{ago, seconds_since_1970, size};
use crate::manifest::Image;
use crate::records::now;
use crate::sizes;
use crate::store::Store;

/// Show how an image was made.
#[derive(Debug, Clone, Args)]
pub struct History {
    #[command(flatten)]
    format: Format,
    /// Print sizes and times for people
    #[arg(short = 'H', long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = ArgAction::Set)]
    human: bool,
    /// Print whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    #[command(flatten)]
    platform: ForPlatform,
    /// Print only the ids
    #[arg(short, long)]
    quiet: bool,
    /// The image, by name or id
    image: String,
}

/// A step of the builder's. All of it is text of strangers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Step {
    created: Option<String>,
    created_by: Option<String>,
    comment: Option<String>,
    /// It changed no file.
    empty_layer: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    history: Option<Vec<Step>>,
}

impl History {
    // ANCHOR: history
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let store = place.store()?;
        let found = store.find_all_names(&self.image)?;
        let image = &found.first().with_context(|| none_such(&self.image))?.image;
        self.platform.check(image, &self.image)?;
        let mut sizes = layer_sizes(&store, image)?.into_iter();
        let mut rows = Vec::new();
        for step in steps(&store, image)? {
            let is_empty = step.empty_layer.unwrap_or(false);
            let bytes = if is_empty { 0 } else { sizes.next().unwrap_or(0) };
            rows.push(self.row(&step, bytes));
        }
        rows.reverse();
        // Only the last step has left an image that can be named.
        if let Some(top) = rows.first_mut() {
            top.fields.insert("ID", self.id(image));
        }
        let created = if self.human { "CreatedSince" } else { "CreatedAt" };
        let list = List {
            headers: HEADERS.to_vec(),
            columns: vec!["ID", created, "CreatedBy", "Size", "Comment"],
            only: self.quiet.then_some("ID"),
            rows,
        };
        list.print(&self.format)
    }
    // ANCHOR_END: history

    fn id(&self, image: &Image) -> String {
        let id = image.config_digest;
        if self.no_trunc { id.to_string() } else { id.hex()[..12].to_owned() }
    }

    fn row(&self, step: &Step, bytes: u64) -> Row {
        let created = step.created.clone().unwrap_or_default();
        let since = seconds_since_1970(&created).map_or_else(|| "N/A".into(), |time| ago(now() - time));
        let mut by = step.created_by.clone().unwrap_or_default().replace('\t', " ");
        if !self.no_trunc && by.chars().count() > 45 {
            by = by.chars().take(44).chain(['…']).collect();
        }
        let fields = [
            ("ID", "<missing>".to_owned()),
            ("CreatedSince", since),
            ("CreatedAt", created),
            ("CreatedBy", by),
            ("Size", if self.human { size(bytes) } else { bytes.to_string() }),
            ("Comment", step.comment.clone().unwrap_or_default()),
        ];
        Row { fields: fields.into(), ..Row::default() }
    }
}

const HEADERS: [(&str, &str); 6] = [
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];

/// From the first one on. Who wrote none down has one step for each layer.
fn steps(store: &Store, image: &Image) -> Result<Vec<Step>> {
    let config = store.config(image)?;
    let config: Config = serde_json::from_slice(&config).context("cannot understand the image's history")?;
    let steps = config.history.unwrap_or_default();
    let told = steps.iter().filter(|step| !step.empty_layer.unwrap_or(false)).count();
    let missing = image.layers.len().saturating_sub(told);
    Ok((0..missing).map(|_| Step::default()).chain(steps).collect())
}

/// From the lowest on. One that is not unpacked counts with the size of its blob.
fn layer_sizes(store: &Store, image: &Image) -> Result<Vec<u64>> {
    let unpacked = image.layers.iter().filter(|layer| store.layer(&layer.chain_id).is_dir());
    let chain_ids: Vec<_> = unpacked.map(|layer| layer.chain_id).collect();
    let sizes = sizes::of_layers(store, &chain_ids)?;
    let size = |chain_id| chain_ids.iter().position(|id| id == chain_id).map(|at| sizes[at]);
    Ok(image.layers.iter().map(|layer| size(&layer.chain_id).unwrap_or(layer.blob.size)).collect())
}
