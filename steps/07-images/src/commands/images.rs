//! `images`: what is here.

use std::collections::HashSet;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::Place;
use super::listing::{Filter, Filters, Format, List, Row};
use crate::glob;
use crate::human::{ago, seconds_since_1970, size, time};
use crate::manifest::Image;
use crate::names::{Reference, Version};
use crate::records::now;
use crate::sizes;
use crate::store::{Named, Store};
use crate::text::{printable, tell};

/// List the images that are here.
#[derive(Debug, Clone, Default, Args)]
pub struct Images {
    /// Also those between, which other builders leave: there are none here
    #[arg(short, long)]
    all: bool,
    /// Print the digests by which the registries know them, too
    #[arg(long)]
    digests: bool,
    /// Only some: dangling=true, label=KEY[=VALUE], reference=PATTERN, before=IMAGE, since=IMAGE
    #[arg(short, long = "filter", value_name = "NAME=VALUE")]
    filters: Vec<Filter>,
    #[command(flatten)]
    format: Format,
    /// Print whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Print only the ids
    #[arg(short, long)]
    quiet: bool,
    /// The platforms of each image below it: each has one here
    #[arg(long, hide = true)]
    tree: bool,
    /// Only those of this name, which may be a pattern
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Images {
    // ANCHOR: images
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        if self.tree {
            bail!(
                "--tree is not there: an image is for one platform here, and has nothing below it\n\
                 for which one tells: image inspect --format '{{{{.Os}}}}/{{{{.Architecture}}}}' IMAGE"
            );
        }
        let store = place.store()?;
        for name in store.damaged()? {
            tell(format_args!("warning: the image {} is damaged: pull or load it again", printable(&name)));
        }
        let mut images = store.images()?;
        self.keep_what_fits(&store, &mut images)?;
        images.sort_by(|one, other| created(&other.image).total_cmp(&created(&one.image)));
        let rows = images.iter().map(|named| self.row(&store, named));
        let columns = match self.digests {
            true => vec!["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"],
            false => vec!["Repository", "Tag", "ID", "CreatedSince", "Size"],
        };
        let list = List {
            headers: HEADERS.to_vec(),
            columns,
            only: self.quiet.then_some("ID"),
            rows: rows.collect::<Result<_>>()?,
        };
        list.print(&self.format.or(self.quiet, |preferences| preferences.images_format))
    }
    // ANCHOR_END: images

    fn keep_what_fits(&self, store: &Store, images: &mut Vec<Named>) -> Result<()> {
        let filters = Filters(&self.filters);
        filters.check(&["dangling", "label", "reference", "before", "since"])?;
        let dangling = filters.switch("dangling")?;
        let time_of = |name| -> Result<Option<f64>> {
            let Some(text) = filters.values(name).next() else { return Ok(None) };
            let found = store.find_all_names(text)?;
            Ok(Some(created(&found.first().with_context(|| none_such(text))?.image)))
        };
        let (before, since) = (time_of("before")?, time_of("since")?);
        let tagged: HashSet<(String, String)> = images.iter().filter_map(tagged).collect();
        images.retain(|named| {
            let reference = reference(named);
            let fits = |pattern: &str| reference.as_ref().is_some_and(|name| name_fits(pattern, name));
            // Whoever has a tag is not listed once more by his digest.
            let digest_only =
                reference.as_ref().is_some_and(|name| matches!(name.version, Version::Digest(_)));
            let twice = digest_only && key(named).is_some_and(|key| tagged.contains(&key));
            !twice
                && self.name.as_deref().is_none_or(fits)
                && filters.any("reference", fits)
                && filters.labels(&named.image.settings.labels)
                && dangling.is_none_or(|wanted| wanted == (reference.is_none() || digest_only))
                && before.is_none_or(|before| created(&named.image) < before)
                && since.is_none_or(|since| created(&named.image) > since)
        });
        Ok(())
    }

    pub(super) fn row(&self, store: &Store, named: &Named) -> Result<Row> {
        let none = || "<none>".to_owned();
        let reference = reference(named);
        let tag = reference.as_ref().and_then(|reference| match &reference.version {
            Version::Tag(tag) => Some(tag.clone()),
            Version::Digest(_) => None,
        });
        let id = named.image.config_digest;
        let created = named.image.created.as_deref().and_then(seconds_since_1970);
        let unknown = || "N/A".to_owned();
        let bytes = if self.quiet && self.format.format.is_none() {
            0
        } else {
            sizes::of_image(store, &named.image)?
        };
        let fields = [
            ("Repository", reference.as_ref().map_or_else(none, Reference::familiar_name)),
            ("Tag", tag.unwrap_or_else(none)),
            ("Digest", named.pulled.filter(|_| reference.is_some()).map_or_else(none, |d| d.to_string())),
            ("ID", if self.no_trunc { id.to_string() } else { id.hex()[..12].to_owned() }),
            ("CreatedSince", created.map_or_else(unknown, |created| ago(now() - created))),
            ("CreatedAt", created.map_or_else(unknown, time)),
            ("Size", size(bytes)),
            ("VirtualSize", size(bytes)),
            ("SharedSize", unknown()),
            ("UniqueSize", unknown()),
            ("Containers", unknown()),
        ];
        Ok(Row { fields: fields.into(), labels: named.image.settings.labels.clone() })
    }
}

pub(super) const HEADERS: [(&str, &str); 11] = [
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("VirtualSize", "SIZE"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("Containers", "CONTAINERS"),
];

/// In Docker's words.
pub(super) fn none_such(text: &str) -> String {
    match text.parse::<Reference>() {
        Ok(reference) => format!("No such image: {}", reference.familiar()),
        Err(_) => format!("No such image: {}", printable(text)),
    }
}

/// What the builder says of itself, if it makes sense: seconds since 1970.
fn created(image: &Image) -> f64 {
    image.created.as_deref().and_then(seconds_since_1970).unwrap_or(0.0)
}

fn reference(named: &Named) -> Option<Reference> {
    named.name.as_deref().and_then(|name| name.parse().ok())
}

fn key(named: &Named) -> Option<(String, String)> {
    reference(named).map(|reference| (reference.familiar_name(), named.image.config_digest.to_string()))
}

fn tagged(named: &Named) -> Option<(String, String)> {
    reference(named).filter(|reference| matches!(reference.version, Version::Tag(_))).and_then(|_| key(named))
}

/// A pattern is for the name as people write it, with or without the tag.
fn name_fits(pattern: &str, name: &Reference) -> bool {
    glob::fits(pattern, &name.familiar()) || glob::fits(pattern, &name.familiar_name())
}
