//! `stop`, `restart`, `kill`, `wait`: the end of a container.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::signal::{Named, process, send};
use super::start::{read_again, start};
use super::{Place, for_each};
use crate::monitor::client::Client;
use crate::records::{Containers, Recipe, Record};
use crate::text::answer;

/// Docker's number, in seconds.
const PATIENCE: i64 = 10;
const KILL: Named = Named(9);
const TERM: Named = Named(15);

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
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let signal = self.how.signal.as_deref().map(str::parse).transpose()?;
        let containers = place.containers()?;
        for_each(&self.containers, |text| {
            stop(&containers, &containers.find(text)?, signal, self.how.timeout)?;
            answer(format_args!("{text}\n"))
        })
    }
}

impl Restart {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let signal = self.how.signal.as_deref().map(str::parse).transpose()?;
        let containers = place.containers()?;
        for_each(&self.containers, |text| {
            let record = containers.find(text)?;
            stop(&containers, &record, signal, self.how.timeout)?;
            start(place, &containers, containers.again(&record).unwrap_or(record))?;
            answer(format_args!("{text}\n"))
        })
    }
}

impl Kill {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let signal: Named = if self.signal.is_empty() { KILL } else { self.signal.parse()? };
        let containers = place.containers()?;
        for_each(&self.containers, |text| {
            let record = containers.find(text)?;
            // Whoever sends a signal that ends it does not want it back.
            containers.stop(&record);
            if !send(&record, signal)? {
                bail!("cannot kill container: {text}: Container {} is not running", record.id);
            }
            // Nobody survives this one: the next command finds it ended.
            if signal == KILL {
                written_down(&containers, &record)?;
            }
            answer(format_args!("{text}\n"))
        })
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

// ANCHOR: stop
/// Asks the container's first process to end, by the signal that was asked for now, or with
/// `run`, or by the image, and kills it if it does not. Returns when its monitor has written the end
/// down.
///
/// # Errors
/// The container belongs to somebody else, or does not end even when it is killed.
pub(super) fn stop(
    containers: &Containers,
    record: &Record,
    signal: Option<Named>,
    timeout: Option<i64>,
) -> Result<()> {
    if !containers.is_held(record)? {
        // It does not run.
        return Ok(());
    }
    // First of all, or its restart policy could be faster.
    containers.stop(record);
    let run = read_again(containers, record).ok();
    let of_image =
        || Recipe::read(&containers.directory_of(record)).ok()?.image.settings.stop_signal.parse().ok();
    let signal = signal.or_else(|| run.as_ref()?.life.stop_signal).or_else(of_image).unwrap_or(TERM);
    let timeout = timeout.or_else(|| run.as_ref()?.life.stop_timeout).unwrap_or(PATIENCE);
    let record = containers.again(record).unwrap_or_else(|| record.clone());
    send(&record, if timeout == 0 { KILL } else { signal })?;
    if !has_ended(&record, timeout)? {
        send(&record, KILL)?;
    }
    written_down(containers, &record)
}

/// Whether the container's first process has ended, at the latest after so many seconds; less than
/// 0: however long it takes.
fn has_ended(record: &Record, seconds: i64) -> Result<bool> {
    let Some(process) = process(&record.state)? else { return Ok(true) };
    let limit = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let mut ready = [PollFd::new(&process, PollFlags::IN)];
    loop {
        match poll(&mut ready, (seconds >= 0).then_some(&limit)) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other.context("cannot wait for the container")? > 0),
        }
    }
}
// ANCHOR_END: stop

/// Until the monitor has let go of the lock. It may have begun the next start just before it was
/// told to stop.
fn written_down(containers: &Containers, record: &Record) -> Result<()> {
    let start = Instant::now();
    while containers.is_held(record)? {
        match containers.again(record) {
            Some(now) if now.state.pid != record.state.pid => drop(send(&now, KILL)?),
            Some(_) => {}
            None => return Ok(()),
        }
        if start.elapsed() > Duration::from_secs(20) {
            bail!("container {} does not end", record.name);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
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
