//! `stop`, `restart`, `kill`, `wait`: the end of a container.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::ending::{KILL, ask, stop, stop_signal, wait_for_all, written_down};
use super::signal::{Named, send};
use super::start::start;
use super::{Place, for_each};
use crate::monitor::client::Client;
use crate::records::{Containers, Record};
use crate::text::answer;

/// Stop containers: ask them to end, and kill those that do not.
#[derive(Debug, Args)]
pub struct Stop {
    #[command(flatten)]
    how: How,
    /// Names or ids
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Stop containers, and start them again.
#[derive(Debug, Args)]
pub struct Restart {
    #[command(flatten)]
    how: How,
    /// Names or ids
    #[arg(required = true)]
    containers: Vec<String>,
}

#[derive(Debug, Args)]
struct How {
    /// The signal that asks
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
    /// How many seconds they may take; -1: any time
    #[arg(
        short = 't',
        long = "timeout",
        alias = "time",
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    timeout: Option<i64>,
}

/// Send a signal to containers.
#[derive(Debug, Args)]
pub struct Kill {
    /// Which
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: String,
    /// Names or ids
    #[arg(required = true)]
    containers: Vec<String>,
}

/// Wait until containers have ended, and print their exit codes.
#[derive(Debug, Args)]
pub struct Wait {
    /// Names or ids
    #[arg(required = true)]
    containers: Vec<String>,
}

impl Stop {
    // ANCHOR: execute
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let signal = self.how.signal.as_deref().map(str::parse).transpose()?;
        let containers = place.containers()?;
        let (mut words, mut asked) = (Vec::new(), Vec::new());
        let mut all = for_each(&self.containers, |text| {
            // One that does not run has been stopped already.
            let one = ask(&containers, &containers.find(text)?, signal, self.how.timeout)?;
            words.push((text.to_owned(), one.as_ref().map(|_| asked.len())));
            asked.extend(one);
            Ok(())
        });
        wait_for_all(&mut asked)?;
        for (word, index) in words {
            match index.map_or(Ok(()), |index| written_down(&containers, &asked[index].record)) {
                Ok(()) => answer(format_args!("{word}\n"))?,
                Err(error) => all = all.and(Err(error)),
            }
        }
        all
    }
    // ANCHOR_END: execute
}

impl Restart {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let signal = self.how.signal.as_deref().map(str::parse).transpose()?;
        let containers = place.containers()?;
        for_each(&self.containers, |text| {
            let record = containers.find(text)?;
            if record.remove && record.state.running_pid().is_some() {
                keep(&containers, &record)?;
            }
            stop(&containers, &record, signal, self.how.timeout)?;
            start(place, &containers, containers.again(&record).unwrap_or(record))?;
            answer(format_args!("{text}\n"))
        })
    }
}

/// A container with `--rm` would be gone at the end that comes before its new beginning.
fn keep(containers: &Containers, record: &Record) -> Result<()> {
    if Client::connect(&containers.directory_of(record))?.is_none() {
        bail!(
            "cannot restart {}: it runs without a monitor, in the terminal of its `run --rm`, and ends with that",
            record.name
        );
    }
    containers.keep(record)
}

impl Kill {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let signal: Named = if self.signal.is_empty() { KILL } else { self.signal.parse()? };
        let containers = place.containers()?;
        let mut killed = Vec::new();
        let not_sent = for_each(&self.containers, |text| {
            let record = containers.find(text)?;
            // Whoever sends a signal that ends it does not want it back. As Docker: any signal may be one, unless the
            // container says by which it ends.
            let is_its_end =
                signal == KILL || stop_signal(&containers, &record).is_none_or(|ends| ends == signal);
            // One whose process is not there, and who is held all the same, is about to begin again.
            let comes_back = is_its_end && containers.is_held(&record)?;
            if is_its_end {
                containers.stop(&record);
            }
            if !send(&record, signal)? && !comes_back {
                bail!("cannot kill container: {text}: Container {} is not running", record.id);
            }
            // Nobody survives this one: the next command finds it ended.
            if signal == KILL {
                killed.push(record);
            }
            answer(format_args!("{text}\n"))
        });
        killed.iter().try_for_each(|record| written_down(&containers, record))?;
        not_sent
    }
}

impl Wait {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let containers = place.containers()?;
        for_each(&self.containers, |text| {
            let record = containers.find(text)?;
            let code = wait(&containers, &record)?;
            answer(format_args!("{code}\n"))
        })
    }
}

fn wait(containers: &Containers, record: &Record) -> Result<u8> {
    let directory = containers.directory_of(record);
    if containers.is_held(record)?
        && let Some(client) = Client::connect(&directory)?
        && let Some(code) = client.wait()?
    {
        return Ok(code);
    }
    // Nobody can be asked: it has ended, or whoever ran it without a monitor will write it down.
    loop {
        let Some(now) = containers.again(record) else { bail!("No such container: {}", record.name) };
        if !containers.is_held(&now)? {
            let now = containers.again(record).context("the container has been removed")?;
            return Ok(now.state.exit_code.unwrap_or(0));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
