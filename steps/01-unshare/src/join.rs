//! Entering: `setns` puts the calling process into namespaces that somebody else made.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sched::setns;
use nix::sys::prctl;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, pipe, setgid, setgroups, setuid};
use rustix::process::{self, PidfdFlags};

use crate::{Namespaces, SETNS, inode, message, process_folder, refused, why};

// ANCHOR: join
/// Enters the namespaces of a process. Those in which this process is already are left out:
/// the kernel refuses to enter one's own user namespace again (`man 2 setns`).
///
/// All are entered at once by a descriptor of the process, so either all or none.
///
/// # Errors
/// ESRCH if the process has gone, EPERM without CAP_SYS_ADMIN in the namespaces' owner,
/// EINVAL for a user namespace in a process with threads.
pub fn join(target: Pid, wanted: Namespaces) -> Result<()> {
    let new = foreign(target, wanted)?;
    if new.is_empty() {
        return Ok(());
    }
    let process = open(target).with_context(|| format!("cannot open process {target}"))?;
    setns(process, new.flags()).map_err(|errno| {
        let names: Vec<_> = new.kinds().map(|kind| kind.name).collect();
        let tried = format!("cannot enter the namespaces ({}) of process {target}", names.join(", "));
        // Whoever asked for the user namespace too was refused for another reason.
        let asked = new.contains(Namespaces::USER);
        let why = why(SETNS, errno, &[Path::new(&target.to_string())]).filter(|_| !asked);
        refused(&tried, errno, why)
    })
}

/// A descriptor that stands for the process, whatever happens to its number (`man 2 pidfd_open`).
fn open(target: Pid) -> Result<OwnedFd> {
    let target = process::Pid::from_raw(target.as_raw()).context("ESRCH: process ids begin at 1")?;
    Ok(process::pidfd_open(target, PidfdFlags::empty())?)
}

/// Those of the wanted namespaces that are not ours as well.
fn foreign(target: Pid, wanted: Namespaces) -> Result<Namespaces> {
    let theirs = process_folder(target)?;
    let mut foreign = Namespaces::empty();
    for kind in wanted.kinds() {
        if inode(&theirs, kind)? != inode(Path::new("/proc/self"), kind)? {
            foreign = foreign | kind.flag;
        }
    }
    Ok(foreign)
}
// ANCHOR_END: join

// ANCHOR: join_as_root
/// Enters as [`join`] does. In another user namespace it also becomes root: who keeps an id that
/// has no meaning there is nobody, and a nobody loses all capabilities at `exec`
/// (`man 7 user_namespaces`).
///
/// # Errors
/// Those of [`join`], and EPERM if the ids are refused.
pub fn join_as_root(target: Pid, wanted: Namespaces) -> Result<()> {
    if !foreign(target, wanted)?.contains(Namespaces::USER) {
        return join(target, wanted);
    }
    // Root gives up its own groups here, since in there it may be forbidden; an ordinary user
    // may not, and keeps rights that are its own anyway.
    let _ = setgroups(&[]);
    join(target, wanted)?;
    let became = setgid(Gid::from_raw(0)).and_then(|()| setuid(Uid::from_raw(0)));
    match became {
        // There is no root inside: stay nobody, as those who live there are.
        Err(Errno::EINVAL) => Ok(()),
        other => other.context("cannot become root of the user namespace"),
    }
}
// ANCHOR_END: join_as_root

// ANCHOR: ask
/// What is asked inside other namespaces: a plain function, since it runs in a child.
pub type Question = fn() -> Result<String>;

/// Asks something that no file of /proc tells of another namespace, such as its host name: a
/// child enters the namespaces of `target`, asks, and writes the answer into a pipe.
///
/// # Errors
/// Those of [`join`] and those of the question; the child's text is passed on.
pub fn ask(target: Pid, namespaces: Namespaces, question: Question) -> Result<String> {
    let (answer, asked) = pipe().context("cannot make a pipe")?;
    // The user namespace gives the right to enter those that it owns.
    let wanted = namespaces | Namespaces::USER;
    match fork_one().context("cannot fork")? {
        ForkResult::Child => {
            drop(answer);
            // Once it is in the user namespace, root of that could stop it, and make it do whatever it may do out here.
            let unreadable = prctl::set_dumpable(false).context("cannot become unreadable");
            let said = unreadable.and_then(|()| join(target, wanted)).and_then(|()| question());
            let (code, text) = match said {
                Ok(text) => (0, text),
                Err(error) => (1, message(&error)),
            };
            let _ = File::from(asked).write_all(text.as_bytes());
            leave(code)
        }
        ForkResult::Parent { child } => {
            drop(asked);
            let mut text = String::new();
            let read = File::from(answer).read_to_string(&mut text);
            let status = waitpid(child, None).context("cannot wait for the child")?;
            read.context("cannot read the answer")?;
            match status {
                WaitStatus::Exited(_, 0) => Ok(text),
                WaitStatus::Exited(..) => Err(anyhow::Error::msg(text)),
                _ => bail!("the child that asked there was killed"),
            }
        }
    }
}

#[expect(unsafe_code, reason = "a fork in a process with threads could find a lock held for ever")]
fn fork_one() -> nix::Result<ForkResult> {
    // SAFETY: the steps have no threads; a caller that has them asks only for what takes no lock.
    unsafe { fork() }
}

#[expect(unsafe_code, reason = "a child must not run the destructors of its parent")]
fn leave(code: i32) -> ! {
    // SAFETY: _exit ends the process and has no precondition.
    unsafe { libc::_exit(code) }
}
// ANCHOR_END: ask
