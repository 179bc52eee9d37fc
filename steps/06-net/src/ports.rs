//! Published ports: `-p [ip:][hostPort:]containerPort[/protocol]`, as Docker has it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd};
use std::str::FromStr;

use anyhow::{Error, Result, anyhow};
use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn6, bind, listen, setsockopt, socket,
};

// ANCHOR: publish
/// One `-p`, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The address of the host; none means all of them.
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

// ANCHOR: hold
/// Takes the ports of the host for all of them.
pub(crate) fn hold(publish: &[Publish]) -> Result<Vec<Published>> {
    let held: Result<Vec<_>> = publish.iter().map(Publish::hold).collect();
    Ok(held?.into_iter().flatten().collect())
}

impl Publish {
    /// Takes the host's ports, so that a port that is in use is an error now, and nobody else
    /// can have them while the container lives.
    ///
    /// # Errors
    /// EADDRINUSE, EADDRNOTAVAIL for an address that is not the host's, EACCES below the first
    /// port that everybody may use.
    pub fn hold(&self) -> Result<Vec<Published>> {
        let any_of_these = self.container.len() == 1;
        self.container
            .clone()
            .enumerate()
            .map(|(nth, container)| {
                let candidates = match &self.host {
                    None => 0..=0,
                    Some(range) if any_of_these => range.clone(),
                    Some(range) => {
                        let port = range.start() + nth as u16;
                        port..=port
                    }
                };
                self.hold_one(candidates, container)
            })
            .collect()
    }

    fn hold_one(&self, mut candidates: RangeInclusive<u16>, container: u16) -> Result<Published> {
        let ip = self.ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let last = SocketAddr::new(ip, *candidates.end());
        let listen = |port| self.protocol.listen(SocketAddr::new(ip, port)).ok();
        let (host, held) = match candidates.find_map(listen) {
            Some(found) => found,
            // All are in use; the last one says why.
            None => self.protocol.listen(last).map_err(|error| cannot_publish(last, &error))?,
        };
        Ok(Published { host, container, protocol: self.protocol, held: Some(held) })
    }
}

impl Protocol {
    /// Listens, and tells where: port 0 means any.
    fn listen(self, at: SocketAddr) -> std::io::Result<(SocketAddr, OwnedFd)> {
        match (self, at) {
            (_, SocketAddr::V6(at)) => self.listen_v6(at),
            (Self::Tcp, at) => {
                TcpListener::bind(at).and_then(|socket| Ok((socket.local_addr()?, socket.into())))
            }
            (Self::Udp, at) => {
                UdpSocket::bind(at).and_then(|socket| Ok((socket.local_addr()?, socket.into())))
            }
        }
    }

    /// `[::]` would take the port for IPv4 as well, which another `-p` may want (`man 7 ipv6`, IPV6_V6ONLY).
    fn listen_v6(self, at: SocketAddrV6) -> std::io::Result<(SocketAddr, OwnedFd)> {
        let kind = if self == Self::Tcp { SockType::Stream } else { SockType::Datagram };
        let socket = socket(AddressFamily::Inet6, kind, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, Ipv6V6Only, &true)?;
        if self == Self::Tcp {
            setsockopt(&socket, ReuseAddr, &true)?;
        }
        bind(socket.as_raw_fd(), &SockaddrIn6::from(at))?;
        if self == Self::Udp {
            let socket = UdpSocket::from(socket);
            return Ok((socket.local_addr()?, socket.into()));
        }
        listen(&socket, Backlog::MAXCONN)?;
        let socket = TcpListener::from(socket);
        Ok((socket.local_addr()?, socket.into()))
    }
}
// ANCHOR_END: hold

// ANCHOR: say
fn cannot_publish(at: SocketAddr, error: &std::io::Error) -> Error {
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

    #[test]
    fn a_port_is_held_until_it_is_dropped() {
        let any: Publish = "127.0.0.1::80".parse().unwrap();
        let held = any.hold().unwrap();
        let port = held[0].host.port();
        assert_ne!(port, 0);
        let same: Publish = format!("127.0.0.1:{port}:80").parse().unwrap();
        let error = format!("{:#}", same.hold().unwrap_err());
        assert!(
            error
                .starts_with(&format!("cannot publish 127.0.0.1:{port}: EADDRINUSE: Address already in use")),
            "{error}"
        );
        drop(held);
        same.hold().unwrap();
    }

    #[test]
    fn one_port_of_a_range_is_any_that_is_free() {
        let first: Publish = "127.0.0.1:43210-43212:80".parse().unwrap();
        let (one, two) = (first.hold().unwrap(), first.hold().unwrap());
        assert_ne!(one[0].host.port(), two[0].host.port());
    }
}
