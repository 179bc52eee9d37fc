//! The wall of this step.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sched::setns;
use nix::unistd::Pid;
use step01_unshare::{Namespaces, message};
use step03_pid::{Companion, Isolation};
use step04_mount::Volume;

use crate::bridged::Bridged;
use crate::folder::Folder;
use crate::netlink::Netlink;
use crate::pasta::{self, Own, Pasta, Whose};
use crate::resolv::{self, Files};
use crate::{NamesArgs, NetArgs, Prepared, Publish, Published, bridged, folder, hold, proxy, say};

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
        match &self.way {
            Way::Host | Way::Joined(_) => Namespaces::empty(),
            Way::Pasta(connected) if connected.prepared.is_some() => Namespaces::empty(),
            _ => Namespaces::NET,
        }
    }

    fn on_host(&mut self, container: Pid) -> Result<()> {
        match &mut self.way {
            Way::Host | Way::Loopback | Way::Joined(_) => Ok(()),
            Way::Bridge(bridged) => bridged.plug_in(container),
            // What was prepared is connected already.
            Way::Pasta(connected) if connected.prepared.is_some() => Ok(()),
            Way::Pasta(connected) => connected.start(Some(container)),
        }
    }

    fn in_container(&self) -> Result<()> {
        match &self.way {
            Way::Host => return Ok(()),
            Way::Joined(process) => {
                return setns(process, Namespaces::NET.flags())
                    .context("cannot enter the network of the other container");
            }
            Way::Pasta(Connected { prepared: Some(prepared), .. }) => {
                setns(&prepared.network, Namespaces::NET.flags())
                    .context("cannot enter the network that was made")?;
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
        let bridged = Bridged::new(nft, hold::hold(publish)?)?;
        let files = bridged.write_files(name, names)?;
        Ok(Self { way: Way::Bridge(bridged), files, _folder: None })
    }

    /// Connected by pasta, whose program is at `pasta`. Unless that was asked for, it may fail. A
    /// network that is there already is connected here and now.
    ///
    /// # Errors
    /// No port is free, or the files for /etc cannot be written.
    pub fn pasta(pasta: PathBuf, name: &str, asked: &NetArgs, prepared: Option<Prepared>) -> Result<Self> {
        let mut published = hold::hold(&asked.publish)?;
        // They are free, and now pasta shall have them. The container's side would otherwise
        // hold copies until it runs its command.
        let twins: Vec<_> = published.iter().map(|port| port.is_twin(&published)).collect();
        let for_pasta = published.iter_mut().zip(twins).filter(|(_, is_twin)| !is_twin);
        for_pasta.for_each(|(port, _)| port.release());
        let own = Own::find();
        let files = Files::new(name, resolv::at(pasta::RESOLVER)).with_address(Ipv4Addr::LOCALHOST);
        let files = asked.names.change(files, own.as_ref().map(|own| own.host))?;
        let mut net = Self::without_address(&files, |folder| {
            Way::Pasta(Connected {
                program: pasta,
                log: folder.join("pasta.log"),
                own,
                published,
                is_asked_for: asked.is_asked_for(),
                prepared,
                pasta: None,
                proxy: None,
            })
        })?;
        match &mut net.way {
            Way::Pasta(connected) if connected.prepared.is_some() => connected.start(None)?,
            _ => {}
        }
        Ok(net)
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
    own: Option<Own>,
    published: Vec<Published>,
    is_asked_for: bool,
    prepared: Option<Prepared>,
    pasta: Option<Pasta>,
    /// For those who come by IPv6.
    proxy: Option<Companion>,
}

impl Connected {
    /// `container` is a process of it, unless its network was prepared.
    fn start(&mut self, container: Option<Pid>) -> Result<()> {
        let whose = match (&self.prepared, container) {
            (Some(prepared), _) => Whose::Prepared(prepared),
            (None, container) => Whose::Process(container.context("there is no container")?),
        };
        match Pasta::start(&self.program, whose, self.own.as_ref(), &self.published, &self.log) {
            Err(error) if !self.is_asked_for => {
                say(&format!("only the loopback is connected: {}", message(&error)));
                return Ok(());
            }
            other => self.pasta = Some(other?),
        }
        // What pasta does not hear is what we still hold.
        let target = |port: &Published| {
            port.held.is_some().then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port.host.port())))
        };
        self.proxy = proxy::start(&mut self.published, target)?;
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
