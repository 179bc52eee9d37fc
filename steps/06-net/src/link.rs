//! Links, addresses and routes: one function for each thing that we ask of the kernel.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::unistd::Pid;

use crate::netlink::{ACKNOWLEDGE, CREATE, Message, Netlink, attribute, find};

// ANCHOR: veth
/// The two ends of a virtual cable (`man 4 veth`).
#[derive(Debug)]
pub(crate) struct Veth<'a> {
    /// The name of the host's end.
    pub(crate) outside: &'a str,
    /// The bridge that the host's end is plugged into, by number.
    pub(crate) bridge: u32,
    /// The name of the container's end.
    pub(crate) inside: &'a str,
    /// The hardware address of the container's end.
    pub(crate) hardware: [u8; 6],
    /// A process in the network namespace in which the container's end is born.
    pub(crate) container: Pid,
}

impl Netlink {
    /// Makes both ends at once. The far one is never in the host's namespace, so that there is no
    /// moment at which it could be seen, or left behind, there.
    pub(crate) fn add_veth(&self, veth: &Veth) -> Result<()> {
        let peer = [
            interface(0, 0),
            attribute(IFLA_IFNAME, &text(veth.inside)),
            attribute(IFLA_ADDRESS, &veth.hardware),
            attribute(IFLA_NET_NS_PID, &veth.container.as_raw().to_ne_bytes()),
        ];
        let body = [
            interface(0, IFF_UP),
            attribute(IFLA_IFNAME, &text(veth.outside)),
            attribute(IFLA_MASTER, &veth.bridge.to_ne_bytes()),
            link_info("veth", &attribute(VETH_INFO_PEER, &peer.concat())),
        ];
        self.tell(RTM_NEWLINK, CREATE, &body)
            .with_context(|| format!("cannot make the veth pair {}", veth.outside))
    }
    // ANCHOR_END: veth

    // ANCHOR: add_bridge
    /// Makes a bridge that is up. Its alias is a text of ours that the kernel keeps with it.
    pub(crate) fn add_bridge(&self, name: &str, hardware: [u8; 6], alias: &str) -> Result<()> {
        let body = [
            interface(0, IFF_UP),
            attribute(IFLA_IFNAME, &text(name)),
            // With one of its own it does not take that of its first port, and change with it.
            attribute(IFLA_ADDRESS, &hardware),
            link_info("bridge", &[]),
        ];
        self.tell(RTM_NEWLINK, CREATE, &body).with_context(|| format!("cannot make the bridge {name}"))?;
        self.set_alias(name, alias)
    }

    /// Writes the alias of a link: at most 255 bytes.
    pub(crate) fn set_alias(&self, name: &str, alias: &str) -> Result<()> {
        let body =
            [interface(0, 0), attribute(IFLA_IFNAME, &text(name)), attribute(IFLA_IFALIAS, alias.as_bytes())];
        self.tell(RTM_SETLINK, 0, &body).with_context(|| format!("cannot write the alias of {name}"))
    }
    // ANCHOR_END: add_bridge

    // ANCHOR: hairpin
    /// Lets a port of the bridge send back what came in by it: a container that reaches itself
    /// through the host.
    pub(crate) fn allow_hairpin(&self, name: &str) -> Result<()> {
        let info = [
            attribute(IFLA_INFO_SLAVE_KIND, &text("bridge")),
            attribute(IFLA_INFO_SLAVE_DATA, &attribute(IFLA_BRPORT_MODE, &[1])),
        ];
        let body =
            [interface(0, 0), attribute(IFLA_IFNAME, &text(name)), attribute(IFLA_LINKINFO, &info.concat())];
        // Without CREATE the type "new" changes what is there.
        self.tell(RTM_NEWLINK, 0, &body)
            .with_context(|| format!("cannot set up {name} as a port of the bridge"))
    }
    // ANCHOR_END: hairpin

