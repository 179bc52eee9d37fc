//! The host's ports are taken from the host itself, by sockets: nobody else can have them meanwhile.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::Result;
use nix::sys::socket::sockopt::{Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn6, bind, listen, setsockopt, socket,
};

use crate::ports::{Protocol, Publish, Published, cannot_publish};

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
        let mut all = Vec::new();
        for (nth, container) in self.container.clone().enumerate() {
            let candidates = match &self.host {
                None => 0..=0,
                Some(range) if any_of_these => range.clone(),
                Some(range) => {
                    let port = range.start() + nth as u16;
                    port..=port
                }
            };
            all.extend(self.hold_one(candidates, container)?);
        }
        Ok(all)
    }

    fn hold_one(&self, mut candidates: RangeInclusive<u16>, container: u16) -> Result<Vec<Published>> {
        let last = *candidates.end();
        match candidates.find_map(|port| self.listen(port, container).ok()) {
            Some(found) => Ok(found),
            // All are in use; the last one says why.
            None => self.listen(last, container),
        }
    }

    /// Port 0 means any. Without an address the same number is taken twice: for IPv4, and for IPv6 where the host
    /// has that.
    fn listen(&self, port: u16, container: u16) -> Result<Vec<Published>> {
        let protocol = self.protocol;
        let listen = |ip, port| {
            let at = SocketAddr::new(ip, port);
            let (host, held) = protocol.listen(at).map_err(|error| cannot_publish(at, &error))?;
            anyhow::Ok(Published { host, container, protocol, held: Some(held) })
        };
        let first = listen(self.ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port)?;
        let port = first.host.port();
        let mut all = vec![first];
        if self.ip.is_none() && has_ipv6() {
            all.push(listen(Ipv6Addr::UNSPECIFIED.into(), port)?);
        }
        Ok(all)
    }
}

/// Whether any link of the host has an IPv6 address (`man 5 proc_pid_net`). The file is absent where the kernel has no
/// IPv6, and empty where it is switched off.
fn has_ipv6() -> bool {
    fs::read_to_string("/proc/self/net/if_inet6").is_ok_and(|addresses| !addresses.is_empty())
}

impl Published {
    /// Sends away who has come to a port that we hold before the rules were there: nobody would ever serve him. The
    /// next time he finds the container.
    pub(crate) fn send_away(&self) -> Result<()> {
        if let (Protocol::Tcp, Some(held)) = (self.protocol, &self.held) {
            let early = TcpListener::from(held.try_clone()?);
            early.set_nonblocking(true)?;
            early.incoming().take_while(Result::is_ok).for_each(drop);
        }
        Ok(())
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

    /// `[::]` would take the port for IPv4 as well, which is a socket of its own (`man 7 ipv6`, IPV6_V6ONLY).
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use nix::poll::{PollFd, PollFlags, poll};

    use super::*;

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
        // The child of another test has a copy, until it becomes its program.
        support::wait_until("the port is free", Duration::from_secs(10), || same.hold().is_ok());
    }

    #[test]
    fn who_comes_before_the_rules_is_sent_away() {
        let any: Publish = "127.0.0.1::80".parse().unwrap();
        let held = any.hold().unwrap();
        let mut early = TcpStream::connect(held[0].host).unwrap();
        early.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // It is in the queue when its last packet has come, which may be a moment later.
        let queue = held[0].held.as_ref().unwrap();
        poll(&mut [PollFd::new(queue.as_fd(), PollFlags::POLLIN)], 10_000u16).unwrap();
        held[0].send_away().unwrap();
        assert_eq!(early.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn one_port_of_a_range_is_any_that_is_free() {
        let first: Publish = "127.0.0.1:43210-43212:80".parse().unwrap();
        let (one, two) = (first.hold().unwrap(), first.hold().unwrap());
        assert_ne!(one[0].host.port(), two[0].host.port());
    }

    #[test]
    fn without_an_address_the_same_number_is_taken_for_both_families() {
        let held = "80-81".parse::<Publish>().unwrap().hold().unwrap();
        let (v4, v6): (Vec<_>, Vec<_>) = held.iter().partition(|port| port.host.is_ipv4());
        assert_eq!(v4.len(), 2);
        assert_eq!(v6.len(), if has_ipv6() { 2 } else { 0 });
        for (one, other) in v6.iter().zip(&v4) {
            assert_eq!((one.host.port(), one.container), (other.host.port(), other.container));
        }
    }
}
