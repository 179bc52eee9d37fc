//! `start`: a container that was made, or that has ended.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use step03_pid::Failed;

use super::monitor::start_monitor;
use super::pull::renew_layers;
use super::{Asking, Place, RunArgs, with_code};
use crate::monitor::client::{Attached, Client, Outcome};
use crate::monitor::detach::DetachKeys;
use crate::preferences::detach_keys;
use crate::records::{Containers, Held, Recipe, Record, State, Status};
use crate::text::{answer, tell};

/// Start containers.
#[derive(Debug, Args)]
pub struct Start {
    /// Show what it prints, and wait for its end
    #[arg(short, long)]
    attach: bool,
    /// Pass the standard input in
    #[arg(short, long)]
    interactive: bool,
    /// The keys that leave it running: `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Names or ids
    #[arg(required = true)]
    containers: Vec<String>,
}

impl Start {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let containers = place.containers()?;
        if self.attach || self.interactive {
            let [container] = &self.containers[..] else {
                bail!("you cannot start and attach multiple containers at once");
            };
            return self.start_and_attach(place, &containers, container);
        }
        let mut failed = Vec::new();
        for text in &self.containers {
            match containers.find(text).and_then(|record| start(place, &containers, record)) {
                Ok(()) => answer(format_args!("{text}\n"))?,
                Err(error) => {
                    tell(format_args!("coracle: {}", step01_unshare::message(&error)));
                    failed.push(text.as_str());
                }
            }
        }
        match failed.is_empty() {
            true => Ok(0),
            false => bail!("failed to start containers: {}", failed.join(", ")),
        }
    }

    fn start_and_attach(&self, place: &Place, containers: &Containers, text: &str) -> Result<u8> {
        let record = containers.find(text)?;
        let run = read_again(containers, &record)?;
        renew_layers(place, &record)?;
        let mut client = match hold(containers, &record)? {
            Some(held) => {
                let mut client = start_monitor(place, held, false)?;
                client.hear_started().map_err(|error| with_code(error, 125))?;
                client
            }
            // It runs already: what is left to do is to attach.
            None => Client::connect(&containers.directory_of(&record))?.with_context(|| {
                format!("cannot attach to {}: it has no monitor, or is about to end", record.name)
            })?,
        };
        let attached = Attached {
            input: self.interactive && run.interactive,
            output: true,
            error: true,
            tty: run.tty,
            detach_keys: detach_keys(self.detach_keys.as_ref())?,
            signals: true,
        };
        client.attach(&attached).map(Outcome::code)
    }
}

// ANCHOR: start
/// Starts a container. One that is up already is no error.
///
/// # Errors
/// Its command cannot be run, or something that it needs has gone.
pub(super) fn start(place: &Place, containers: &Containers, record: Record) -> Result<()> {
    renew_layers(place, &record)?;
    let Some(held) = hold(containers, &record)? else { return Ok(()) };
    let started = start_monitor(place, held, false)?.hear_started();
    // The exit code of the command is not that of `start`.
    started.map_err(|error| Failed { code: 1, text: step01_unshare::message(&error) }.into())
}

fn hold(containers: &Containers, record: &Record) -> Result<Option<Held>> {
    let start = Instant::now();
    let mut held = loop {
        if let Some(held) = containers.hold(record.clone())? {
            break held;
        }
        // Somebody has it: it runs, or has just ended, and that is still being written down.
        let state = containers.again(record).map(|now| now.state);
        let runs = |state: &State| state.status == Status::Restarting || state.open_pid().is_some();
        if state.as_ref().is_some_and(runs) {
            return Ok(None);
        }
        if start.elapsed() > Duration::from_secs(10) {
            bail!("cannot start container {}: another command has it in hand", record.name);
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    held.forget_stop();
    if held.record.remove && held.record.state.started.is_some() {
        held.allow_again()?;
    }
    held.record.state.restarts = 0;
    held.record.state.wait = 0.0;
    held.write_state()?;
    Ok(Some(held))
}
// ANCHOR_END: start

/// The options that a container was made with.
pub(super) fn read_again(containers: &Containers, record: &Record) -> Result<RunArgs> {
    let recipe = Recipe::read(&containers.directory_of(record))?;
    Asking::<RunArgs>::read(&recipe.words).context("cannot understand the words of run")
}
