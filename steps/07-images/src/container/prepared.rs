//! An ordinary user's network that is made before its container.
//!
//! Who shares processes or System V names with another container enters that one's user namespace, and has a network of
//! his own. pasta must stay outside, where the host's network is; it enters both namespaces by itself. By the number of
//! our process it could not: what waits to come among the processes of strangers is closed to everybody.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use step01_unshare::Namespaces;
use step03_pid::Companion;
use step06_net::Prepared;

use super::console::{receive, send};
use super::sharing::Donor;
use crate::commands::{Asking, RunArgs};
use crate::records::{Recipe, first_child};

// ANCHOR: prepared
impl Donor {
    /// Makes a network that belongs to the user namespace of this container.
    ///
    /// # Errors
    /// The kernel has no room for another one, or the container has ended.
    pub(super) fn network(&self) -> Result<Prepared> {
        let is_apart = self.is_apart(Namespaces::USER)?;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
            .context("cannot make a socket pair")?;
        let process = self.process.try_clone().context("cannot duplicate a descriptor")?;
        // Whoever enters a user namespace cannot go back: so somebody else does, and hands the network out.
        let child = Companion::start(vec![theirs, process], move |kept| drop(make(&kept, is_apart)))?;
        let network = receive(&ours).context("cannot make a network that belongs to the other container")?;
        drop(child);
        let user = is_apart.then(|| PathBuf::from(format!("/proc/{}/ns/user", self.shown())));
        Ok(Prepared { network, user })
    }

    /// A process of it that shows its namespaces to everybody who may see it. Our init does not, and pasta gives up
    /// the rights that we may have over it.
    fn shown(&self) -> i32 {
        let words = Recipe::read(&self.directory).map(|recipe| recipe.words);
        let run = words.and_then(|words| Ok(Asking::<RunArgs>::read(&words)?));
        let has_init = run.is_ok_and(|run| run.init || run.sharing.pid.is_some());
        first_child(self.number).filter(|_| has_init).unwrap_or(self.number)
    }
}

fn make(kept: &[OwnedFd], is_apart: bool) -> Result<()> {
    let [line, process] = kept else { bail!("a descriptor is missing") };
    if is_apart {
        setns(process, Namespaces::USER.flags())?;
    }
    unshare(CloneFlags::CLONE_NEWNET)?;
    send(line, &File::open("/proc/self/ns/net")?.into())
}
// ANCHOR_END: prepared
