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
        let inherited = fs::read_to_string(OFFSETS).with_context(|| format!("cannot read {OFFSETS}"))?;
        // The two differ by the time that the machine has slept.
        let boot = self.offset(ClockId::CLOCK_BOOTTIME, &inherited, "boottime")?;
        let monotonic = self.offset(ClockId::CLOCK_MONOTONIC, &inherited, "monotonic")?;
        fs::write(OFFSETS, format!("boottime {boot} 0\nmonotonic {monotonic} 0\n"))
            .with_context(|| format!("cannot write {OFFSETS}"))?;
        let new =
            fs::File::open("/proc/self/ns/time_for_children").context("cannot open the time namespace")?;
        setns(new, Namespaces::TIME.flags()).context("cannot enter the time namespace")
    }
}

const OFFSETS: &str = "/proc/self/timens_offsets";

impl Time {
    /// By how many seconds the clock must differ from the host's, which is what the kernel wants
    /// to know. What we see of the clock may already be off: then so is what was inherited.
    fn offset(&self, clock: ClockId, inherited: &str, name: &str) -> Result<i64> {
        let line = inherited.lines().find_map(|line| line.strip_prefix(name));
        let inherited = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        let now = clock_gettime(clock).context("cannot read a clock")?.tv_sec() - inherited;
        let offset = i64::try_from(self.uptime).ok().and_then(|uptime| uptime.checked_sub(now));
        offset.with_context(|| {
            format!("cannot set an uptime of {} seconds: the clock would overflow", self.uptime)
        })
    }
}
// ANCHOR_END: time
