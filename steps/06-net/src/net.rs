//! The wall of this step.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sched::setns;
use nix::unistd::Pid;
use step01_unshare::{Namespaces, message};
use step03_pid::Isolation;
use step04_mount::Volume;

use crate::bridged::Bridged;
use crate::folder::Folder;
use crate::netlink::Netlink;
use crate::pasta::{self, Pasta};
use crate::resolv::{self, Files};
use crate::{NamesArgs, NetArgs, Publish, Published, bridged, folder, ports, say};

// ANCHOR: net
/// A network of the container's own (`man 7 network_namespaces`).
#[derive(Debug)]
pub struct Net {
    way: Way,
    files: Vec<Volume>,
    /// Where the files are, unless they are with the address of a bridged one.
    _folder: Option<Folder>,
}

#[derive(Debug)]
enum Way {
    Host,
    Loopback,
    Bridge(Bridged),
    Pasta(Connected),
    /// That of another container, whose process this descriptor stands for.
    Joined(OwnedFd),
}

impl Isolation for Net {
    fn namespaces(&self) -> Namespaces {
        match self.way {
            Way::Host | Way::Joined(_) => Namespaces::empty(),
            _ => Namespaces::NET,
        }
    }

    fn on_host(&mut self, container: Pid) -> Result<()> {
        match &mut self.way {
            Way::Host | Way::Loopback | Way::Joined(_) => Ok(()),
            Way::Bridge(bridged) => bridged.plug_in(container),
            Way::Pasta(connected) => connected.start(container),
        }
    }

    fn in_container(&self) -> Result<()> {
        match &self.way {
            Way::Host => return Ok(()),
            Way::Joined(process) => {
                return setns(process, Namespaces::NET.flags())
                    .context("cannot enter the network of the other container");
            }
            _ => {}
        }
        let netlink = Netlink::open()?;
        netlink.up("lo")?;
        match &self.way {
            Way::Bridge(bridged) => bridged.configure(&netlink),
            // pasta has configured the rest.
            _ => Ok(()),
        }
    }
}
// ANCHOR_END: net

// ANCHOR: ways
impl Net {
    /// The host's network, and no wall at all.
    ///
    /// # Errors
    /// The files for /etc cannot be written.
    pub fn host(name: &str, names: &NamesArgs) -> Result<Self> {
        let here = Some(Ipv4Addr::LOCALHOST);
        Self::without_address(&names.change(resolv::same_as_host(name), here)?, |_| Way::Host)
    }

    /// Nothing but a loopback.
    ///
    /// # Errors
    /// The files for /etc cannot be written.
    pub fn loopback(name: &str, names: &NamesArgs) -> Result<Self> {
        let files = Files::new(name, String::new()).with_address(Ipv4Addr::LOCALHOST);
        Self::without_address(&names.change(files, None)?, |_| Way::Loopback)
    }

    /// The network of another container, with its files. `process` is one of its processes, as
    /// `man 2 pidfd_open` opens it: a number could belong to somebody else by now.
    pub fn joined(process: OwnedFd, files: Vec<Volume>) -> Self {
        Self { way: Way::Joined(process), files, _folder: None }
    }

    /// A cable into the bridge of this host, which is made if it is not there. `nft` is where
    /// that program is.
    ///
    /// # Errors
    /// No address or port is free, or the kernel refuses.
    pub fn bridge(nft: &Path, name: &str, publish: &[Publish], names: &NamesArgs) -> Result<Self> {
        let bridged = Bridged::new(nft, ports::hold(publish)?)?;
        let files = bridged.write_files(name, names)?;
        Ok(Self { way: Way::Bridge(bridged), files, _folder: None })
    }

    /// Connected by pasta, whose program is at `pasta`. Unless that was asked for, it may fail.
    ///
    /// # Errors
    /// No port is free, or the files for /etc cannot be written.
    pub fn pasta(pasta: PathBuf, name: &str, asked: &NetArgs) -> Result<Self> {
        let mut published = ports::hold(&asked.publish)?;
        // They are free, and now pasta shall have them. The container's side would otherwise
        // hold copies until it runs its command.
        published.iter_mut().for_each(Published::release);
        let files = Files::new(name, resolv::at(pasta::RESOLVER)).with_address(Ipv4Addr::LOCALHOST);
        Self::without_address(&asked.names.change(files, None)?, |folder| {
            let log = folder.join("pasta.log");
            let is_asked_for = asked.is_asked_for();
            Way::Pasta(Connected { program: pasta, log, published, is_asked_for, pasta: None })
        })
    }

    fn without_address(files: &Files, way: impl FnOnce(&Path) -> Way) -> Result<Self> {
        let folder = folder::of_this_process()?;
        Ok(Self { way: way(&folder.path), files: files.write(&folder.path)?, _folder: Some(folder) })
    }

    /// The files that say who is who, to be mounted over those of the root file system. They go
    /// with this value.
    pub fn files(&self) -> &[Volume] {
        &self.files
    }

    /// The ports of the host that lead to the container.
    pub fn published(&self) -> &[Published] {
        match &self.way {
            Way::Bridge(bridged) => &bridged.published,
            Way::Pasta(connected) => &connected.published,
            Way::Host | Way::Loopback | Way::Joined(_) => &[],
        }
    }
}
// ANCHOR_END: ways

// ANCHOR: connected
/// Connected by pasta.
#[derive(Debug)]
struct Connected {
    program: PathBuf,
    log: PathBuf,
    published: Vec<Published>,
    is_asked_for: bool,
    pasta: Option<Pasta>,
}

impl Connected {
    fn start(&mut self, container: Pid) -> Result<()> {
        match Pasta::start(&self.program, container, &self.published, &self.log) {
            Err(error) if !self.is_asked_for => {
                say(&format!("only the loopback is connected: {}", message(&error)));
            }
            other => self.pasta = Some(other?),
        }
        Ok(())
    }
}
// ANCHOR_END: connected

// ANCHOR: sweep
/// Removes what commands that were killed have left on the host: every command that begins does
/// so first.
///
/// # Errors
/// It is there and cannot be removed.
pub fn sweep() -> Result<()> {
    folder::sweep()?;
    bridged::sweep()
}
// ANCHOR_END: sweep
