//! Entering: `setns` puts the calling process into namespaces that somebody else made.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sched::setns;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe};

use crate::{KINDS, Kind, Namespaces, inode, message};

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
    let new = wanted.without(shared_with(target, wanted)?);
    if new.is_empty() {
        return Ok(());
    }
    let process = pidfd_open(target).with_context(|| format!("cannot open process {target}"))?;
    setns(process, new.flags()).with_context(|| {
        let names: Vec<_> = new.kinds().map(|kind| kind.name).collect();
        format!("cannot enter the namespaces ({}) of process {target}", names.join(", "))
    })
}

fn shared_with(target: Pid, wanted: Namespaces) -> Result<Namespaces> {
    let theirs = PathBuf::from(format!("/proc/{target}"));
    let mut shared = Namespaces::empty();
    for kind in wanted.kinds() {
        if inode(&theirs, kind)? == inode(Path::new("/proc/self"), kind)? {
            shared = shared | kind.flag;
        }
    }
    Ok(shared)
}
// ANCHOR_END: join

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
            let said = join(target, wanted).and_then(|()| question());
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
                nix::sys::wait::WaitStatus::Exited(_, 0) => Ok(text),
                _ => Err(anyhow::Error::msg(text)),
            }
        }
    }
}

/// All kinds that this kernel has: a file of /proc/self/ns for each.
pub fn all_kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| Path::new("/proc/self/ns").join(kind.name).exists())
}

#[expect(unsafe_code, reason = "nix has no pidfd_open")]
fn pidfd_open(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: the call takes two integers and returns a new descriptor, which nobody else owns.
    unsafe {
        let fd = Errno::result(libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0))?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
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
