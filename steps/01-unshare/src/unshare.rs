//! Leaving: `unshare` gives the calling process new namespaces in place of its old ones.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use anyhow::{Context, Error, Result};
use clap::Args;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::unistd::{getegid, geteuid};

use crate::{Namespaces, exec, refused, why_no_namespaces};

// ANCHOR: unshare
/// Puts this process into new namespaces (`man 2 unshare`).
///
/// Two kinds hold back: a new pid or time namespace takes only the children that follow.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN (a user namespace needs none), ENOSPC when a limit of
/// /proc/sys/user is reached, EINVAL in a process with threads.
pub fn unshare(namespaces: Namespaces) -> Result<()> {
    nix::sched::unshare(namespaces.flags()).map_err(|errno| explain(namespaces, errno))?;
    if namespaces.contains(Namespaces::MOUNT) {
        keep_mounts_to_ourselves()?;
    }
    Ok(())
}

/// A new mount namespace is a copy whose mounts still tell the originals of every change,
/// where `/` is shared, as it is under systemd. Private ones keep to themselves
/// (`man 7 mount_namespaces`, "Shared subtrees").
fn keep_mounts_to_ourselves() -> Result<()> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .context("cannot make the mounts private")
}
// ANCHOR_END: unshare

// ANCHOR: map_root
/// The option that makes an ordinary user root in a user namespace of its own.
#[derive(Debug, Args)]
pub struct MapRootArgs {
    /// Be root in a new user namespace: needs no rights at all
    #[arg(short = 'r', long)]
    pub map_root_user: bool,
}

impl MapRootArgs {
    /// Leaves for `namespaces`; if asked, for a user namespace too, as its root.
    ///
    /// # Errors
    /// Those of [`unshare`], and EPERM where the kernel refuses the maps.
    pub fn unshare(&self, namespaces: Namespaces) -> Result<()> {
        // Who we are must be asked before: afterwards we are nobody.
        let (uid, gid) = (geteuid(), getegid());
        if !self.map_root_user {
            return unshare(namespaces);
        }
        unshare(namespaces | Namespaces::USER)?;
        // An ordinary user may write a group map only after giving up setgroups, which could
        // otherwise drop a group that denies access to a file (`man 7 user_namespaces`).
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
        write("/proc/self/gid_map", &format!("0 {gid} 1"))
    }
}
// ANCHOR_END: map_root

// ANCHOR: write
fn write(file: &str, text: &str) -> Result<()> {
    fs::write(file, text).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        let why = why_no_namespaces(Namespaces::USER, errno);
        refused(&format!("cannot write `{text}` to {file}"), errno, why)
    })
}
// ANCHOR_END: write

// ANCHOR: run
/// Runs a command in place of this process, or with `fork` as its child, and returns the exit
/// code: the command's own, or 128 + n if signal n ended it.
///
/// # Errors
/// Those of [`exec`].
pub fn run(command: &mut Command, fork: bool) -> Result<u8> {
    if !fork {
        return Err(exec(command));
    }
    // ^C at the terminal is meant for the command, which may live on: so this process does too.
    let ours: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    let before = ours.thread_swap_mask(SigmaskHow::SIG_BLOCK).context("cannot block signals")?;
    in_child(command, move || before.thread_set_mask());
    let status = command.status().map_err(|error| exec::explain(command, error))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.unwrap_or(1) as u8)
}
// ANCHOR_END: run

// ANCHOR: in_child
/// Has the child do something before it becomes the command.
///
/// As a side effect it is started by `fork` and not by `vfork`, which lends it our memory. That is
/// as well: memory is in one time namespace only, and so Linux before 6.2 refuses `vfork` after
/// `unshare(CLONE_NEWTIME)`.
#[expect(unsafe_code, reason = "what is called between fork and exec must not take a lock")]
fn in_child(command: &mut Command, act: impl Fn() -> nix::Result<()> + Send + Sync + 'static) {
    // SAFETY: its only caller sets the signal mask, one system call (`man 7 signal-safety`).
    unsafe { command.pre_exec(move || Ok(act()?)) };
}
// ANCHOR_END: in_child

// ANCHOR: explain
/// An error of `unshare`, with the cause and the way out where they are known.
fn explain(namespaces: Namespaces, errno: Errno) -> Error {
    let names: Vec<_> = namespaces.kinds().map(|kind| kind.name).collect();
    refused(&format!("cannot unshare {}", names.join(", ")), errno, why_no_namespaces(namespaces, errno))
}
// ANCHOR_END: explain
