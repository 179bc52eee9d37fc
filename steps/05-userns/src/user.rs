//! The wall of this step.

use std::fs;
use std::process::{Child, Command};

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::sys::prctl;
use nix::unistd::{Gid, Pid, Uid, getegid, geteuid, setgid, setgroups, setuid};
use step01_unshare::Namespaces;
use step03_pid::Isolation;

use crate::{IdMap, Range, subordinate};

/// What is the container's own about ids.
#[derive(Debug, Clone, Args)]
pub struct UserArgs {
    /// How many ids have a meaning inside; a range where there is one
    #[arg(long, value_name = "HOW MANY")]
    pub map: Option<IdMap>,
}

impl UserArgs {
    /// The wall of this step.
    ///
    /// # Errors
    /// A range is asked for, and there is none for this user.
    pub fn user(&self) -> Result<User> {
        User::new(self.map)
    }
}

// ANCHOR: user
/// A user namespace whose root is the caller (`man 7 user_namespaces`).
#[derive(Debug, Clone)]
pub struct User {
    uids: Vec<Range>,
    gids: Vec<Range>,
}

impl Isolation for User {
    fn namespaces(&self) -> Namespaces {
        Namespaces::USER
    }

    fn on_host(&mut self, container: Pid) -> Result<()> {
        if self.has_one_id() {
            // Without setgroups nobody can drop a group that denies access to a file: only
            // then an ordinary user may write a group map.
            write(container, "setgroups", "deny")?;
            write(container, "uid_map", &text(&self.uids))?;
            return write(container, "gid_map", &text(&self.gids));
        }
        if is_root() {
            write(container, "uid_map", &text(&self.uids))?;
            return write(container, "gid_map", &text(&self.gids));
        }
        // A range needs rights that an ordinary user lacks: two setuid programs have them, and
        // look into /etc/subuid and /etc/subgid themselves. Both are started before one is
        // waited for, since they take more time than all the rest.
        let uids = helper("newuidmap", container, &self.uids)?;
        let gids = helper("newgidmap", container, &self.gids)?;
        wait("newuidmap", uids)?;
        wait("newgidmap", gids)
    }

    fn in_container(&self) -> Result<()> {
        if !self.has_one_id() {
            setgroups(&[]).context("cannot give up the supplementary groups")?;
        }
        setgid(Gid::from_raw(0)).context("cannot become group 0")?;
        setuid(Uid::from_raw(0)).context("cannot become user 0")?;
        // A change of ids makes a process undumpable, and /proc/self then belongs to the real
        // root (man 2 PR_SET_DUMPABLE).
        prctl::set_dumpable(true).context("cannot become dumpable")
    }
}
// ANCHOR_END: user

impl User {
    // ANCHOR: new
    /// The user namespace that this user can have: with a range of ids if one is there (or
    /// asked for), else with one id.
    ///
    /// # Errors
    /// [`IdMap::Range`] is asked for, and /etc/subuid or /etc/subgid has none for this user.
    pub fn new(map: Option<IdMap>) -> Result<Self> {
        let (uid, gid) = (geteuid(), getegid());
        let one = |id| vec![Range { inside: 0, outside: id, length: 1 }];
        let (mut uids, mut gids) = (one(uid.as_raw()), one(gid.as_raw()));
        if map != Some(IdMap::One) {
            let ranges = (subordinate("/etc/subuid", uid)?, subordinate("/etc/subgid", uid)?);
            match ranges {
                (Some(more_uids), Some(more_gids)) if may_map_ranges() => {
                    uids.push(Range { inside: 1, outside: more_uids.0, length: more_uids.1 });
                    gids.push(Range { inside: 1, outside: more_gids.0, length: more_gids.1 });
                }
                _ if map == Some(IdMap::Range) => bail!(no_range(uid)),
                _ => {}
            }
        }
        Ok(Self { uids, gids })
    }
    // ANCHOR_END: new

    /// Whether only root has a meaning inside.
    pub fn has_one_id(&self) -> bool {
        self.uids.len() == 1
    }
}

/// Whether this process is root of the whole machine: in the first user namespace, with the
/// rights to mount and to change the network. Root of a container is an ordinary user.
pub fn is_root() -> bool {
    const CAP_NET_ADMIN: u32 = 12;
    const CAP_SYS_ADMIN: u32 = 21;
    let has = |capabilities: u64, bit: u32| capabilities & (1 << bit) != 0;
    geteuid().is_root()
        && knows_all_ids()
        && capabilities().is_some_and(|held| has(held, CAP_SYS_ADMIN) && has(held, CAP_NET_ADMIN))
}

/// The map of the first user namespace: every id is itself.
fn knows_all_ids() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// In a nested user namespace the outer ids are not those that /etc/subuid speaks of.
fn may_map_ranges() -> bool {
    knows_all_ids() && (is_root() || (is_there("newuidmap") && is_there("newgidmap")))
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

fn no_range(uid: Uid) -> String {
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map_or(uid.to_string(), |user| user.name);
    if !knows_all_ids() {
        return "cannot map a range of ids: this is a user namespace already, whose ids are all there are"
            .into();
    }
    if !is_there("newuidmap") {
        return "cannot map a range of ids: newuidmap is missing\nsudo apt install uidmap".into();
    }
    format!(
        "cannot map a range of ids: /etc/subuid and /etc/subgid have none for {name}\n\
         sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}"
    )
}

fn text(ranges: &[Range]) -> String {
    ranges.iter().map(|range| format!("{range}\n")).collect()
}

fn write(container: Pid, file: &str, text: &str) -> Result<()> {
    let file = format!("/proc/{container}/{file}");
    fs::write(&file, text).with_context(|| format!("cannot write `{}` to {file}", text.trim()))
}

fn helper(program: &str, container: Pid, ranges: &[Range]) -> Result<Child> {
    let mut command = Command::new(program);
    command.arg(container.to_string());
    for range in ranges {
        command.args(range.to_string().split(' '));
    }
    command.spawn().with_context(|| format!("cannot run {program}\nsudo apt install uidmap"))
}

fn wait(program: &str, mut child: Child) -> Result<()> {
    let status = child.wait().with_context(|| format!("cannot wait for {program}"))?;
    if !status.success() {
        bail!("cannot map the ids: {program} ended with {status}");
    }
    Ok(())
}
