//! The network of a container that runs: the kernel is asked, in there.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;

use anyhow::Result;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::unistd::Pid;
use serde_json::{Value, json};
use step01_unshare::{Namespaces, ask};

use super::ports;
use crate::records::Record;

/// What it has there, as far as there is a container at all.
pub(super) fn settings(record: &Record, mode: &str, exposed: &BTreeSet<String>) -> Value {
    let has_own = !matches!(mode, "none" | "host") && !mode.starts_with("container:");
    let pid = record.state.open_pid().filter(|_| has_own);
    // There are no ports where nothing runs, and none of its own in a network of somebody else's.
    let none = BTreeSet::new();
    let ports = ports::published(if pid.is_some() { exposed } else { &none }, &record.state.ports);
    let seen = pid.and_then(|pid| ask(Pid::from_raw(pid), Namespaces::NET, look).ok()).unwrap_or_default();
    let seen: Vec<&str> = seen.split(' ').collect();
    let part = |index: usize| seen.get(index).copied().unwrap_or_default();
    let length = |index: usize| part(index).parse::<u8>().unwrap_or(0);
    let mut endpoint = json!({
        "EndpointID": "",
        "Gateway": part(3),
        "GlobalIPv6Address": part(4),
        "GlobalIPv6PrefixLen": length(5),
        "IPAddress": part(0),
        "IPPrefixLen": length(1),
        "IPv6Gateway": "",
        "MacAddress": part(2),
    });
    let mut settings = json!({
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": ports,
        "SandboxKey": record.state.running_pid().map(|pid| format!("/proc/{pid}/ns/net")).unwrap_or_default(),
        "SecondaryIPAddresses": [],
        "SecondaryIPv6Addresses": [],
    });
    merge(&mut settings, endpoint.clone());
    merge(
        &mut endpoint,
        json!({"NetworkID": "", "Aliases": [], "Links": [], "DriverOpts": {}, "IPAMConfig": {}}),
    );
    let name = if mode == "default" { "bridge" } else { mode };
    merge(&mut settings, json!({"Networks": {name: endpoint}}));
    settings
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

// ANCHOR: look
/// Asked by a child in the container's network namespace: the first link that is no loopback, with its address, the
/// length of its prefix, its hardware address, the gateway, and what it has of IPv6.
fn look() -> Result<String> {
    let links: Vec<_> =
        getifaddrs()?.filter(|link| !link.flags.contains(InterfaceFlags::IFF_LOOPBACK)).collect();
    let addresses = links.iter().filter_map(|link| link.address.as_ref());
    let hardware = addresses.clone().filter_map(|address| address.as_link_addr()?.addr()).next();
    let hardware = hardware.map(|bytes| bytes.map(|byte| format!("{byte:02x}")).join(":"));
    let v4 = links.iter().find_map(|link| {
        let mask = link.netmask?.as_sockaddr_in()?.ip();
        Some((link.address?.as_sockaddr_in()?.ip(), mask.to_bits().count_ones()))
    });
    let v6 = links.iter().find_map(|link| {
        let mask = link.netmask?.as_sockaddr_in6()?.ip();
        let address = link.address?.as_sockaddr_in6()?.ip();
        (!address.is_unicast_link_local()).then(|| (address, mask.to_bits().count_ones()))
    });
    let split = |pair: Option<(String, u32)>| {
        pair.map_or_else(|| " ".to_owned(), |(address, length)| format!("{address} {length}"))
    };
    let v4 = split(v4.map(|(address, length)| (address.to_string(), length)));
    let v6 = split(v6.map(|(address, length)| (address.to_string(), length)));
    Ok(format!("{v4} {} {} {v6}", hardware.unwrap_or_default(), gateway().unwrap_or_default()))
}
// ANCHOR_END: look

/// The way out: the route to everywhere, as a number in the machine's own order of bytes (`man 5 proc_pid_net`).
fn gateway() -> Option<String> {
    let table = fs::read_to_string("/proc/net/route").ok()?;
    let routes = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut ways = routes.filter(|route| route.get(1) == Some(&"00000000"));
    let number = u32::from_str_radix(ways.next()?.get(2)?, 16).ok()?;
    Some(Ipv4Addr::from(number.to_ne_bytes()).to_string())
}
