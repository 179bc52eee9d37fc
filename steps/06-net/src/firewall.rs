//! The firewall: addresses are rewritten on the way out and on the way in, by nftables
//! (`man 8 nft`).

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::addresses::{Subnet, hardware};
use crate::bridge::BRIDGE;
use crate::helper::Helper;
use crate::ports::Published;

// ANCHOR: firewall
/// The package that it comes from.
pub(crate) const PACKAGE: &str = "nftables";

/// The rules of one container. They end with the process of `nft` that made them: it owns the
/// table, and the kernel drops a table whose owner is gone, also after kill -9. Meanwhile nobody
/// else can change it, and a reload of the host's own firewall does not flush it.
#[derive(Debug)]
pub(crate) struct Firewall(Helper);

impl Firewall {
    /// Starts `nft`, which needs some milliseconds before it listens.
    pub(crate) fn start(nft: &mut Command) -> Result<Self> {
        // Interactive, since `nft -f -` would end, and the table with it. All that it is told it
        // would write into a history, ~/.nft.history: nowhere is a home that it cannot write to.
        Ok(Self(Helper::start(nft.arg("--interactive").env("HOME", "/dev/null"), None)?))
    }

    /// Loads the rules, all or none. Returns all chains of the host as `nft list chains` has
    /// them, in which one sees who else has a say.
    pub(crate) fn load(&mut self, rules: &Rules) -> Result<String> {
        // In a conversation each line is complete, and a comment would go on to its end.
        let text = rules.text();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        self.say(&lines.collect::<Vec<_>>().join(" "))?;
        self.say("list chains")?;
        self.hear(&format!("table netdev {} {{\n", rules.name)).context("cannot load the firewall's rules")
    }

    /// The rules of a chain, which is given with its table: `ip filter FORWARD`.
    pub(crate) fn list(&mut self, chain: &str) -> Result<String> {
        self.say(&format!("list chain {chain}"))?;
        let (table, name) = chain.rsplit_once(' ').unwrap_or_default();
        self.hear(&format!("table {table} {{\n\tchain {name} {{\n"))
            .with_context(|| format!("cannot list the chain {chain}"))
    }

    /// One line of the conversation.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        self.0.say(&format!("{line}\n"))
    }

    /// nft says nothing of what has gone well: so we wait for the answer to a question that came
    /// after it, which is a table that begins like this.
    fn hear(&mut self, begin: &str) -> Result<String> {
        let is_complete =
            |text: &str| text.split_once(begin).is_some_and(|(_, table)| table.contains("\n}\n"));
        let heard =
            self.0.hear(&|text| is_complete(text) || text.contains("Error:") && text.ends_with('\n'))?;
        match heard.split_once("Error:") {
            Some((_, error)) => bail!("nft:{}", error.lines().next().unwrap_or_default()),
            None if is_complete(&heard) => Ok(heard),
            None => bail!("nft has ended: {}", heard.trim()),
        }
    }
}

impl Drop for Firewall {
    fn drop(&mut self) {
        // The rules are without effect at once; nft itself waits for the kernel some 15 ms more.
        self.0.let_go();
    }
}
// ANCHOR_END: firewall

// ANCHOR: what
/// What the rules are made from.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    /// The name of the host's end of the cable, and of the tables.
    pub(crate) name: &'a str,
    pub(crate) address: Ipv4Addr,
    pub(crate) subnet: Subnet,
    pub(crate) published: &'a [Published],
    /// A name server that listens on the host's loopback only.
    pub(crate) resolver: Option<Ipv4Addr>,
    /// Links from which the host forwards for our sake alone.
    pub(crate) only_for_us: &'a [String],
}
// ANCHOR_END: what

