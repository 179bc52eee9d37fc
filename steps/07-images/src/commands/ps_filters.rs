//! Which containers `ps --filter` leaves.

use anyhow::{Context, Result, bail};
use regex_lite::Regex;

use super::listing::Filters;
use super::ps::{network, state};
use crate::records::{Containers, Record};
use crate::store::Store;
use crate::text::printable;

const KNOWN: [&str; 14] = [
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "label", "name", "network",
    "publish", "since", "status", "volume",
];

const STATES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

/// Takes the others out. Several filters of one name are alternatives; labels are all wanted.
///
/// # Errors
/// A filter that Docker does not know, or a value that makes no sense for it.
// ANCHOR: apply
pub(super) fn apply(
    filters: &Filters,
    store: &Store,
    containers: &Containers,
    records: &mut Vec<Record>,
) -> Result<()> {
    filters.check(&KNOWN)?;
    if let Some(value) = filters.values("status").find(|value| !STATES.contains(value)) {
        bail!("Invalid filter 'status={}'", printable(value));
    }
    let (names, ids) = (patterns(filters, "name")?, patterns(filters, "id")?);
    let (before, since) = (created(filters, containers, "before")?, created(filters, containers, "since")?);
    let codes = filters.values("exited").map(|value| value.parse::<i64>());
    let codes: Vec<i64> = codes.collect::<Result<_, _>>().context("Invalid filter 'exited'")?;
    let ancestors = ancestors(filters, store)?;
    records.retain(|record| {
        let ended = record.state.exit_code.filter(|_| record.state.finished.is_some());
        // With a slash before it, as Docker keeps it, and without.
        let is_name =
            |name: &Regex| name.is_match(&record.name) || name.is_match(&format!("/{}", record.name));
        (names.is_empty() || names.iter().any(is_name))
            && (ids.is_empty() || ids.iter().any(|id| id.is_match(&record.id)))
            && filters.labels(&record.labels)
            && filters.any("status", |value| value == state(record))
            && (codes.is_empty() || ended.is_some_and(|code| codes.contains(&i64::from(code))))
            && ancestors.as_ref().is_none_or(|ids| ids.contains(&record.image_id))
            && before.is_none_or(|before| record.created < before)
            && since.is_none_or(|since| record.created > since)
            && filters.any("volume", |value| has_volume(record, value))
            && filters.any("network", |value| network(record) == value)
            && filters.any("publish", |value| has_port(record, value, outer))
            && filters.any("expose", |value| has_port(record, value, inner))
            && filters.any("health", |value| value == "none")
            && filters.any("is-task", |value| value == "false")
    });
    Ok(())
}
// ANCHOR_END: apply

/// Names and ids are searched for by regular expressions: `name=web` is in `web-1` too, `name=^web$` is not.
fn patterns(filters: &Filters, name: &str) -> Result<Vec<Regex>> {
    let cannot = || format!("Invalid filter '{name}'");
    filters.0.iter().filter(|f| f.name == name).map(|f| Regex::new(&f.value).with_context(cannot)).collect()
}

/// When the container was made that a filter names, in seconds since 1970.
fn created(filters: &Filters, containers: &Containers, name: &str) -> Result<Option<f64>> {
    match filters.0.iter().find(|filter| filter.name == name) {
        Some(filter) => Ok(Some(containers.find(&filter.value)?.created)),
        None => Ok(None),
    }
}

/// The ids of all images that have the layers of one that was named; an image that is not here has no descendants.
fn ancestors(filters: &Filters, store: &Store) -> Result<Option<Vec<crate::digest::Digest>>> {
    if filters.values("ancestor").next().is_none() {
        return Ok(None);
    }
    let (mut ids, images) = (Vec::new(), store.images()?);
    for value in filters.values("ancestor") {
        let Some(named) = store.find_all_names(value)?.into_iter().next() else { continue };
        let layers = named.image.chain_ids();
        let descends = images.iter().filter(|other| other.image.chain_ids().starts_with(&layers));
        ids.extend(descends.map(|other| other.image.config_digest));
    }
    Ok(Some(ids))
}

/// By its name, its place on the host, or its place inside.
fn has_volume(record: &Record, value: &str) -> bool {
    record.mounts.iter().any(|mount| {
        mount.name == value || mount.source.as_os_str() == value || mount.destination.as_os_str() == value
    })
}

/// `80`, `80/udp`, `8000-8010/tcp`: one of the ports of `0.0.0.0:8080->80/tcp`.
fn has_port(record: &Record, value: &str, side: fn(&str) -> Option<(u16, &str)>) -> bool {
    let (numbers, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { return false };
    let fits = |(port, its): (u16, &str)| (first..=last).contains(&port) && its == protocol;
    record.state.ports.iter().any(|published| side(published).is_some_and(fits))
}

fn outer(published: &str) -> Option<(u16, &str)> {
    let (address, inside) = published.split_once("->")?;
    Some((address.rsplit(':').next()?.parse().ok()?, inside.split_once('/')?.1))
}

fn inner(published: &str) -> Option<(u16, &str)> {
    let (port, protocol) = published.rsplit("->").next()?.split_once('/')?;
    Some((port.parse().ok()?, protocol))
}
