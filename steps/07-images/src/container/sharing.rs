//! Namespaces that are not the container's own: the host's, or another container's.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use nix::sched::setns;
use nix::sys::prctl;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use step01_unshare::{KINDS, Namespaces, inode};
use step02_uts::Uts;
use step03_pid::Isolation;
use step04_mount::{Entry, Root, Tmpfs, What};
use step05_userns::{User, is_root};

use super::Asked;
use crate::commands::{Connection, Sharing};
use crate::records::Containers;

// ANCHOR: donor
/// Another container that runs, and into whose namespaces one can come.
#[derive(Debug)]
pub(super) struct Donor {
    /// Stands for its first process, whatever happens to the number (`man 2 pidfd_open`).
    pub(super) process: OwnedFd,
    /// Where it keeps its files.
    pub(super) directory: PathBuf,
    pub(super) number: i32,
}

impl Donor {
    /// Finds it; `what` is for the message.
    pub(super) fn find(state: &Path, name: &str, what: &str) -> Result<Self> {
        let record = Containers::open(state)?.find(name)?;
        let dead = || format!("cannot join {what} of a non running container: {}", record.id);
        let number = record.state.open_pid().with_context(dead)?;
        let pid = Pid::from_raw(number).with_context(dead)?;
        let process = pidfd_open(pid, PidfdFlags::empty()).with_context(dead)?;
        // Now that we hold it, it must still be the one of the record.
        record.state.running_pid().with_context(dead)?;
        Ok(Self { process, directory: state.join("containers").join(&record.id), number })
    }

    /// Whether a namespace of its is another one than ours.
    pub(super) fn is_apart(&self, kind: Namespaces) -> Result<bool> {
        let theirs = PathBuf::from(format!("/proc/{}", self.number));
        let kind = KINDS.iter().find(|known| known.flag == kind).context("there is no such namespace")?;
        Ok(inode(&theirs, kind)? != inode(Path::new("/proc/self"), kind)?)
    }
}
// ANCHOR_END: donor

/// Its names: of the uts namespace, and those of System V and POSIX.
#[derive(Debug)]
pub struct Names {
    uts: Option<Uts>,
    namespaces: Namespaces,
    joined: Option<OwnedFd>,
}

impl Isolation for Names {
    fn namespaces(&self) -> Namespaces {
        self.namespaces
    }

    fn in_container(&self) -> Result<()> {
        if let Some(process) = &self.joined {
            setns(process, Namespaces::IPC.flags())
                .context("cannot enter the ipc namespace of the other container")?;
        }
        self.uts.as_ref().map_or(Ok(()), Uts::set_names)
    }
}

/// Its process tree.
#[derive(Debug)]
pub enum Processes {
    /// Its own.
    Own,
    /// The host's.
    Host,
    /// Another container's: only a child is born there, so the command becomes one (`man 2 setns`).
    Joined(OwnedFd),
}

impl Isolation for Processes {
    fn namespaces(&self) -> Namespaces {
        match self {
            Self::Own => Namespaces::PID,
            _ => Namespaces::empty(),
        }
    }

    fn in_container(&self) -> Result<()> {
        let Self::Joined(process) = self else { return Ok(()) };
        // What is not yet one of them is none of their business: nobody there may trace it (CVE-2016-9962).
        prctl::set_dumpable(false).context("cannot become unreadable")?;
        setns(process, Namespaces::PID.flags()).context("cannot enter the processes of the other container")
    }
}

impl Asked {
    // ANCHOR: sharing
    /// The user namespace; none for root, whose ids are those of the host. An ordinary user's containers have one each;
    /// who shares something with another container enters that one's, since it owns what is shared.
    ///
    /// # Errors
    /// The other container does not run.
    pub fn user(&self) -> Result<Option<User>> {
        let Some(donor) = self.donor_of_user()? else { return Ok(self.user.clone()) };
        if donor.is_apart(Namespaces::USER)? {
            prctl::set_dumpable(false).context("cannot become unreadable")?;
            setns(&donor.process, Namespaces::USER.flags())
                .context("cannot enter the user namespace of the other container")?;
        }
        Ok(None)
    }

