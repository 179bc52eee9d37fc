//! `ps`: containers and how far they have come.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;

use super::listing::{Filter, Filters, Format, List, Row};
use super::{Place, ps_filters};
use crate::human::{ago, duration, size, time};
use crate::records::{Containers, Record, Status, now};
use crate::sizes;
use crate::store::Store;

/// List containers.
#[derive(Debug, Default, Args)]
pub struct Ps {
    /// Also those that do not run
    #[arg(short, long)]
    all: bool,
    /// Only some: name=, id=, label=, status=, exited=, ancestor=, before=, since=, volume=, network=, publish=
    #[arg(short, long = "filter", value_name = "NAME=VALUE")]
    filters: Vec<Filter>,
    #[command(flatten)]
    format: Format,
    /// The last ones that were made, whatever they do
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = -1)]
    last: i64,
    /// The last one that was made, whatever it does
    #[arg(short, long)]
    latest: bool,
    /// Print whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Print only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Print how much room they take, too
    #[arg(short, long)]
    size: bool,
}

impl Ps {
    // ANCHOR: ps
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let (store, containers) = (place.store()?, place.containers()?);
        let filters = Filters(&self.filters);
        let newest = if self.latest { 1 } else { self.last };
        // Whoever names a state, or a number, means all containers.
        let all = self.all || newest > 0 || filters.values("status").next().is_some();
        let mut records = if all { containers.all()? } else { containers.not_ended()? };
        ps_filters::apply(&filters, &store, &containers, &mut records)?;
        // As in Docker, one that is about to begin again counts as one that runs.
        let runs = |record: &Record| matches!(record.state.status, Status::Running | Status::Restarting);
        records.retain(|record| all || runs(record));
        if newest > 0 {
            records.truncate(usize::try_from(newest).unwrap_or(usize::MAX));
        }
        let format = self.format()?;
        self.list(&store, &containers, &records, &format)?.print(&format)
    }
    // ANCHOR_END: ps

    /// As Docker: the ids win over a template.
    fn format(&self) -> Result<Format> {
        let format = self.format.or(self.quiet, |preferences| preferences.ps_format);
        if self.quiet && format.format.as_deref().is_some_and(|format| !matches!(format, "" | "table")) {
            let warning = "WARNING: Ignoring custom format, because both --format and --quiet are set.";
            // That nobody reads it is no error.
            let _ = writeln!(std::io::stderr().lock(), "{warning}");
            return Ok(Format::default());
        }
        Ok(format)
    }

    fn list(
        &self,
        store: &Store,
        containers: &Containers,
        records: &[Record],
        format: &Format,
    ) -> Result<List> {
        let mut columns = vec!["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
        let asked = format.format.as_deref().unwrap_or_default();
        let with_size = self.size || asked.contains("Size") || asked.contains("json");
        if self.size {
            columns.push("Size");
        }
        let sizes = if with_size { sizes_of(store, containers, records)? } else { Vec::new() };
        let rows = records.iter().enumerate().map(|(number, record)| {
            let mut row = self.row(record);
            row.fields.insert("Size", sizes.get(number).cloned().unwrap_or_default());
            row
        });
        let only = self.quiet.then_some("ID");
        Ok(List { headers: HEADERS.to_vec(), columns, only, rows: rows.collect() })
    }

    pub(super) fn row(&self, record: &Record) -> Row {
        let quoted = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
        let command = record.command.iter().map(quoted).collect::<Vec<_>>().join(" ");
        let mounts = record.mounts.iter().filter(|mount| mount.kind != "tmpfs").map(|mount| {
            let name =
                if mount.name.is_empty() { mount.source.display().to_string() } else { mount.name.clone() };
            self.cut(&name, 15)
        });
        let labels = record.labels.iter().map(|(key, value)| format!("{key}={value}"));
        let volumes = record.mounts.iter().filter(|mount| mount.kind == "volume").count();
        let fields = [
            ("ID", if self.no_trunc { record.id.clone() } else { record.id[..12].to_owned() }),
            ("Image", record.image.clone()),
            (
                "Command",
                format!("\"{}\"", self.cut(&command, 20).escape_debug().to_string().replace("\\'", "'")),
            ),
            ("CreatedAt", time(record.created)),
            ("RunningFor", ago(now() - record.created)),
            ("Status", status(record)),
            ("State", state(record)),
            ("Ports", ports(&record.state.ports)),
            ("Names", record.name.clone()),
            ("Labels", labels.collect::<Vec<_>>().join(",")),
            ("Mounts", mounts.collect::<Vec<_>>().join(",")),
            ("LocalVolumes", volumes.to_string()),
            ("Networks", network(record).to_owned()),
        ];
        Row { fields: fields.into(), labels: record.labels.clone() }
    }

    fn cut(&self, text: &str, width: usize) -> String {
        match text.chars().nth(width) {
            Some(_) if !self.no_trunc => text.chars().take(width - 1).chain(['…']).collect(),
            _ => text.to_owned(),
        }
    }
}

