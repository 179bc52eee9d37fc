//! Step 02: a name of our own, and System V names of our own.
//!
//! The two simplest namespaces. The uts namespace holds two strings; the ipc namespace holds the
//! names by which processes that never met find each other's message queues.

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::system::{setdomainname, sethostname};
use step01_unshare::Namespaces;

// ANCHOR: uts
/// What is our own about the uts namespace (`man 7 uts_namespaces`).
#[derive(Debug, Clone, Default, Args)]
pub struct Uts {
    /// The host name inside
    #[arg(long)]
    pub hostname: Option<String>,
    /// The domain name (of NIS, hardly used today) inside
    #[arg(long)]
    pub domainname: Option<String>,
}

impl Uts {
    /// Gives the names to the namespace that this process is in: make it a new one first.
    ///
    /// # Errors
    /// A name that is empty or of more than 64 bytes (`man 2 sethostname`); EPERM without CAP_SYS_ADMIN in the
    /// user namespace that owns this uts namespace.
    pub fn set_names(&self) -> Result<()> {
        if let Some(name) = &self.hostname {
            check("host name", name)?;
            sethostname(name.as_bytes()).with_context(|| format!("cannot set the host name {name}"))?;
        }
        if let Some(name) = &self.domainname {
            check("domain name", name)?;
            setdomainname(name.as_bytes()).with_context(|| format!("cannot set the domain name {name}"))?;
        }
        Ok(())
    }
}

/// The kernel would say EINVAL of a longer name and not why, and take an empty one.
fn check(what: &str, name: &str) -> Result<()> {
    match name.len() {
        1..=64 => Ok(()),
        length => bail!("cannot set the {what}: it has {length} bytes, and 1 to 64 are allowed"),
    }
}
// ANCHOR_END: uts

// ANCHOR: ipc
/// The namespaces of this step: the names, and the System V and POSIX message queues, which
/// are names as well (`man 7 ipc_namespaces`).
pub fn namespaces() -> Namespaces {
    Namespaces::UTS | Namespaces::IPC
}
// ANCHOR_END: ipc
