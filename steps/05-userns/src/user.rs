//! The wall of this step.

use anyhow::Result;
use clap::Args;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Gid, Pid, Uid, getegid, geteuid, setgid, setgroups, setuid};
use step01_unshare::{Namespaces, refused, tell, why_no_namespaces};
use step03_pid::Isolation;

use crate::{IdMap, Range, is_root, rights, write};

// ANCHOR: args
/// What is the container's own about ids.
#[derive(Debug, Clone, Args)]
pub struct UserArgs {
    /// How many ids have a meaning inside; a range where there is one
    #[arg(long, value_name = "HOW MANY")]
    pub map: Option<IdMap>,
}

impl UserArgs {
    /// The wall of this step. If it has one id only, and could have more, it says so.
    ///
    /// # Errors
    /// Those of [`User::new`].
    pub fn user(&self) -> Result<User> {
        let user = User::new(self.map)?;
        if let Some(why) = user.why_one_id() {
            tell(format_args!("only root has a meaning inside: {why}\n"));
        }
        Ok(user)
    }
}
// ANCHOR_END: args

// ANCHOR: user
/// A user namespace whose root is the caller (`man 7 user_namespaces`).
#[derive(Debug, Clone)]
pub struct User {
    uids: Vec<Range>,
    gids: Vec<Range>,
    why_one_id: Option<String>,
}

impl Isolation for User {
    fn namespaces(&self) -> Namespaces {
        Namespaces::USER
    }

    fn on_host(&mut self, container: Pid) -> Result<()> {
        if self.has_one_id() {
            // A group can deny what everybody else is allowed. Who could give it up by setgroups
            // would get past it: only without setgroups an ordinary user may write a group map.
            write::file(container, "setgroups", "deny")?;
        }
        if self.has_one_id() || is_root() {
            write::file(container, "uid_map", &write::text(&self.uids))?;
            return write::file(container, "gid_map", &write::text(&self.gids));
        }
        // A range needs rights that an ordinary user lacks. Two setuid programs have them, and
        // look into /etc/subuid and /etc/subgid themselves.
        write::by_helpers(container, &self.uids, &self.gids)
    }

    fn in_container(&self) -> Result<()> {
        if !self.has_one_id() {
            setgroups(&[]).map_err(|errno| explain("cannot give up the supplementary groups", errno))?;
        }
        // We are root already, unless a setuid program started us: then only by half.
        setgid(Gid::from_raw(0)).map_err(|errno| explain("cannot become group 0", errno))?;
        setuid(Uid::from_raw(0)).map_err(|errno| explain("cannot become user 0", errno))?;
        // A change of ids makes a process undumpable, as does a program that its user may not
        // read; /proc/self then belongs to the real root (man 2 PR_SET_DUMPABLE).
        prctl::set_dumpable(true).map_err(|errno| explain("cannot become dumpable", errno))
    }
}
// ANCHOR_END: user

// ANCHOR: new
impl User {
    /// The user namespace that this user can have: with a range of ids if one is there (or
    /// asked for), else with one id.
    ///
    /// # Errors
    /// [`IdMap::Range`] is asked for and cannot be had; or the caller's own ids have no meaning
    /// where it is.
    pub fn new(map: Option<IdMap>) -> Result<Self> {
        let (uid, gid) = (geteuid(), getegid());
        rights::have_ids()?;
        let one = |id| vec![Range { inside: 0, outside: id, length: 1 }];
        let mut user = Self { uids: one(uid.as_raw()), gids: one(gid.as_raw()), why_one_id: None };
        if map == Some(IdMap::One) {
            return Ok(user);
        }
        match rights::ranges(uid, gid) {
            Ok((uids, gids)) => {
                user.uids.push(uids);
                user.gids.push(gids);
            }
            Err(why) if map == Some(IdMap::Range) => return Err(why.context("cannot map a range of ids")),
            Err(why) if rights::could_have_more() => user.why_one_id = Some(format!("{why:#}")),
            Err(_) => {}
        }
        Ok(user)
    }

    /// Whether only root has a meaning inside.
    pub fn has_one_id(&self) -> bool {
        self.uids.len() == 1
    }

    /// Why there is one id only, and how to have more: nothing if more was not asked for or
    /// cannot be had.
    pub fn why_one_id(&self) -> Option<&str> {
        self.why_one_id.as_deref()
    }
}
// ANCHOR_END: new

// ANCHOR: explain
/// Root of a user namespace may do these, unless a security module says otherwise.
fn explain(tried: &str, errno: Errno) -> anyhow::Error {
    refused(tried, errno, why_no_namespaces(Namespaces::USER, errno))
}
// ANCHOR_END: explain
