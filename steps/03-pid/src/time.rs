//! A clock of our own: since when this machine is up.

use std::fs;

use anyhow::{Context, Result, bail};
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
        let now = clock_gettime(ClockId::CLOCK_BOOTTIME).context("cannot read the clock")?.tv_sec();
        let Some(offset) = i64::try_from(self.uptime).ok().and_then(|uptime| uptime.checked_sub(now)) else {
            bail!("cannot set an uptime of {} seconds: the clock would overflow", self.uptime);
        };
        step01_unshare::unshare(Namespaces::TIME)?;
        let text = format!("boottime {offset} 0\nmonotonic {offset} 0\n");
        fs::write("/proc/self/timens_offsets", text).context("cannot write /proc/self/timens_offsets")?;
        let new =
            fs::File::open("/proc/self/ns/time_for_children").context("cannot open the time namespace")?;
        setns(new, Namespaces::TIME.flags()).context("cannot enter the time namespace")
    }
}
// ANCHOR_END: time
