//! `logs`: what a container has printed.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::Place;
use super::logs_reader::{Line, Reader};
use crate::moment::{nanoseconds, nine_digits, time};
use crate::monitor::log;
use crate::records::{Containers, Record};
use crate::waiting::{Waiting, nobody_reads};

/// Show what a container has printed.
#[derive(Debug, Args)]
pub struct Logs {
    /// Go on until the container has ended
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "NUMBER", default_value = "all")]
    tail: String,
    /// Begin each line with its time
    #[arg(short, long)]
    timestamps: bool,
    /// Also what its log driver notes about each line: a blank, since ours notes nothing
    #[arg(long)]
    details: bool,
    /// Only what is newer: a time (2026-11-24T20:53:33Z; without an offset it is UTC) or how long ago (10m)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what is older
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// A name or an id
    container: String,
}

impl Logs {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let last = match &*self.tail {
            "all" => None,
            // Docker takes a negative number for all.
            text => match text.parse::<i64>() {
                Ok(number) => usize::try_from(number).ok(),
                Err(_) => bail!("invalid value for \"tail\": {}: a number, or all", text.escape_debug()),
            },
        };
        let since = at("since", self.since.as_deref())?;
        let until = at("until", self.until.as_deref())?;
        let containers = place.containers()?;
        let record = containers.find(&self.container)?;
        let path = log::path_in(&containers.directory_of(&record), &record.id);
        if !path.exists() && record.state.started.is_some() {
            bail!(
                "there is no log of {}: it was run with `--rm` in a terminal of its own, or with `--log-driver none`",
                record.name
            );
        }
        let is_wanted = |line: &Line| {
            let at = time(&line.time).unwrap_or_default();
            since.is_none_or(|since| at >= since) && until.is_none_or(|until| at <= until)
        };
        let mut lines = VecDeque::new();
        let mut reader = Reader::of(&path);
        let now = reader.end();
        // What is there by now. A container may print as fast as we read.
        while !reader.has_come_to(now)
            && let Some(line) = reader.next()
        {
            if is_wanted(&line) {
                lines.push_back(line);
                if last.is_some_and(|last| lines.len() > last) {
                    lines.pop_front();
                }
            }
            if last.is_none() {
                while let Some(line) = lines.pop_front() {
                    if !self.print(&line)? {
                        return Ok(0);
                    }
                }
            }
        }
        for line in &lines {
            if !self.print(line)? {
                return Ok(0);
            }
        }
        if self.follow {
            self.follow(&containers, &record, &mut reader, (is_wanted, until))?;
        }
        Ok(0)
    }

    // ANCHOR: follow
    /// Until the container has ended and nothing more is to be read.
    fn follow(
        &self,
        containers: &Containers,
        record: &Record,
        reader: &mut Reader,
        (is_wanted, until): (impl Fn(&Line) -> bool, Option<i128>),
    ) -> Result<()> {
        // What is printed after that is nobody's wish.
        while until.is_none_or(|until| since_1970() <= until) {
            // In this order: what it printed before its end is in the log by now.
            let has_ended = !containers.is_held(record)?;
            while let Some(line) = reader.next() {
                // Or else it may print as fast as we read, and there would always be one more.
                let is_over = || until.is_some_and(|until| since_1970() > until);
                let is_last = if is_wanted(&line) { !self.print(&line)? } else { is_over() };
                if is_last {
                    return Ok(());
                }
            }
            // Behind `| grep --max-count 1` the next line may be long in coming.
            if has_ended || nobody_reads(std::io::stdout()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
    // ANCHOR_END: follow

    /// As it was printed, to the stream that it was printed to. False if nobody reads it any more.
    fn print(&self, line: &Line) -> Result<bool> {
        let mut text = String::new();
        if self.timestamps {
            text = time(&line.time).map_or_else(|| line.time.clone(), nine_digits) + " ";
        }
        if self.details {
            text.push(' ');
        }
        text.push_str(&line.log);
        let to = match &*line.stream {
            "stderr" => Waiting::copy(std::io::stderr()),
            _ => Waiting::copy(std::io::stdout()),
        };
        match to.and_then(|mut to| to.write_all(text.as_bytes())) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            other => other.map(|()| true).context("cannot write to the standard output"),
        }
    }
}

/// For [`crate::fuzzing`]: reads all of a log, with the times as they are shown.
pub(crate) fn read_all(path: &Path) -> usize {
    let mut reader = Reader::of(path);
    std::iter::from_fn(|| reader.next())
        .map(|line| time(&line.time).map_or(0, |at| nine_digits(at).len()))
        .sum()
}

/// The moment that an option names, in nanoseconds since 1970.
fn at(option: &str, text: Option<&str>) -> Result<Option<i128>> {
    let at = text.map(|text| nanoseconds(text, since_1970())).transpose();
    at.with_context(|| format!("invalid value for \"{option}\""))
}

/// Now, in nanoseconds.
fn since_1970() -> i128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    i128::try_from(now).unwrap_or_default()
}
