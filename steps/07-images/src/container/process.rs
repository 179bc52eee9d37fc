//! What belongs to the container's process and not to its walls: made last, in this order.

use std::fs::OpenOptions;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nix::sys::stat::{Mode as Permissions, umask};
use nix::unistd::{dup2_stdin, fchdir, fchown, getcwd, setgid, setgroups, setuid};
use rustix::fs::{FileType, Mode, OFlags, open};
use rustix::io::Errno;
use step03_pid::{Isolation, ignore_nothing};
use step04_mount::Contained;

use super::users::{self, Ids};
use super::{Ulimit, limits};
use crate::text::printable;

// ANCHOR: no_input
/// Without `-i` the command reads end of file, and nothing that is meant for others.
#[derive(Debug, Clone)]
pub struct NoInput;

impl Isolation for NoInput {
    fn in_container(&self) -> Result<()> {
        let null = OpenOptions::new().read(true).open("/dev/null").context("cannot open /dev/null")?;
        dup2_stdin(null).context("cannot make /dev/null the standard input")
    }
}
// ANCHOR_END: no_input

// ANCHOR: work_directory
/// Where the command starts.
#[derive(Debug, Clone)]
pub struct WorkDirectory {
    /// Absolute, in the container.
    pub path: PathBuf,
    /// Whether it is made if it is not there: by `run`, and not by `exec`, as with Docker.
    pub make: bool,
}

impl Isolation for WorkDirectory {
    fn in_container(&self) -> Result<()> {
        let enter = || -> Result<()> {
            let root = contained()?;
            // A path of the image's may say /proc/self/fd/9, where something of the host is still
            // open: no such link is followed, neither to enter nor to make (CVE-2024-21626).
            let place = match root.open(&self.path, OFlags::PATH | OFlags::DIRECTORY) {
                Err(Errno::NOENT) if self.make => root.followed(&self.path, FileType::Directory)?,
                Err(Errno::LOOP) => bail!("ELOOP: a link on the way leads outside, or in a circle"),
                other => other?,
            };
            fchdir(place)?;
            // For a place outside of our root the kernel has no name that begins with it.
            match getcwd() {
                Ok(here) if here.starts_with("/") => Ok(()),
                _ => bail!("it leads outside"),
            }
        };
        let path = printable(&self.path.to_string_lossy());
        enter().with_context(|| format!("cannot change to the working directory {path}"))
    }
}

/// By now / is the image's: what its links lead to is looked up by the kernel's rules for
/// strangers.
pub(super) fn contained() -> Result<Contained> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Contained::new(open("/", flags, Mode::empty()).context("cannot open /")?))
}
// ANCHOR_END: work_directory

// ANCHOR: identity
/// Who the command runs as, in the image's own words: `name`, `uid`, `name:group` …
#[derive(Debug, Clone)]
pub struct Identity {
    /// As in the image's config or after `-u`; empty for root.
    pub user: String,
    /// More groups, by name or number.
    pub groups: Vec<String>,
    /// What one process may have.
    pub limits: Vec<Ulimit>,
    /// Whether more than one id has a meaning in here.
    pub has_range: bool,
    /// Whether its standard streams are a terminal of its own.
    pub has_terminal: bool,
}

impl Isolation for Identity {
    fn in_container(&self) -> Result<()> {
        // The image's own files say who is who.
        let Ids { uid, gid, groups } = users::resolve(&self.user, &self.groups, &contained()?)?;
        // A container begins alike from a terminal, from a script's background and from cron.
        ignore_nothing();
        // Now that no more files have to be opened, and as long as we are root.
        limits::begin();
        self.limits.iter().try_for_each(Ulimit::set)?;
        // What one more command makes shall not depend on who has asked for it.
        umask(Permissions::from_bits_truncate(0o022));
        if !self.has_range {
            if !uid.is_root() || gid.as_raw() != 0 || !self.groups.is_empty() {
                bail!(
                    "cannot become user {uid}: only root has a meaning here\n\
                     add a range of ids to /etc/subuid and /etc/subgid: man 5 subuid"
                );
            }
            // One id only: setgroups is forbidden, and there is nobody else to become.
            return Ok(());
        }
        if self.has_terminal {
            // As after a login: /dev/stderr, which leads to it, is opened by name, and so with the rights of the user.
            fchown(std::io::stdin(), Some(uid), None).context("cannot give the terminal to the user")?;
        }
        setgroups(&groups).context("cannot set the supplementary groups")?;
        setgid(gid).with_context(|| format!("cannot become group {gid}"))?;
        setuid(uid).with_context(|| format!("cannot become user {uid}"))
    }
}
// ANCHOR_END: identity
