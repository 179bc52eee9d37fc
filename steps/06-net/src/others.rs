//! Others who have a say in what the host forwards: Docker, or the administrator.
//!
//! Each table of the firewall can drop what all others let through, and Docker's one drops
//! whatever it does not know. It leaves a chain to people for rules of their own.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::bridge::BRIDGE;
use crate::firewall::Firewall;
use crate::helper::program;
use crate::link::Link;
use crate::netlink::Netlink;
use crate::say;

// ANCHOR: others
const DOCKER: &str = "ip filter DOCKER-USER";
/// What the bridge's alias says while rules of ours are in Docker's chain.
const REMEMBERED: &str = "; rules in DOCKER-USER";

/// Sees to it that nobody drops what goes through the bridge: in Docker's chain for such rules,
/// or by saying so. `chains` is what `nft list chains` has said.
pub(crate) fn ask_to_let_through(firewall: &mut Firewall, chains: &str, bridge: &Link) -> Result<()> {
    let Some(drops) = who_drops(chains) else { return say_if_legacy_drops() };
    let has_docker = chains.contains("\tchain DOCKER-USER {");
    let chain = if has_docker && drops == "ip filter FORWARD" { DOCKER } else { &drops };
    if firewall.list(chain)?.contains(BRIDGE) {
        return Ok(());
    }
    let rule = |direction: &str| format!("insert rule {chain} {direction} \"{BRIDGE}\" counter accept");
    let rules = format!("{}; {}", rule("iifname"), rule("oifname"));
    if chain != DOCKER {
        say(&format!("connections of the container will hang: {drops} drops them\nsudo nft '{rules}'"));
        return Ok(());
    }
    // In this order: whatever happens between the two, nothing is forgotten.
    Netlink::open()?.set_alias(BRIDGE, &format!("{}{REMEMBERED}", bridge.alias))?;
    firewall.say(&rules)?;
    firewall.list(chain)?;
    Ok(())
}

/// Takes our rules out of Docker's chain, if the bridge's alias says that there are any.
pub(crate) fn withdraw(alias: &str) -> Result<()> {
    if !alias.ends_with(REMEMBERED) {
        return Ok(());
    }
    let rules = nft(&format!("list chain {DOCKER}"))?;
    let ours = rules.lines().filter(|line| line.contains(BRIDGE));
    let handles = ours.filter_map(|line| line.rsplit_once("# handle ").map(|(_, handle)| handle.trim()));
    let deletions = handles.map(|handle| format!("delete rule {DOCKER} handle {handle};"));
    match deletions.collect::<String>().as_str() {
        "" => Ok(()),
        deletions => nft(deletions).map(drop),
    }
}
// ANCHOR_END: others

// ANCHOR: who
/// The first chain that drops what it does not know of what is forwarded: `ip filter FORWARD`.
fn who_drops(chains: &str) -> Option<String> {
    let (mut table, mut chain) = ("", "");
    for line in chains.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("table ") {
            table = name.trim_end_matches(" {");
        } else if let Some(name) = line.strip_prefix("chain ") {
            chain = name.trim_end_matches(" {");
        } else if line.starts_with("type filter hook forward ") && line.ends_with("policy drop;") {
            let concerns_us = ["ip ", "inet "].iter().any(|family| table.starts_with(family));
            if concerns_us {
                return Some(format!("{table} {chain}"));
            }
        }
    }
    None
}

/// The tables of the old iptables are another firewall beside nftables, which does not list them.
fn say_if_legacy_drops() -> Result<()> {
    let tables = fs::read_to_string("/proc/self/net/ip_tables_names").unwrap_or_default();
    let Some(iptables) = program("iptables-legacy").filter(|_| tables.lines().any(|name| name == "filter"))
    else {
        return Ok(());
    };
    let output = Command::new(iptables).args(["--wait", "--list-rules"]).stdin(Stdio::null()).output();
    let output = output.context("cannot run iptables-legacy")?;
    let rules = String::from_utf8_lossy(&output.stdout);
    if rules.lines().any(|line| line == "-P FORWARD DROP") && !rules.contains(BRIDGE) {
        let way_out =
            ["-i", "-o"].map(|side| format!("sudo iptables-legacy -I FORWARD {side} {BRIDGE} -j ACCEPT"));
        say(&format!(
            "connections of the container will hang: FORWARD of iptables-legacy drops them\n{}",
            way_out.join("; ")
        ));
    }
    Ok(())
}

fn nft(words: &str) -> Result<String> {
    let nft = program("nft").context("nft is missing")?;
    let output = Command::new(nft).args(["--handle", words]).stdin(Stdio::null()).output();
    let output = output.context("cannot run nft")?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("cannot change the firewall: nft: {}", error.lines().next().unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
// ANCHOR_END: who

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dropping_chains_of_what_is_forwarded_count() {
        let chains = |table: &str, hook: &str, policy: &str| {
            format!(
                "table {table} {{\n\tchain c {{\n\t\ttype filter hook {hook} priority filter; policy {policy};\n\t}}\n}}\n"
            )
        };
        assert_eq!(who_drops(&chains("ip filter", "forward", "drop")).as_deref(), Some("ip filter c"));
        assert_eq!(who_drops(&chains("inet mine", "forward", "drop")).as_deref(), Some("inet mine c"));
        assert_eq!(who_drops(&chains("ip6 filter", "forward", "drop")), None);
        assert_eq!(who_drops(&chains("ip filter", "forward", "accept")), None);
        assert_eq!(who_drops(&chains("ip filter", "input", "drop")), None);
        assert_eq!(who_drops(""), None);
    }
}
