//! Switches of the kernel that belong to a namespace, set before /proc/sys can only be read.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstatfs, openat2};
use rustix::mount::MountAttrFlags as Attr;
use step03_pid::Isolation;

use crate::attach::new;
use crate::explain;

// ANCHOR: sysctls
/// Names below /proc/sys with slashes in them (`net/ipv4/ip_forward`), and what is written there
/// (`man 5 proc_sys`). The kernel keeps some per network or ipc namespace, and all others for
/// the whole machine: it is for the caller to tell them apart.
#[derive(Debug, Clone, Default)]
pub struct Sysctls(pub Vec<(String, String)>);

impl Isolation for Sysctls {
    fn in_container(&self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        // A /proc that has no place, so that nobody can have put anything over it (CVE-2025-52881).
        let proc = new("proc", &[], Attr::empty()).map_err(explain::proc).context("cannot make a /proc")?;
        for (name, value) in &self.0 {
            set(&proc, name, value).with_context(|| format!("cannot set the sysctl {name} to {value}"))?;
        }
        Ok(())
    }
}

fn set(proc: &OwnedFd, name: &str, value: &str) -> Result<()> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let file = openat2(proc, format!("sys/{name}"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty(), how)?;
    if fstatfs(&file)?.f_type != PROC_SUPER_MAGIC {
        bail!("it is not a file of /proc");
    }
    Ok(File::from(file).write_all(value.as_bytes())?)
}
// ANCHOR_END: sysctls
