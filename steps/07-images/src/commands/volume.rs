//! `volume`: directories that outlive the containers that use them.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::listing::{Filter, Filters, Format, List, Row};
use super::volume_prune::Prune;
use super::{Place, for_each, inspect};
use crate::container::label;
use crate::moment::rfc3339;
use crate::records::new_id;
use crate::text::answer;
use crate::volumes::{Volume, Volumes, users};

/// What can be done with volumes.
#[derive(Debug, Clone, Subcommand)]
pub enum VolumeVerb {
    /// Make a volume
    Create(Create),
    /// List the volumes
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show everything that is known about volumes
    Inspect(Inspect),
    /// Remove volumes
    #[command(visible_alias = "remove")]
    Rm(Rm),
    /// Remove the volumes that no container has
    Prune(Prune),
}

impl VolumeVerb {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        match self {
            Self::Create(command) => command.execute(place),
            Self::Ls(command) => command.execute(place),
            Self::Inspect(command) => command.execute(place),
            Self::Rm(command) => command.execute(place),
            Self::Prune(command) => command.execute(place),
        }
    }
}

/// The options of `volume create`.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// Note something about it
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = label)]
    label: Vec<String>,
    /// Who keeps it: local
    #[arg(short, long, default_value = "local")]
    driver: String,
    /// An option for who keeps it: there are none
    #[arg(short, long, value_name = "NAME=VALUE")]
    opt: Vec<String>,
    /// What to call it; without a name it gets a long number
    name: Option<String>,
}

impl Create {
    fn execute(&self, place: &Place) -> Result<u8> {
        if self.driver != "local" {
            let driver = &self.driver;
            bail!("error looking up volume plugin {driver}: plugin \"{driver}\" not found");
        }
        if let Some(option) = self.opt.first() {
            bail!("invalid option: \"{option}\": a volume is a directory of ours, and has no options");
        }
        let name = self.name.clone().filter(|name| !name.is_empty());
        let labels: Vec<_> = self.label.iter().map(|text| pair(text)).collect();
        let anonymous = name.is_none();
        let name = name.map_or_else(new_id, Ok)?;
        place.volumes()?.ensure(&name, &labels, anonymous)?;
        answer(format_args!("{name}\n"))?;
        Ok(0)
    }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

/// The options of `volume ls`.
#[derive(Debug, Clone, Args)]
pub struct Ls {
    /// Print only the names
    #[arg(short, long)]
    quiet: bool,
    /// Only some: dangling=true, driver=local, label=KEY[=VALUE], name=PART
    #[arg(short, long = "filter", value_name = "NAME=VALUE")]
    filters: Vec<Filter>,
    #[command(flatten)]
    format: Format,
}

pub(super) const HEADERS: [(&str, &str); 10] = [
    ("Driver", "DRIVER"),
    ("Name", "VOLUME NAME"),
    ("Availability", "AVAILABILITY"),
    ("Group", "GROUP"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Scope", "SCOPE"),
    ("Size", "SIZE"),
    ("Status", "STATUS"),
];

impl Ls {
    fn execute(&self, place: &Place) -> Result<u8> {
        let (volumes, containers) = (place.volumes()?, place.containers()?.all()?);
        let filters = Filters(&self.filters);
        filters.check(&["dangling", "driver", "label", "name"])?;
        let dangling = filters.switch("dangling")?;
        let mut all = volumes.all()?;
        all.retain(|volume| {
            filters.any("name", |part| volume.name.contains(part))
                && filters.any("driver", |driver| driver == "local")
                && filters.labels(&volume.labels)
                && dangling.is_none_or(|wanted| wanted == users(&volume.name, &containers).next().is_none())
        });
        let list = List {
            headers: HEADERS.to_vec(),
            columns: vec!["Driver", "Name"],
            only: self.quiet.then_some("Name"),
            rows: all.iter().map(|volume| row(volume, &volumes)).collect(),
        };
        list.print(&self.format.or(self.quiet, |preferences| preferences.volumes_format))
    }
}

pub(super) fn row(volume: &Volume, volumes: &Volumes) -> Row {
    let labels = volume.labels.iter().map(|(name, value)| format!("{name}={value}"));
    // As in Docker, which knows the last ones only where somebody counted.
    let unknown = || "N/A".to_owned();
    let fields = [
        ("Driver", "local".to_owned()),
        ("Name", volume.name.clone()),
        ("Availability", unknown()),
        ("Group", unknown()),
        ("Labels", labels.collect::<Vec<_>>().join(",")),
        ("Links", unknown()),
        ("Mountpoint", volumes.data(&volume.name).to_string_lossy().into_owned()),
        ("Scope", "local".to_owned()),
        ("Size", unknown()),
        ("Status", unknown()),
    ];
    Row { fields: fields.into(), labels: volume.labels.clone() }
}

/// The options of `volume inspect`.
#[derive(Debug, Clone, Args)]
pub struct Inspect {
    /// Only this of it, as a Go template
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Their names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

impl Inspect {
    fn execute(&self, place: &Place) -> Result<u8> {
        let template = inspect::template(self.format.as_deref())?;
        let volumes = place.volumes()?;
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for name in &self.names {
            match volumes.find(name) {
                Ok(volume) => found.push(document(&volume, &volumes)),
                Err(error) => errors.push(step01_unshare::message(&error)),
            }
        }
        inspect::show(found, errors, template.as_ref(), self.format.as_deref())
    }
}

/// Docker's document. Its lists are never null.
pub(super) fn document(volume: &Volume, volumes: &Volumes) -> Value {
    json!({
        "CreatedAt": rfc3339(Some(volume.created)),
        "Driver": "local",
        "Labels": volume.labels,
        "Mountpoint": volumes.data(&volume.name),
        "Name": volume.name,
        "Options": {},
        "Scope": "local",
    })
}

/// The options of `volume rm`.
#[derive(Debug, Clone, Args)]
pub struct Rm {
    /// One that is not there is no error
    #[arg(short, long)]
    force: bool,
    /// Their names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

impl Rm {
    fn execute(&self, place: &Place) -> Result<u8> {
        let (volumes, containers) = (place.volumes()?, place.containers()?);
        // Nobody shall make a container with it while we look who has it.
        let _alone = containers.lock()?;
        let all = containers.all()?;
        for_each(&self.names, |name| {
            match volumes.remove(name, &all) {
                Err(error) if self.force && volumes.find(name).is_err() => drop(error),
                other => other?,
            }
            answer(format_args!("{name}\n"))
        })
    }
}