pub(super) const HEADERS: [(&str, &str); 14] = [
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("State", "STATE"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Networks", "NETWORKS"),
    ("Size", "SIZE"),
];

/// Neighbours in one, as Docker shows them: those that nothing leads to, and those with the same number outside.
fn ports(all: &[String]) -> String {
    let mut groups: Vec<(&str, u16, u16, &str)> = Vec::new();
    let mut shown: Vec<String> = Vec::new();
    for port in all {
        let (host, inside) = port.split_once("->").unwrap_or(("", port));
        let (address, outside) = host.rsplit_once(':').unwrap_or(("", host));
        let (number, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
        match number.parse::<u16>() {
            Ok(number) if host.is_empty() || outside.parse() == Ok(number) => {
                let goes_on = |group: &&mut (&str, u16, u16, &str)| {
                    (group.0, group.3) == (address, protocol) && number.checked_sub(1) == Some(group.2)
                };
                match groups.iter_mut().find(goes_on) {
                    Some(group) => group.2 = number,
                    None => groups.push((address, number, number, protocol)),
                }
            }
            _ => shown.push(port.clone()),
        }
    }
    let group = |(address, first, last, protocol): &(&str, u16, u16, &str)| {
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let host = if address.is_empty() { String::new() } else { format!("{address}:{range}->") };
        format!("{host}{range}/{protocol}")
    };
    groups.iter().map(group).chain(shown).collect::<Vec<_>>().join(", ")
}

/// In one word.
pub(super) fn state(record: &Record) -> String {
    let word = serde_json::to_value(record.state.status).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

/// Docker's name of what is asked for if nothing is.
pub(super) fn network(record: &Record) -> &str {
    if matches!(&*record.network, "" | "default") { "bridge" } else { &record.network }
}

/// What it has written, and with the image's layers.
fn sizes_of(store: &Store, containers: &Containers, records: &[Record]) -> Result<Vec<String>> {
    let upper = |record: &Record| containers.directory().join(&record.id).join("upper");
    let written = sizes::of(records.iter().map(upper).collect()).context("cannot measure the containers")?;
    let sizes = records.iter().zip(written).map(|(record, written)| {
        let image: u64 = sizes::of_layers(store, &record.layers)?.iter().sum();
        Ok(format!("{} (virtual {})", size(written), size(image.saturating_add(written))))
    });
    sizes.collect()
}

fn status(record: &Record) -> String {
    let state = &record.state;
    let since = |time: Option<f64>| duration(now() - time.unwrap_or_else(now));
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => format!("Up {}", since(state.started)),
        Status::Restarting => {
            format!("Restarting ({}) {} ago", state.exit_code.unwrap_or(0), since(state.finished))
        }
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code.unwrap_or(0), since(state.finished)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn neighbours_are_one_range() {
        let shown =
            |ports: &[&str]| super::ports(&ports.iter().map(|port| (*port).to_owned()).collect::<Vec<_>>());
        assert_eq!(shown(&[]), "");
        assert_eq!(
            shown(&["0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp"]),
            "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"
        );
        let both = [
            "0.0.0.0:7000->7000/tcp",
            "[::]:7000->7000/tcp",
            "0.0.0.0:7001->7001/tcp",
            "[::]:7001->7001/tcp",
        ];
        assert_eq!(shown(&both), "0.0.0.0:7000-7001->7000-7001/tcp, [::]:7000-7001->7000-7001/tcp");
        assert_eq!(shown(&["80/tcp", "81/tcp", "82/udp", "84/tcp"]), "80-81/tcp, 82/udp, 84/tcp");
    }
}