// ANCHOR: rules
impl Rules<'_> {
    fn text(&self) -> String {
        let Self { name, address, subnet, .. } = self;
        let (network, prefix) = (subnet.network, subnet.prefix);
        let hardware = hardware(*address).map(|byte| format!("{byte:02x}")).join(":");
        let (from_outside, from_host) = self.published();
        let (resolver, from_resolver) = self.resolver();
        let of_others = self.of_others();
        format!(
            r#"table ip {name} {{
                flags owner;
                # The bridge may route to 127.0.0.1, for the ports below: not for containers.
                chain raw {{
                    type filter hook prerouting priority raw;
                    iifname "{BRIDGE}" ip daddr 127.0.0.0/8 drop;
                }};
                # Who connects to a published port is sent on: from outside …
                chain prerouting {{
                    type nat hook prerouting priority dstnat;
                    {from_outside} {resolver}
                }};
                # … and from the host itself.
                chain output {{
                    type nat hook output priority -100;
                    {from_host}
                }};
                # A resolver of the host answers the host only.
                chain input {{
                    type nat hook input priority 100;
                    {from_resolver}
                }};
                # From outside nothing else comes in, although the host forwards.
                chain forward {{
                    type filter hook forward priority filter;
                    ip daddr {address} iifname != "{BRIDGE}" ct state new ct status & dnat == 0 drop;
                    {of_others}
                }};
                # Out there nobody knows our addresses: they see the host's. The same for who
                # would otherwise be answered past the host: its loopback, and neighbours.
                chain postrouting {{
                    type nat hook postrouting priority srcnat;
                    ip saddr {address} oifname != "{BRIDGE}" masquerade;
                    ip daddr {address} ct status dnat ip saddr {{ 127.0.0.0/8, {network}/{prefix} }} masquerade;
                }};
            }};
            # A container speaks with its own addresses, in IPv4, and in no other way.
            table netdev {name} {{
                flags owner;
                chain ingress {{
                    type filter hook ingress device "{name}" priority 0;
                    ether saddr != {hardware} drop;
                    ether type arp arp saddr ip {{ 0.0.0.0, {address} }} accept;
                    ip saddr {address} accept;
                    drop;
                }};
            }};"#
        )
    }
    // ANCHOR_END: rules

    // ANCHOR: published
    /// Where the host forwards for our sake alone, it does so to us alone.
    fn of_others(&self) -> String {
        if self.only_for_us.is_empty() {
            return String::new();
        }
        let links = self.only_for_us.join("\", \"");
        format!("iifname {{ \"{links}\" }} oifname != \"{BRIDGE}\" ct state new ct status & dnat == 0 drop;")
    }

    /// Who connects to a published port is sent on to the container: from outside, and from
    /// the host itself. What the host calls 127.0.0.1 is not for others to use.
    fn published(&self) -> (String, String) {
        let (mut from_outside, mut from_host) = (String::new(), String::new());
        // By IPv6 nobody can be sent on to an IPv4 address: the proxy speaks with those.
        for Published { protocol, host, container, .. } in
            self.published.iter().filter(|port| port.host.is_ipv4())
        {
            let (port, to) = (host.port(), format!("{}:{container}", self.address));
            let rule = |to_whom: &str| format!("{to_whom} {protocol} dport {port} dnat to {to}; ");
            if host.ip().is_unspecified() {
                from_outside += &rule("ip daddr != 127.0.0.0/8 fib daddr type local");
                from_host += &rule("fib daddr type local");
            } else {
                let to_whom = format!("ip daddr {}", host.ip());
                from_host += &rule(&to_whom);
                if !host.ip().is_loopback() {
                    from_outside += &rule(&to_whom);
                }
            }
        }
        (from_outside, from_host)
    }

    /// Questions to the gateway go to the resolver, which takes them for the host's own.
    fn resolver(&self) -> (String, String) {
        let (mut to, mut from) = (String::new(), String::new());
        if let Some(resolver) = self.resolver {
            let (address, gateway) = (self.address, self.subnet.gateway());
            for protocol in ["udp", "tcp"] {
                let asks = format!("ip saddr {address} ip daddr {gateway} {protocol} dport 53");
                let _ = write!(to, "{asks} dnat to {resolver}:53; ");
            }
            let _ = write!(from, "ip saddr {address} ip daddr {resolver} ct status dnat snat to 127.0.0.1;");
        }
        (to, from)
    }
}
// ANCHOR_END: published
