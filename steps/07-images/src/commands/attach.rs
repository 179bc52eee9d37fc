//! `attach`: to a container that runs.

use std::io::IsTerminal;

use anyhow::{Context, Result, bail};
use clap::Args;
use step03_pid::Failed;

use super::Place;
use super::start::read_again;
use crate::monitor::client::{Attached, Client, Outcome};
use crate::monitor::detach::DetachKeys;
use crate::preferences::detach_keys;
use crate::records::Status;

/// Show what a container prints, and pass on what is typed.
#[derive(Debug, Args)]
pub struct Attach {
    /// Pass nothing in
    #[arg(long)]
    no_stdin: bool,
    /// The keys that leave it running: `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Whether signals are passed on
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// A name or an id
    container: String,
}

impl Attach {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let containers = place.containers()?;
        let record = containers.find(&self.container)?;
        match record.state.status {
            Status::Running => {}
            Status::Restarting => {
                bail!("You cannot attach to a restarting container, wait until it is running")
            }
            _ => bail!("You cannot attach to a stopped container, start it first"),
        }
        let run = read_again(&containers, &record)?;
        if run.tty && run.interactive && !self.no_stdin && !std::io::stdin().is_terminal() {
            return Err(Failed { code: 1, text: "the input device is not a TTY".into() }.into());
        }
        let client = Client::connect(&containers.directory_of(&record))?;
        let mut client = client.with_context(|| {
            format!(
                "cannot attach to {}: it runs without a monitor, in the terminal of its `run --rm`",
                record.name
            )
        })?;
        let attached = Attached {
            input: run.interactive && !self.no_stdin,
            output: true,
            error: true,
            tty: run.tty,
            detach_keys: detach_keys(self.detach_keys.as_ref())?,
            signals: self.sig_proxy,
        };
        client.attach(&attached).map(Outcome::code)
    }
}
