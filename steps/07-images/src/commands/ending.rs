//! Asking containers to end: all of them first, and then one wait for all.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::signal::{Named, send};
use super::start::read_again;
use crate::records::{Containers, Recipe, Record, Status};

/// Docker's number, in seconds.
const PATIENCE: i64 = 10;
pub(super) const KILL: Named = Named(9);
const TERM: Named = Named(15);

/// A container that was asked to end.
#[derive(Debug)]
pub(super) struct Asked {
    pub record: Record,
    /// Its first process, for as long as we wait for it.
    process: Option<OwnedFd>,
    /// When it is killed; nothing: never.
    until: Option<Instant>,
}

// ANCHOR: stop
/// Asks the container's first process to end, by the signal that was asked for now, or with
/// `run`, or by the image. Nothing if it does not run.
///
/// # Errors
/// The container belongs to somebody else.
pub(super) fn ask(
    containers: &Containers,
    record: &Record,
    signal: Option<Named>,
    timeout: Option<i64>,
) -> Result<Option<Asked>> {
    if !containers.is_held(record)? {
        return Ok(None);
    }
    // First of all, or its restart policy could be faster.
    containers.stop(record);
    let signal = signal.or_else(|| stop_signal(containers, record)).unwrap_or(TERM);
    let of_run = || read_again(containers, record).ok()?.life.stop_timeout;
    let timeout = timeout.or_else(of_run).unwrap_or(PATIENCE);
    let record = containers.again(record).unwrap_or_else(|| record.clone());
    send(&record, if timeout == 0 { KILL } else { signal })?;
    let process = if timeout == 0 { None } else { record.state.process()? };
    let patience = u64::try_from(timeout).ok().map(Duration::from_secs);
    Ok(Some(Asked { record, process, until: patience.and_then(|wait| Instant::now().checked_add(wait)) }))
}

/// By which signal it ends, if `run` or its image says so.
pub(super) fn stop_signal(containers: &Containers, record: &Record) -> Option<Named> {
    let of_image =
        || Recipe::read(&containers.directory_of(record)).ok()?.image.settings.stop_signal.parse().ok();
    read_again(containers, record).ok().and_then(|run| run.life.stop_signal).or_else(of_image)
}

/// Waits until the first processes of all have ended, and kills each whose time is up.
///
/// # Errors
/// One belongs to somebody else.
pub(super) fn wait_for_all(all: &mut [Asked]) -> Result<()> {
    loop {
        let now = Instant::now();
        for late in all.iter_mut().filter(|asked| asked.until.is_some_and(|until| until <= now)) {
            if late.process.take().is_some() {
                send(&late.record, KILL)?;
            }
        }
        let waited: Vec<usize> = (0..all.len()).filter(|index| all[*index].process.is_some()).collect();
        if waited.is_empty() {
            return Ok(());
        }
        let until = waited.iter().filter_map(|index| all[*index].until).min();
        let processes = waited.iter().filter_map(|index| all[*index].process.as_ref());
        let mut ready: Vec<_> = processes.map(|process| PollFd::new(process, PollFlags::IN)).collect();
        let limit = until.and_then(|until| Timespec::try_from(until.saturating_duration_since(now)).ok());
        match poll(&mut ready, limit.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.context("cannot wait for the containers")?,
        };
        let ended: Vec<bool> = ready.iter().map(|process| !process.revents().is_empty()).collect();
        for (index, _) in waited.iter().zip(ended).filter(|(_, has_ended)| *has_ended) {
            all[*index].process = None;
        }
    }
}
// ANCHOR_END: stop

/// All of it, for one container. Returns when its monitor has written the end down.
///
/// # Errors
/// The container belongs to somebody else, or does not end even when it is killed.
pub(super) fn stop(
    containers: &Containers,
    record: &Record,
    signal: Option<Named>,
    timeout: Option<i64>,
) -> Result<()> {
    let Some(asked) = ask(containers, record, signal, timeout)? else { return Ok(()) };
    let mut asked = [asked];
    wait_for_all(&mut asked)?;
    written_down(containers, &asked[0].record)
}

/// Until the monitor has let go of the lock. It may have begun the next start just before it was
/// told to stop.
pub(super) fn written_down(containers: &Containers, record: &Record) -> Result<()> {
    let start = Instant::now();
    while containers.is_held(record)? {
        match containers.again(record) {
            // It ends no further: somebody else needs its files.
            Some(now) if now.state.status == Status::Exited && start.elapsed() > Duration::from_secs(3) => {
                return Ok(());
            }
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
