//! The bridge: a switch inside the kernel, into which each container's cable is plugged.
//!
//! It is the one thing here that the kernel does not end for us: the first container makes it,
//! the last one removes it, and if that one was killed, the next command does.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::addresses::{Addresses, Subnet, hardware};
use crate::netlink::Netlink;
use crate::{forwarding, others};

// ANCHOR: name
/// Its name: one bridge for all containers of this host.
pub(crate) const BRIDGE: &str = "coracle0";

/// What we take, in this order of preference, if the host has no other use for it.
const SUBNETS: [Subnet; 6] = [
    Subnet { network: Ipv4Addr::new(10, 200, 0, 0), prefix: 16 },
    Subnet { network: Ipv4Addr::new(10, 201, 0, 0), prefix: 16 },
    Subnet { network: Ipv4Addr::new(10, 202, 0, 0), prefix: 16 },
    Subnet { network: Ipv4Addr::new(172, 29, 0, 0), prefix: 16 },
    Subnet { network: Ipv4Addr::new(172, 30, 0, 0), prefix: 16 },
    Subnet { network: Ipv4Addr::new(192, 168, 200, 0), prefix: 24 },
];
// ANCHOR_END: name

// ANCHOR: bridge
/// Finds the bridge, or makes it, and sees to it that the host forwards. The lock on the
/// addresses keeps all others from doing the same, or the contrary, meanwhile.
pub(crate) fn find_or_make(_lock: &Addresses) -> Result<Subnet> {
    let netlink = Netlink::open()?;
    let subnet = match (netlink.link(BRIDGE)?, subnet_of_bridge()?) {
        (Some(_), Some(subnet)) => subnet,
        (Some(_), None) => {
            // Whoever made it was killed before it was complete.
            netlink.delete_link(BRIDGE)?;
            make(&netlink)?
        }
        (None, _) => make(&netlink)?,
    };
    forwarding::switch_on()?;
    Ok(subnet)
}

fn make(netlink: &Netlink) -> Result<Subnet> {
    let subnet = free_subnet()?;
    netlink.add_bridge(BRIDGE, hardware(subnet.gateway()), &forwarding::remember()?)?;
    // A container could otherwise tell the host where to send its IPv6 (CVE-2020-13401).
    set("ipv6", BRIDGE, "disable_ipv6")?;
    let bridge = netlink.link(BRIDGE)?.with_context(|| format!("the link {BRIDGE} has gone"))?;
    netlink.add_address(bridge.index, subnet.gateway(), subnet.prefix)?;
    Ok(subnet)
}

/// Removes the bridge and switches forwarding off again, if we had switched it on.
pub(crate) fn remove(_lock: &Addresses) -> Result<()> {
    let netlink = Netlink::open()?;
    let Some(bridge) = netlink.link(BRIDGE)? else { return Ok(()) };
    others::withdraw(&bridge.alias)?;
    forwarding::put_back(&bridge.alias)?;
    delete_without_waiting(&netlink)
}
// ANCHOR_END: bridge

// ANCHOR: remove
/// The link is gone within a few milliseconds, but whoever asks for that gets the answer only
/// after a grace period of some 30 ms, in which other processors may still look at it. Somebody
/// else may wait for the answer; where there is no `ip`, we do.
fn delete_without_waiting(netlink: &Netlink) -> Result<()> {
    let mut ip = Command::new("ip");
    ip.args(["link", "delete", BRIDGE]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Ok(mut child) = ip.spawn() {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(100) {
            if !is_there()? {
                return Ok(());
            }
            sleep(Duration::from_micros(300));
        }
        // Left alone any longer it might remove the bridge of the next one who makes one.
        if child.wait().is_ok_and(|status| status.success()) {
            return Ok(());
        }
    }
    netlink.delete_link(BRIDGE)
}

/// Whether there is a bridge. Netlink would wait for the lock that is held while it is removed;
/// this file asks for none.
pub(crate) fn is_there() -> Result<bool> {
    let file = "/proc/self/net/dev";
    let links = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    Ok(links.lines().any(|line| line.split(':').next().unwrap_or_default().trim() == BRIDGE))
}
// ANCHOR_END: remove

// ANCHOR: switch
/// Sets a switch of a link to 1 (`ip-sysctl` of the kernel's documentation). It goes with the
/// link. A kernel without IPv6 has nothing to switch.
pub(crate) fn set(family: &str, link: &str, switch: &str) -> Result<()> {
    let file = format!("/proc/sys/net/{family}/conf/{link}/{switch}");
    match fs::write(&file, "1") {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot write 1 to {file}")),
    }
}
// ANCHOR_END: switch

// ANCHOR: routes
/// The first subnet that overlaps with nothing that the host has a route to.
pub(crate) fn free_subnet() -> Result<Subnet> {
    let routes = routes()?;
    // The default route overlaps with everything, and so do its two halves, as some virtual
    // private networks write it.
    let taken = |subnet: &Subnet| routes.iter().any(|(_, to)| to.prefix > 1 && to.overlaps(*subnet));
    match SUBNETS.into_iter().find(|subnet| !taken(subnet)) {
        Some(subnet) => Ok(subnet),
        None => {
            let tried = SUBNETS.map(|subnet| format!("{}/{}", subnet.network, subnet.prefix));
            bail!("cannot find a free subnet: the host has routes to all of {}", tried.join(", "))
        }
    }
}

fn subnet_of_bridge() -> Result<Option<Subnet>> {
    Ok(routes()?.into_iter().find(|(link, _)| link == BRIDGE).map(|(_, subnet)| subnet))
}

/// The host's routes: the link, and what is behind it (`man 5 proc`, /proc/net/route).
fn routes() -> Result<Vec<(String, Subnet)>> {
    let file = "/proc/self/net/route";
    let table = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    Ok(table.lines().skip(1).filter_map(route).collect())
}

/// `eth0  0002A8C0  00000000  0001  0  0  0  00FFFFFF …`: the destination and the mask are
/// numbers whose bytes in memory are the address.
fn route(line: &str) -> Option<(String, Subnet)> {
    let words: Vec<_> = line.split_whitespace().collect();
    let number = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
    let (network, mask) = (number(1)?.to_ne_bytes(), number(7)?);
    Some((words.first()?.to_string(), Subnet { network: network.into(), prefix: mask.count_ones() as u8 }))
}
// ANCHOR_END: routes

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_read_from_the_kernels_table() {
        if cfg!(target_endian = "big") {
            return;
        }
        let line = "coracle0\t0000C80A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0";
        assert_eq!(route(line), Some(("coracle0".to_owned(), SUBNETS[0])));
        assert_eq!(route("Iface"), None);
    }
}
