//! Behind the bridge: what the host does for one container.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use nix::unistd::Pid;
use step01_unshare::message;
use step03_pid::Companion;
use step04_mount::Volume;
use step05_userns::is_root;

use crate::addresses::{Addresses, Subnet, hardware};
use crate::bridge::{self, BRIDGE};
use crate::firewall::{Firewall, Rules};
use crate::folder::Folder;
use crate::link::Veth;
use crate::netlink::Netlink;
use crate::resolv::{self, Files, Resolver};
use crate::{NamesArgs, Published, forwarding, others, proxy, say};

// ANCHOR: bridged
/// The container's end of the cable.
const INSIDE: &str = "eth0";

/// A container with a cable into the bridge.
#[derive(Debug)]
pub(crate) struct Bridged {
    address: Ipv4Addr,
    subnet: Subnet,
    resolver: Resolver,
    pub(crate) published: Vec<Published>,
    /// The address is ours while this folder is. Gone only while we are dropped.
    lease: Option<Folder>,
    firewall: Option<Firewall>,
    /// For those who come by IPv6.
    proxy: Option<Companion>,
}

impl Bridged {
    /// Takes an address. The bridge is there from now on.
    pub(crate) fn new(nft: &Path, published: Vec<Published>) -> Result<Self> {
        // It starts while we look for an address.
        let firewall = Some(Firewall::start(&mut Command::new(nft))?);
        let addresses = Addresses::lock()?;
        let leased = bridge::find_or_make(&addresses)
            .and_then(|subnet| addresses.lease(subnet).map(|(address, lease)| (subnet, address, lease)));
        match leased {
            Ok((subnet, address, lease)) => {
                let resolver = resolv::behind_bridge(subnet.gateway());
                Ok(Self { address, subnet, resolver, published, lease: Some(lease), firewall, proxy: None })
            }
            Err(error) => {
                // What went wrong first is what the reader should know.
                let _ = tidy(addresses);
                Err(error)
            }
        }
    }

    /// The host's side: the cable, and the rules of the firewall for it.
    pub(crate) fn plug_in(&mut self, container: Pid) -> Result<()> {
        let netlink = Netlink::open()?;
        let bridge = netlink.link(BRIDGE)?.with_context(|| format!("the link {BRIDGE} has gone"))?;
        // At most 15 bytes are allowed, and a process id has at most 7 digits.
        let name = format!("coracle-{container}");
        netlink.add_veth(&Veth {
            outside: &name,
            bridge: bridge.index,
            inside: INSIDE,
            hardware: hardware(self.address),
            container,
        })?;
        bridge::set("ipv6", &name, "disable_ipv6")?;
        if !self.published.is_empty() {
            netlink.allow_hairpin(&name)?;
        }
        if !self.published.is_empty() || self.resolver.behind_gateway.is_some() {
            // The host's own loopback is then one end of a connection through the bridge.
            bridge::set("ipv4", BRIDGE, "route_localnet")?;
        }
        let rules = Rules {
            only_for_us: &forwarding::only_for_us(&bridge.alias),
            name: &name,
            address: self.address,
            subnet: self.subnet,
            published: &self.published,
            resolver: self.resolver.behind_gateway,
        };
        let firewall = self.firewall.as_mut().context("nft has ended")?;
        let chains = firewall.load(&rules)?;
        let address = self.address;
        let target = |port: &Published| port.host.is_ipv6().then(|| (address, port.container).into());
        self.proxy = proxy::start(&mut self.published, target)?;
        self.published.iter().try_for_each(Published::send_away)?;
        others::ask_to_let_through(firewall, &chains, &bridge)
    }

    /// The container's side: its end of the cable, and the way out.
    pub(crate) fn configure(&self, netlink: &Netlink) -> Result<()> {
        let link = netlink.link(INSIDE)?.with_context(|| format!("there is no link {INSIDE}"))?;
        netlink.add_address(link.index, self.address, self.subnet.prefix)?;
        netlink.up(INSIDE)?;
        netlink.add_default_route(self.subnet.gateway())
    }
}

impl Drop for Bridged {
    fn drop(&mut self) {
        self.proxy = None;
        self.firewall = None;
        // The cable goes with the container's namespace. The address is given back under the
        // lock, so that nobody takes it while the bridge is removed.
        let given_back = Addresses::lock().and_then(|addresses| {
            self.lease = None;
            tidy(addresses)
        });
        if let Err(error) = given_back {
            say(&message(&error));
        }
    }
}

/// Whoever finds that nobody has an address any more removes the bridge.
fn tidy(addresses: Addresses) -> Result<()> {
    if addresses.in_use()? {
        return Ok(());
    }
    bridge::remove(&addresses)?;
    addresses.remove();
    Ok(())
}

/// The same for those who were killed and could not. What is left of another host is its
/// folders: a bridge of its own ended with it, or its next command finds that.
pub(crate) fn sweep() -> Result<()> {
    // Root's bridge is not for an ordinary user to judge, whose own folder has no address of it.
    if !is_root() {
        return Ok(());
    }
    for addresses in Addresses::of_others()? {
        if !addresses.in_use()? {
            addresses.remove();
        }
    }
    if Addresses::are_there()? || bridge::is_there()? { tidy(Addresses::lock()?) } else { Ok(()) }
}
// ANCHOR_END: bridged

// ANCHOR: files
impl Bridged {
    /// The files of /etc, which go with the address.
    pub(crate) fn write_files(&self, name: &str, names: &NamesArgs) -> Result<Vec<Volume>> {
        let folder = self.lease.as_ref().context("the address has been given back")?;
        let files = Files::new(name, self.resolver.text.clone()).with_address(self.address);
        names.change(files, Some(self.subnet.gateway()))?.write(&folder.path)
    }
}
// ANCHOR_END: files
