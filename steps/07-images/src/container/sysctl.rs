//! `--sysctl NAME=VALUE`: only what belongs to a namespace of the container's own.

use std::str::FromStr;

use step05_userns::is_root;
use step06_net::Network;

use super::Asked;
use crate::commands::Connection;

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// With slashes: `net/ipv4/ip_forward`.
    pub name: String,
    /// What is written.
    pub value: String,
}

/// Those of the ipc namespace (`man 7 ipc_namespaces`).
const IPC: [&str; 8] = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];

impl Sysctl {
    // ANCHOR: kinds
    /// Whether it belongs to the network namespace.
    pub fn is_of_net(&self) -> bool {
        self.name.starts_with("net/")
    }

    /// Whether it belongs to the ipc namespace.
    pub fn is_of_ipc(&self) -> bool {
        let is_ipc = |name: &str| IPC.contains(&name);
        self.name.strip_prefix("kernel/").is_some_and(is_ipc) || self.name.starts_with("fs/mqueue/")
    }
    // ANCHOR_END: kinds
}

impl FromStr for Sysctl {
    type Err = String;

    /// Dots and slashes can change places, as in sysctl(8): the first one of them is what separates. The whole name is
    /// looked at, since a part of it could lead elsewhere (CVE-2022-0811).
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("sysctl '{text}' is not allowed");
        let (name, value) = text.split_once('=').ok_or_else(refused)?;
        let dots = name.find(['.', '/']).is_some_and(|at| name.as_bytes()[at] == b'.');
        let swap = |character| match character {
            '.' if dots => '/',
            '/' if dots => '.',
            other => other,
        };
        let name: String = name.chars().map(swap).collect();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@".contains(&byte);
        let parts_are_names = name.split('/').all(|part| !["", ".", ".."].contains(&part));
        let sysctl = Self { name, value: value.to_owned() };
        let is_known = sysctl.is_of_net() || sysctl.is_of_ipc();
        match is_known && parts_are_names && sysctl.name.bytes().all(is_allowed) {
            true => Ok(sysctl),
            false => Err(refused()),
        }
    }
}

// ANCHOR: usual
impl Asked {
    /// In a network of its own, where it is in nobody's way, whoever is not root may listen at any port as well, and ping:
    /// there are images that do.
    pub(super) fn usual_sysctls(&self) -> Vec<(String, String)> {
        let network = &self.run.network.network;
        let is_its_own =
            !matches!(network, Some(Connection::Container(_) | Connection::Own(Some(Network::Host))));
        // Who shares the processes of others cannot have a /proc in which to say so.
        if !is_its_own || self.run.sharing.pid.is_some() {
            return Vec::new();
        }
        let mut all = vec![("net/ipv4/ip_unprivileged_port_start", "0")];
        if is_root() {
            // A user namespace has not so many groups.
            all.push(("net/ipv4/ping_group_range", "0 2147483647"));
        }
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
// ANCHOR_END: usual

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c8_only_namespaced_ones_and_by_their_whole_name() {
        for text in [
            "kernel.core_pattern=|/x",
            "kernel.x=1",
            "kernel.shmmax.x=1",
            "kernel/shmmax/../core_pattern=x",
            "net/../kernel/core_pattern=x",
            "net/ipv4//ip_forward=1",
            "net.ipv4.ip_forward",
            "net=1",
            "net.=1",
            "vm.swappiness=1",
            "fs.mqueue=1",
            "net.a b=1",
            "",
        ] {
            assert_eq!(text.parse::<Sysctl>(), Err(format!("sysctl '{text}' is not allowed")));
        }
        let name = |text: &str| text.parse::<Sysctl>().unwrap().name;
        assert_eq!(name("net.ipv4.ip_forward=1"), "net/ipv4/ip_forward");
        assert_eq!(name("net.ipv4.conf.eth0/1.forwarding=1"), "net/ipv4/conf/eth0.1/forwarding");
        assert_eq!(name("net/ipv4/conf/eth0.1/forwarding=1"), "net/ipv4/conf/eth0.1/forwarding");
        assert_eq!(name("kernel.shm_rmid_forced=1"), "kernel/shm_rmid_forced");
        assert_eq!(name("fs.mqueue.msg_max=1"), "fs/mqueue/msg_max");
    }
}
