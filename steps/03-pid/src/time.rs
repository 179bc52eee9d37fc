//! A clock of our own: since when this machine is up.

use std::fs;

use anyhow::{Context, Result};
use nix::sched::setns;
use nix::time::{ClockId, clock_gettime};
use step01_unshare::Namespaces;

use crate::Isolation;

// ANCHOR: time
/// The container believes that the machine was booted `uptime` seconds ago
/// (`man 7 time_namespaces`). The clock on the wall cannot be changed in this way.
#[derive(Debug, Clone)]
pub struct Time {
    /// In seconds.
    pub uptime: u64,
}

impl Isolation for Time {
    // It is not among the namespaces that the container is born in: as soon as a process lives
    // in a time namespace, that one's offsets are fixed. So it is made first, then written, and
    // entered last.
    fn in_container(&self) -> Result<()> {
        step01_unshare::unshare(Namespaces::TIME)?;
        // The two differ by the time that the machine has slept.
        let boot = offset(self.uptime, ClockId::CLOCK_BOOTTIME)?;
        let monotonic = offset(self.uptime, ClockId::CLOCK_MONOTONIC)?;
        let text = format!("boottime {boot} 0\nmonotonic {monotonic} 0\n");
        fs::write("/proc/self/timens_offsets", text).context("cannot write /proc/self/timens_offsets")?;
        let new =
            fs::File::open("/proc/self/ns/time_for_children").context("cannot open the time namespace")?;
        setns(new, Namespaces::TIME.flags()).context("cannot enter the time namespace")
    }
}

/// What makes a clock show `uptime`, in seconds.
fn offset(uptime: u64, clock: ClockId) -> Result<i64> {
    let now = clock_gettime(clock).context("cannot read a clock")?.tv_sec();
    let offset = i64::try_from(uptime).ok().and_then(|uptime| uptime.checked_sub(now));
    offset.with_context(|| format!("cannot set an uptime of {uptime} seconds: the clock would overflow"))
}
// ANCHOR_END: time
