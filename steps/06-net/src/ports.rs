//! Published ports: `-p [ip:][hostPort:]containerPort[/protocol]`, as Docker has it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::str::FromStr;

use anyhow::{Error, anyhow};
use nix::errno::Errno;

// ANCHOR: publish
/// One `-p`, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The address of the host; none means all of them, of IPv4 and of IPv6.
    pub ip: Option<IpAddr>,
    /// Ports of the host; none means any that is free. More of them than of the container's
    /// mean any one of these that is free.
    pub host: Option<RangeInclusive<u16>>,
    /// Ports of the container.
    pub container: RangeInclusive<u16>,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `man 7 tcp`
    Tcp,
    /// `man 7 udp`
    Udp,
}

/// A port of the host that leads to one of the container, and is held for it.
#[derive(Debug)]
pub struct Published {
    /// Where the host listens.
    pub host: SocketAddr,
    /// The container's port.
    pub container: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// While this is open, no other program can listen there, and neither can we a second time.
    /// The kernel closes it when we end.
    pub(crate) held: Option<OwnedFd>,
}

impl Published {
    /// Whether it is all of IPv6, beside the same port of all of IPv4.
    pub(crate) fn is_twin(&self, all: &[Self]) -> bool {
        let other = SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.host.port()));
        let is_other = |port: &Self| {
            (port.host, port.container, port.protocol) == (other, self.container, self.protocol)
        };
        self.host.ip() == Ipv6Addr::UNSPECIFIED && all.iter().any(is_other)
    }

    /// Lets somebody else listen there.
    pub(crate) fn release(&mut self) {
        self.held = None;
    }
}
// ANCHOR_END: publish

// ANCHOR: parse
impl FromStr for Publish {
    type Err = String;

    /// The texts of the errors are Docker's.
    fn from_str(text: &str) -> Result<Self, String> {
        // What is left of the last two colons is an address, which may have colons itself.
        let mut parts = text.rsplitn(3, ':');
        let container = parts.next().unwrap_or_default();
        let (host, ip) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (container, protocol) = container.split_once('/').unwrap_or((container, "tcp"));
        if container.is_empty() {
            return Err(format!("no port specified: {text}<empty>"));
        }
        let ip = match ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip) {
            "" => None,
            ip => Some(ip.parse().map_err(|_| format!("invalid IP address: {ip}"))?),
        };
        let ports = range(container).ok_or_else(|| format!("invalid containerPort: {container}"))?;
        let host_ports = match host {
            "" => None,
            host => Some(range(host).ok_or_else(|| format!("invalid hostPort: {host}"))?),
        };
        // A whole range of the host's for one port of the container means: any of these.
        if let Some(host_ports) = &host_ports
            && ports.len() != 1
            && ports.len() != host_ports.len()
        {
            return Err(format!(
                "invalid ranges specified for container and host Ports: {container} and {host}"
            ));
        }
        let protocol = match protocol.to_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(format!("invalid proto: {protocol}")),
        };
        Ok(Self { ip, host: host_ports, container: ports, protocol })
    }
}

/// `80` or `8000-8010`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    let (first, last): (u16, u16) = (digits(first)?, digits(last)?);
    (first <= last).then_some(first..=last)
}
// ANCHOR_END: parse

// ANCHOR: say
pub(crate) fn cannot_publish(at: SocketAddr, error: &std::io::Error) -> Error {
    let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let way_out = match errno {
        Errno::EACCES => format!("\nsudo sysctl net.ipv4.ip_unprivileged_port_start={}", at.port()),
        _ => String::new(),
    };
    anyhow!("cannot publish {at}: {errno}{way_out}")
}

/// As `docker port` shows it.
impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} -> {}", self.container, self.protocol, self.host)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}
// ANCHOR_END: say

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Publish>().unwrap_err()
    }

    #[test]
    fn ports_are_read_as_docker_reads_them() {
        let tcp = |ip: Option<&str>, host, container| Publish {
            ip: ip.map(|ip| ip.parse().unwrap()),
            host,
            container,
            protocol: Protocol::Tcp,
        };
        assert_eq!("80".parse(), Ok(tcp(None, None, 80..=80)));
        assert_eq!(":80".parse(), Ok(tcp(None, None, 80..=80)));
        assert_eq!("8080:80".parse(), Ok(tcp(None, Some(8080..=8080), 80..=80)));
        assert_eq!("8080:80/TCP".parse(), Ok(tcp(None, Some(8080..=8080), 80..=80)));
        assert_eq!("127.0.0.1::80".parse(), Ok(tcp(Some("127.0.0.1"), None, 80..=80)));
        assert_eq!("[::1]:80:80".parse(), Ok(tcp(Some("::1"), Some(80..=80), 80..=80)));
        assert_eq!("::1:80:80".parse(), Ok(tcp(Some("::1"), Some(80..=80), 80..=80)));
        assert_eq!("8000-8002:80".parse(), Ok(tcp(None, Some(8000..=8002), 80..=80)));
        assert_eq!("8000-8002:80-82".parse(), Ok(tcp(None, Some(8000..=8002), 80..=82)));
    }

    #[test]
    fn i4_wrong_ports_get_dockers_texts() {
        assert_eq!(error("99999:1"), "invalid hostPort: 99999");
        assert_eq!(error("abc"), "invalid containerPort: abc");
        assert_eq!(error("1:-2"), "invalid containerPort: -2");
        assert_eq!(error("+1:2"), "invalid hostPort: +1");
        assert_eq!(error("9-8:2"), "invalid hostPort: 9-8");
        assert_eq!(error("80/icmp"), "invalid proto: icmp");
        assert_eq!(error("80/"), "invalid proto: ");
        assert_eq!(error("nowhere:80:80"), "invalid IP address: nowhere");
        assert_eq!(error("8080:"), "no port specified: 8080:<empty>");
        assert_eq!(
            error("8000-8001:80-82"),
            "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"
        );
    }
}