    // ANCHOR: link
    /// The link with this name, or nothing.
    pub(crate) fn link(&self, name: &str) -> Result<Option<Link>> {
        let body = [interface(0, 0), attribute(IFLA_IFNAME, &text(name))];
        let message = Message { kind: RTM_GETLINK, flags: 0, body: body.concat() };
        let answer = match self.ask(&message) {
            Err(Errno::ENODEV) => return Ok(None),
            other => other.with_context(|| format!("cannot look at the link {name}"))?,
        };
        let (fixed, attributes) =
            answer.split_at_checked(INTERFACE).context("EBADMSG: a link is cut short")?;
        let index = fixed[4..].first_chunk().copied().map_or(0, u32::from_ne_bytes);
        let alias = find(attributes, IFLA_IFALIAS).unwrap_or_default();
        let alias = String::from_utf8_lossy(alias).trim_end_matches('\0').to_owned();
        Ok(Some(Link { index, alias }))
    }
    // ANCHOR_END: link

    // ANCHOR: configure
    /// Switches a link on.
    pub(crate) fn up(&self, name: &str) -> Result<()> {
        let body = [interface(0, IFF_UP), attribute(IFLA_IFNAME, &text(name))];
        self.tell(RTM_SETLINK, 0, &body).with_context(|| format!("cannot switch the link {name} on"))
    }

    /// Gives a link an address, and with it the route to its neighbours.
    pub(crate) fn add_address(&self, link: u32, address: Ipv4Addr, prefix: u8) -> Result<()> {
        // struct ifaddrmsg: family, prefix, flags, scope, link.
        let mut fixed = vec![libc::AF_INET as u8, prefix, 0, RT_SCOPE_UNIVERSE];
        fixed.extend(link.to_ne_bytes());
        let body =
            [fixed, attribute(IFA_LOCAL, &address.octets()), attribute(IFA_ADDRESS, &address.octets())];
        self.tell(RTM_NEWADDR, CREATE, &body)
            .with_context(|| format!("cannot add the address {address}/{prefix}"))
    }

    /// Sends everything without a better route to this neighbour.
    pub(crate) fn add_default_route(&self, gateway: Ipv4Addr) -> Result<()> {
        // struct rtmsg: family, lengths of destination and source, type of service, table,
        // protocol, scope, type; then 32 bits of flags. No destination: everywhere.
        let mut fixed = vec![libc::AF_INET as u8, 0, 0, 0];
        fixed.extend([RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST]);
        fixed.extend([0; 4]);
        let body = [fixed, attribute(RTA_GATEWAY, &gateway.octets())];
        self.tell(RTM_NEWROUTE, CREATE, &body)
            .with_context(|| format!("cannot add the default route through {gateway}"))
    }
    // ANCHOR_END: configure

    // ANCHOR: delete
    /// Removes a link. One that is gone already is no error.
    pub(crate) fn delete_link(&self, name: &str) -> Result<()> {
        let body = [interface(0, 0), attribute(IFLA_IFNAME, &text(name))];
        match self.tell(RTM_DELLINK, 0, &body) {
            Ok(()) | Err(Errno::ENODEV) => Ok(()),
            Err(errno) => Err(errno).with_context(|| format!("cannot remove the link {name}")),
        }
    }
}
// ANCHOR_END: delete

// ANCHOR: tell
impl Netlink {
    /// Asks for a change, and waits until it is made.
    fn tell(&self, kind: u16, flags: u16, body: &[Vec<u8>]) -> Result<(), Errno> {
        self.ask(&Message { kind, flags: flags | ACKNOWLEDGE, body: body.concat() }).map(drop)
    }
}
// ANCHOR_END: tell

// ANCHOR: parts
/// What we want to know about a link.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) alias: String,
}

/// struct ifinfomsg: family, padding, hardware type, index, flags, and which flags to change.
fn interface(index: u32, flags: u32) -> Vec<u8> {
    [[0; 4], index.to_ne_bytes(), flags.to_ne_bytes(), flags.to_ne_bytes()].concat()
}

fn link_info(kind: &str, data: &[u8]) -> Vec<u8> {
    let info = [attribute(IFLA_INFO_KIND, &text(kind)), attribute(IFLA_INFO_DATA, data)];
    attribute(IFLA_LINKINFO, &info.concat())
}

fn text(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}
// ANCHOR_END: parts

// ANCHOR: numbers
const INTERFACE: usize = 16;
const IFF_UP: u32 = libc::IFF_UP as u32;

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RTN_UNICAST: u8 = 1;
// linux/if_link.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_IFALIAS: u16 = 20;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_MODE: u16 = 4;
// linux/veth.h
const VETH_INFO_PEER: u16 = 1;
// linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
// ANCHOR_END: numbers
