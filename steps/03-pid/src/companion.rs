//! A helper of the host's that is no program of its own: a part of ours, in a process of its own.

use std::fs::File;
use std::io::{PipeWriter, Read, pipe};
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout};

use crate::engine::refuse_threads;
use crate::kernel::{close_all_but, fork, leave};

// ANCHOR: companion
/// A process that works as long as a pipe to it is open: the kernel closes the pipe when we end, however we end. It may
/// have threads, which its parent must not. Dropped, it is gone.
#[derive(Debug)]
pub struct Companion {
    child: Pid,
    leash: Option<PipeWriter>,
}

impl Companion {
    /// Starts it. `work` gets the descriptors, begins, and returns: what it has begun goes on until the pipe is closed.
    /// Nothing else of ours is open in it.
    ///
    /// # Errors
    /// This process has threads, or the kernel has no room for another one.
    pub fn start(kept: Vec<OwnedFd>, work: impl FnOnce(Vec<OwnedFd>)) -> Result<Self> {
        refuse_threads()?;
        let (mut end, leash) = pipe().context("cannot make a pipe")?;
        match fork().context("cannot fork")? {
            ForkResult::Parent { child } => Ok(Self { child, leash: Some(leash) }),
            ForkResult::Child => {
                // Nothing is told from here: an error ends it, and who waits for its work finds nobody.
                let mut numbers: Vec<_> = kept.iter().map(AsRawFd::as_raw_fd).collect();
                numbers.push(end.as_raw_fd());
                let quiet = || -> Result<()> {
                    prctl::set_dumpable(false)?;
                    let null = File::options().read(true).write(true).open("/dev/null")?;
                    dup2_stdin(&null).and(dup2_stdout(&null)).and(dup2_stderr(&null))?;
                    // Closed by its owner, who would otherwise close somebody else's later.
                    drop(null);
                    Ok(close_all_but(&numbers)?)
                };
                if quiet().is_err() {
                    leave(1);
                }
                work(kept);
                let _ = end.read(&mut [0]);
                leave(0)
            }
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.leash = None;
        let _ = waitpid(self.child, None);
    }
}
// ANCHOR_END: companion
