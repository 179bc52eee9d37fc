//! One more process in walls that stand already: the birth of what `exec` runs.
//!
//! ```text
//!   host                    messenger                 process
//!    ├──────── clone ───────────┐
//!    waits                      enters the walls
//!    │                          ├───── clone as a sister ────┐
//!    ├<────── its number ───────┤                            in all namespaces, child of the host
//!    reaps the messenger        ends                         the dialogue of the engine begins
//! ```
//! Only a child can be in another pid namespace, so it takes two steps. The second child has the
//! host for its parent, so that there is nobody between the two.

use std::fs::{File, read_link};
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nix::sched::setns;
use nix::sys::prctl;
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use step01_unshare::{Namespaces, all_kinds, join_as_root, message};

use crate::kernel::{clone_sister, clone3, leave};
use crate::running::Child;

// ANCHOR: beside
/// The same as `clone3`, with the namespaces of `other`: its process id and a descriptor for the
/// host, `None` for the new process.
pub(crate) fn born_beside(other: Pid) -> Result<Option<(Pid, OwnedFd)>> {
    let (from_messenger, to_host) = pipe().context("cannot make a pipe")?;
    let Some((pid, pidfd)) = clone3(Namespaces::empty()).context("cannot clone a process")? else {
        drop(from_messenger);
        return messenger(other, to_host);
    };
    drop(to_host);
    let mut messenger = Child::new(pid, pidfd);
    let born = hear(from_messenger);
    messenger.wait()?;
    born.map(Some)
}

/// Enters, clones, says who was born, and ends. Returns as the one who was born.
fn messenger(other: Pid, mut to_host: PipeWriter) -> Result<Option<(Pid, OwnedFd)>> {
    // From the moment that we are in there, the others in there must not read our memory or be
    // able to stop us: until its exec the new process is a copy of the host (CVE-2016-9962).
    let entered = prctl::set_dumpable(false)
        .context("cannot become unreadable")
        .and_then(|()| enter(other))
        .and_then(|()| clone_sister().context("cannot clone a process"));
    match entered {
        Ok(None) => return Ok(None),
        Ok(Some((pid, _))) => drop(to_host.write_all(pid.to_string().as_bytes())),
        Err(error) => drop(to_host.write_all(message(&error).as_bytes())),
    }
    leave(0)
}

fn enter(other: Pid) -> Result<()> {
    let of = |process: &str, kind: &str| PathBuf::from(format!("/proc/{process}/ns/{kind}"));
    let other_name = other.to_string();
    // An init whose children are among another container's processes is itself among ours: we shall be where they are.
    let is_among_ours = read_link(of(&other_name, "pid")).ok() == read_link(of("self", "pid")).ok();
    let children = if is_among_ours { File::open(of(&other_name, "pid_for_children")).ok() } else { None };
    join_as_root(other, all_kinds().map(|kind| kind.flag).collect())?;
    children.map_or(Ok(()), |children| {
        setns(children, Namespaces::PID.flags()).context("cannot enter the pid namespace of its children")
    })
}

fn hear(mut from_messenger: PipeReader) -> Result<(Pid, OwnedFd)> {
    let mut text = String::new();
    from_messenger.read_to_string(&mut text).context("cannot hear the messenger")?;
    let Ok(number) = text.parse() else {
        bail!(if text.is_empty() { "the messenger died".to_owned() } else { text });
    };
    // It is our child: nobody else gets its number before we have collected its status.
    let pid = rustix::process::Pid::from_raw(number).context("a process without a number")?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("cannot open the new process")?;
    Ok((Pid::from_raw(number), pidfd))
}
// ANCHOR_END: beside