    /// Host name and domain name, and the names of System V and POSIX.
    ///
    /// # Errors
    /// The other container does not run.
    pub fn names(&self) -> Result<Names> {
        let uts = Uts { hostname: Some(self.hostname()), domainname: self.run.network.domainname.clone() };
        let (uts, mut namespaces) = match self.run.sharing.uts {
            Some(Sharing::Host) => (None, Namespaces::empty()),
            _ => (Some(uts), Namespaces::UTS),
        };
        let mut joined = None;
        match &self.run.sharing.ipc {
            Some(Sharing::Host) => {}
            Some(Sharing::Container(other)) => {
                joined = Some(Donor::find(self.state_directory(), other, "IPC")?.process);
            }
            _ => namespaces = namespaces | Namespaces::IPC,
        }
        Ok(Names { uts, namespaces, joined })
    }

    /// The process tree.
    ///
    /// # Errors
    /// The other container does not run.
    pub fn processes(&self) -> Result<Processes> {
        Ok(match &self.run.sharing.pid {
            Some(Sharing::Host) => Processes::Host,
            Some(Sharing::Container(other)) => {
                Processes::Joined(Donor::find(self.state_directory(), other, "PID")?.process)
            }
            _ => Processes::Own,
        })
    }
    // ANCHOR_END: sharing

    /// For an ordinary user, the other container in whose user namespace this one is, if it shares something with one.
    pub(super) fn donor_of_user(&self) -> Result<Option<Donor>> {
        let others = [
            ("network", self.other_network()),
            ("PID", self.other(self.run.sharing.pid.as_ref())),
            ("IPC", self.other(self.run.sharing.ipc.as_ref())),
        ];
        let other = others.into_iter().find_map(|(what, name)| Some((what, name?)));
        let other = other.filter(|_| !is_root());
        other.map(|(what, name)| Donor::find(self.state_directory(), name, what)).transpose()
    }

    pub(super) fn has_processes_of_another(&self) -> bool {
        matches!(self.run.sharing.pid, Some(Sharing::Container(_)))
    }

    /// What of /proc and /dev follows from it.
    pub(super) fn share_mounts(&self, root: &mut Root) -> Result<()> {
        let at = |entry: &Entry, target: &str| entry.target == Path::new(target);
        let processes = match &self.run.sharing.pid {
            Some(Sharing::Host) if !is_root() => Some(What::ProcOfHost),
            // A new one would show those that we are among, and only our child is among the others.
            Some(Sharing::Container(other)) => {
                let process = Donor::find(self.state_directory(), other, "PID")?.process;
                Some(What::OfProcess(Rc::new(process), "/proc".into()))
            }
            _ => None,
        };
        if let Some(what) = processes
            && let Some(proc) = root.entries.iter_mut().find(|entry| at(entry, "/proc"))
        {
            proc.what = what;
        }
        let size = self.run.storage.shm_size.filter(|size| *size > 0).unwrap_or(64 << 20);
        let memory = match &self.run.sharing.ipc {
            Some(Sharing::Nothing) => None,
            Some(Sharing::Host) => Some(What::Bind("/dev/shm".into())),
            Some(Sharing::Container(other)) => {
                let process = Donor::find(self.state_directory(), other, "IPC")?.process;
                Some(What::OfProcess(Rc::new(process), "/dev/shm".into()))
            }
            _ => Some(What::Tmpfs(Tmpfs { size: Some(size), ..Tmpfs::default() })),
        };
        match memory {
            None => root.entries.retain(|entry| !at(entry, "/dev/shm")),
            Some(what) => {
                if let Some(shm) = root.entries.iter_mut().find(|entry| at(entry, "/dev/shm")) {
                    shm.what = what;
                }
            }
        }
        // Only who owns the ipc namespace may mount its queues.
        if self.run.sharing.ipc == Some(Sharing::Host) && !is_root() {
            root.entries.retain(|entry| !at(entry, "/dev/mqueue"));
        }
        Ok(())
    }

    fn other_network(&self) -> Option<&str> {
        match &self.run.network.network {
            Some(Connection::Container(other)) => Some(other),
            _ => None,
        }
    }

    fn other<'a>(&self, sharing: Option<&'a Sharing>) -> Option<&'a str> {
        match sharing {
            Some(Sharing::Container(other)) => Some(other),
            _ => None,
        }
    }
}
