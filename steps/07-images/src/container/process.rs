//! What belongs to the container's process and not to its walls: made last, in this order.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{dup2_stdin, getcwd, setgid, setgroups, setuid};
use step03_pid::Isolation;

use super::users::{self, Ids};

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
/// Where the command starts; made if the image has no such directory, as Docker does.
#[derive(Debug, Clone)]
pub struct WorkDirectory(pub PathBuf);

impl Isolation for WorkDirectory {
    fn in_container(&self) -> Result<()> {
        let path = &self.0;
        if path.exists() && !path.is_dir() {
            bail!("cannot change to the working directory {}: it is not a directory", path.display());
        }
        fs::create_dir_all(path)
            .and_then(|()| std::env::set_current_dir(path))
            .with_context(|| format!("cannot change to the working directory {}", path.display()))?;
        // A link such as /proc/self/fd/9 would lead to where the host was (CVE-2024-21626). The
        // kernel then has no name for the place that begins with our root.
        let here = getcwd().unwrap_or_default();
        if !here.starts_with("/") {
            bail!("cannot change to the working directory {}: it leads outside", path.display());
        }
        Ok(())
    }
}
// ANCHOR_END: work_directory

// ANCHOR: identity
/// Who the command runs as, in the image's own words: `name`, `uid`, `name:group` …
#[derive(Debug, Clone)]
pub struct Identity {
    /// As in the image's config or after `-u`; empty for root.
    pub user: String,
    /// Whether more than one id has a meaning in here.
    pub has_range: bool,
}

impl Isolation for Identity {
    fn in_container(&self) -> Result<()> {
        // By now / is the image's, so its own files say who is who.
        let Ids { uid, gid, groups } = users::resolve(&self.user, Path::new("/"))?;
        if !self.has_range {
            if !uid.is_root() || gid.as_raw() != 0 {
                bail!(
                    "cannot become user {uid}: only root has a meaning here\n\
                     add a range of ids to /etc/subuid and /etc/subgid: man 5 subuid"
                );
            }
            // One id only: setgroups is forbidden, and there is nobody else to become.
            return Ok(());
        }
        setgroups(&groups).context("cannot set the supplementary groups")?;
        setgid(gid).with_context(|| format!("cannot become group {gid}"))?;
        setuid(uid).with_context(|| format!("cannot become user {uid}"))
    }
}
// ANCHOR_END: identity
