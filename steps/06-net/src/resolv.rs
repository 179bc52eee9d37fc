//! The three files of /etc that say who is who: resolv.conf, hosts, hostname.

use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use step04_mount::Volume;

// ANCHOR: resolver
/// Where systemd-resolved names the servers that it asks itself. The host's own resolv.conf
/// then names only its stub, 127.0.0.53, which a container cannot reach.
const SYSTEMD: &str = "/run/systemd/resolve/resolv.conf";

/// How a container finds names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resolver {
    /// The content of its resolv.conf (`man 5 resolv.conf`).
    pub(crate) text: String,
    /// A server on the host's loopback, to which questions to the gateway are to be passed on.
    pub(crate) behind_gateway: Option<Ipv4Addr>,
}

/// For a container behind a bridge: the host's servers, as far as they can be reached by IPv4
/// from elsewhere than the host itself.
///
/// Docker falls back to a public server where there is none. That tells strangers which names
/// are looked up here, and finds no internal name; a server that the host has for itself is
/// reached through the gateway instead.
pub(crate) fn behind_bridge(gateway: Ipv4Addr) -> Resolver {
    let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let systemd = fs::read_to_string(SYSTEMD).unwrap_or_default();
    choose(&host, &systemd, gateway)
}

fn choose(host: &str, systemd: &str, gateway: Ipv4Addr) -> Resolver {
    let has_stub = servers(host).contains(&IpAddr::from([127, 0, 0, 53]));
    let source = if has_stub && !reachable(systemd).is_empty() { systemd } else { host };
    let reachable = reachable(source);
    if !reachable.is_empty() {
        return Resolver { text: with_servers(source, &reachable), behind_gateway: None };
    }
    let on_loopback = servers(source).into_iter().find_map(|server| match server {
        IpAddr::V4(server) if server.is_loopback() => Some(server),
        _ => None,
    });
    match on_loopback {
        Some(server) => Resolver { text: with_servers(source, &[gateway]), behind_gateway: Some(server) },
        None => Resolver { text: with_servers(source, &[]), behind_gateway: None },
    }
}
// ANCHOR_END: resolver

// ANCHOR: servers
/// For a container that a program like pasta connects: it asks this address, and pasta the
/// host's servers, also those on its loopback.
pub(crate) fn at(server: Ipv4Addr) -> String {
    with_servers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default(), &[server])
}

/// For a container in the host's network: all as the host has it, but for the name.
pub(crate) fn same_as_host(name: &str) -> Files {
    let mut files = Files::new(name, fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    files.hosts = fs::read_to_string("/etc/hosts").unwrap_or(files.hosts);
    files
}

fn servers(text: &str) -> Vec<IpAddr> {
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    names.filter_map(|name| name.trim().parse().ok()).collect()
}

fn reachable(text: &str) -> Vec<Ipv4Addr> {
    let reachable = servers(text).into_iter().filter_map(|server| match server {
        IpAddr::V4(server) if !server.is_loopback() && !server.is_unspecified() => Some(server),
        _ => None,
    });
    reachable.collect()
}

/// The other lines stay: search, domain, options.
fn with_servers(text: &str, servers: &[Ipv4Addr]) -> String {
    let is_kept = |line: &&str| {
        let first = line.split_whitespace().next().unwrap_or_default();
        ["search", "domain", "options", "sortlist"].contains(&first)
    };
    let kept = text.lines().filter(is_kept).map(str::to_owned);
    let servers = servers.iter().map(|server| format!("nameserver {server}"));
    kept.chain(servers).map(|line| line + "\n").collect()
}
// ANCHOR_END: servers

// ANCHOR: files
/// What the three files say.
#[derive(Debug)]
pub(crate) struct Files {
    /// `man 5 resolv.conf`
    pub(crate) resolv_conf: String,
    /// `man 5 hosts`
    pub(crate) hosts: String,
    /// `man 5 hostname`
    pub(crate) hostname: String,
}

impl Files {
    /// For a container called `name`.
    pub(crate) fn new(name: &str, resolv_conf: String) -> Self {
        let hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
        Self { resolv_conf, hosts, hostname: format!("{name}\n") }
    }

    /// The name's own address.
    pub(crate) fn with_address(mut self, address: Ipv4Addr) -> Self {
        self.hosts += &format!("{address}\t{}", self.hostname);
        self
    }

    /// Writes them into a folder of the host, from which they are mounted over those of the
    /// root file system.
    pub(crate) fn write(&self, folder: &Path) -> Result<Vec<Volume>> {
        let files =
            [("resolv.conf", &self.resolv_conf), ("hosts", &self.hosts), ("hostname", &self.hostname)];
        files
            .into_iter()
            .map(|(file, text)| {
                let source = folder.join(file);
                // Everybody in there reads them, whatever the host's umask is.
                fs::write(&source, text)
                    .and_then(|()| fs::set_permissions(&source, Permissions::from_mode(0o644)))
                    .with_context(|| format!("cannot write {}", source.display()))?;
                Ok(Volume { source, target: Path::new("/etc").join(file), read_only: false })
            })
            .collect()
    }
}
// ANCHOR_END: files

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);

    fn chosen(host: &str, systemd: &str) -> (String, Option<Ipv4Addr>) {
        let resolver = choose(host, systemd, GATEWAY);
        (resolver.text, resolver.behind_gateway)
    }

    #[test]
    fn servers_of_the_host_are_taken_over_with_its_search_list() {
        let (text, forward) = chosen("# by hand\nnameserver 192.0.2.53\nsearch example.org\n", "");
        assert_eq!(text, "search example.org\nnameserver 192.0.2.53\n");
        assert_eq!(forward, None);
    }

    #[test]
    fn stub_of_systemd_is_replaced_by_the_servers_behind_it() {
        let stub = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n";
        let (text, forward) = chosen(stub, "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch lan\n");
        assert_eq!(text, "search lan\nnameserver 192.0.2.53\n");
        assert_eq!(forward, None);
    }

    #[test]
    fn resolver_on_the_loopback_is_asked_through_the_gateway() {
        for systemd in ["", "nameserver 2001:db8::53\n"] {
            let (text, forward) = chosen("nameserver 127.0.0.1\nsearch lan\n", systemd);
            assert_eq!(text, "search lan\nnameserver 10.200.0.1\n");
            assert_eq!(forward, Some(Ipv4Addr::LOCALHOST));
        }
    }

    #[test]
    fn no_server_is_invented() {
        for host in ["", "nameserver 2001:db8::53\n", "nameserver nonsense\nnameserver\n"] {
            assert_eq!(chosen(host, ""), (String::new(), None), "{host}");
        }
    }
}
