//! `ps`: containers and how far they have come.

use anyhow::Result;
use clap::Args;

use super::Place;
use crate::human::{duration, table};
use crate::records::{Record, Status, now};
use crate::text::{answer, printable};

/// List containers.
#[derive(Debug, Args)]
pub struct Ps {
    /// Also those that do not run
    #[arg(short, long)]
    all: bool,
    /// Print only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Print whole ids and commands
    #[arg(long)]
    no_trunc: bool,
}

impl Ps {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let mut records = place.containers()?.all()?;
        records.retain(|record| self.all || record.state.status == Status::Running);
        if self.quiet {
            answer(records.iter().map(|record| self.id(record) + "\n").collect::<String>())?;
            return Ok(0);
        }
        let header = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];
        let rows = records.iter().map(|record| self.row(record));
        answer(table(&std::iter::once(header.map(str::to_owned).to_vec()).chain(rows).collect::<Vec<_>>()))?;
        Ok(0)
    }

    fn row(&self, record: &Record) -> Vec<String> {
        let quoted = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
        let mut command = record.command.iter().map(quoted).collect::<Vec<_>>().join(" ");
        if !self.no_trunc && command.chars().count() > 20 {
            command = command.chars().take(19).chain(['…']).collect();
        }
        vec![
            self.id(record),
            printable(&record.image),
            format!("\"{}\"", printable(&command)),
            duration(now() - record.created) + " ago",
            status(record),
            record.state.ports.join(", "),
            record.name.clone(),
        ]
    }

    fn id(&self, record: &Record) -> String {
        if self.no_trunc { record.id.clone() } else { record.id[..12].to_owned() }
    }
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
