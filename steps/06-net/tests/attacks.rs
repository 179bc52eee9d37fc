//! C19: what a container tries on the network, and who out there tries to reach it, judged from the
//! other end.

mod lab;

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use lab::{LIMIT, Lab, SERVE, accept_soon, answer, answer_soon, in_network_of};
use support::command;

fn ip(words: &str) {
    let status = command("ip").args(words.split(' ')).status().unwrap();
    assert!(status.success(), "ip {words}");
}

#[test]
fn c19_loopback_of_the_host_is_out_of_reach() {
    let Some(lab) = Lab::of_root() else { return };
    // With a published port the bridge may route to the loopback.
    let started = lab.start("-p 8080:80", "sleep 60");
    let listener = TcpListener::bind("127.0.0.1:5555").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:5556").unwrap();
    in_network_of(started.container, || {
        ip("route delete local 127.0.0.0/8 dev lo table local");
        ip("route delete local 127.0.0.1 dev lo table local");
        ip("route add 127.0.0.1 via 10.200.0.1 src 10.200.0.2");
        fs::write("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1").unwrap();
        assert_eq!(answer("127.0.0.1:5555"), None);
        UdpSocket::bind("10.200.0.2:0").unwrap().send_to(b"hello", "127.0.0.1:5556").unwrap();
    });
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "a container has connected to 127.0.0.1 of the host");
    datagrams.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(datagrams.recv(&mut [0; 8]).is_err(), "a datagram has reached 127.0.0.1 of the host");
}

#[test]
fn c19_ports_that_are_not_published_are_out_of_reach_from_outside() {
    let Some(lab) = Lab::of_root() else { return };
    let server = lab.start("-p 8080:8080", "sleep 60");
    let listener = in_network_of(server.container, || TcpListener::bind("0.0.0.0:80").unwrap());
    let connect =
        || TcpStream::connect_timeout(&"10.200.0.2:80".parse().unwrap(), Duration::from_millis(500)).is_ok();
    assert!(connect() && accept_soon(&listener).is_some(), "the host itself may");
    in_network_of(lab.outside(), || {
        // The host forwards: a neighbour may use it as a router.
        ip("route add 10.200.0.0/16 via 192.0.2.1");
        assert!(!connect());
    });
    assert!(listener.accept().is_err());
}

#[test]
fn c19_host_that_forwards_for_us_is_no_router_for_others() {
    let Some(lab) = Lab::of_root() else { return };
    // A second network, such as one behind a tunnel: it is the host's alone.
    ip("link add private type veth peer name far");
    ip("link set far up");
    ip("link set private up");
    ip("address add 198.51.100.1/24 dev private");
    in_network_of(lab.outside(), || ip("route add 198.51.100.0/24 via 192.0.2.1"));
    let judge = "add table ip judge; add chain ip judge late { type filter hook forward priority 100; };
        add rule ip judge late udp dport 7777 counter";
    assert!(command("nft").arg(judge).status().unwrap().success());
    let asks_through_us = || {
        in_network_of(lab.outside(), || {
            let socket = UdpSocket::bind("192.0.2.2:0").unwrap();
            socket.send_to(b"hello", "198.51.100.7:7777").unwrap();
        });
    };
    let forward = |value: &str| fs::write("/proc/sys/net/ipv4/ip_forward", value).unwrap();
    forward("0");
    let started = lab.start("-p 8080:8080", "sleep 60");
    asks_through_us();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(forwarded(), 0);
    // Who forwards for others already goes on.
    drop(started);
    lab.run("", "true");
    forward("1");
    let _started = lab.start("", "sleep 60");
    asks_through_us();
    support::wait_until("it passes", LIMIT, || forwarded() > 0);
}

/// How many of them have passed all who may drop them.
fn forwarded() -> u32 {
    let table = lab::output_of("nft", "list table ip judge");
    let (_, count) = table.split_once("counter packets ").unwrap();
    count.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn c19_container_speaks_with_its_own_address_only() {
    let Some(lab) = Lab::of_root() else { return };
    let started = lab.start("", "sleep 60");
    let host = UdpSocket::bind("10.200.0.1:7777").unwrap();
    let heard = || {
        let mut buffer = [0; 16];
        host.recv_from(&mut buffer).ok().map(|(_, from)| from.ip().to_string())
    };
    in_network_of(started.container, || {
        ip("address add 10.200.0.99/16 dev eth0");
        let own = UdpSocket::bind("10.200.0.2:0").unwrap();
        own.send_to(b"true", "10.200.0.1:7777").unwrap();
    });
    host.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(heard().as_deref(), Some("10.200.0.2"));
    in_network_of(started.container, || {
        let false_address = UdpSocket::bind("10.200.0.99:0").unwrap();
        false_address.send_to(b"false", "10.200.0.1:7777").unwrap();
        // Nor does another hardware address help.
        ip("link set eth0 address 02:00:00:00:00:99");
        let own = UdpSocket::bind("10.200.0.2:0").unwrap();
        own.send_to(b"false", "10.200.0.1:7777").unwrap();
    });
    host.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert_eq!(heard(), None);
}

/// A container that claims the address of another by ARP would get what is sent to it.
#[test]
fn c19_container_cannot_claim_the_address_of_another() {
    let Some(lab) = Lab::of_root() else { return };
    let _server = lab.start("", SERVE);
    let thief = lab.start("", "sleep 60");
    assert!(answer_soon("10.200.0.2:80").is_some());
    in_network_of(thief.container, || {
        ip("address add 10.200.0.2/32 dev eth0");
        // An announcement that nobody has asked for, to all.
        let arping = command("busybox").args("arping -U -c 3 -w 1 -I eth0 10.200.0.2".split(' ')).output();
        assert!(arping.is_ok());
    });
    let neighbours = lab::output_of("ip", "neighbour show 10.200.0.2 dev coracle0");
    assert!(neighbours.contains("02:63:0a:c8:00:02"), "{neighbours}");
    assert!(answer_soon("10.200.0.2:80").is_some());
}

/// CVE-2020-13401: what the host has of IPv6 on the bridge, a container can tell it where to send.
#[test]
fn c19_no_ipv6_is_spoken_with_containers() {
    let Some(lab) = Lab::of_root() else { return };
    let started = lab.start("", "sleep 60");
    let addresses = fs::read_to_string("/proc/self/net/if_inet6").unwrap();
    assert!(!addresses.contains("coracle"), "{addresses}");
    let host = UdpSocket::bind("[::]:7777").unwrap();
    host.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    in_network_of(started.container, || {
        ip("-6 address add fd00:200::2/64 dev eth0 nodad");
        let socket = UdpSocket::bind("[fd00:200::2]:0").unwrap();
        let index = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        assert!(index.contains("eth0"));
        ip("-6 route add default dev eth0");
        let _ = socket.send_to(b"all nodes", "[ff02::1%2]:7777");
        let all_nodes = std::net::SocketAddrV6::new("ff02::1".parse().unwrap(), 7777, 0, 2);
        let _ = socket.send_to(b"all nodes", all_nodes);
    });
    assert!(host.recv(&mut [0; 16]).is_err(), "the host has heard IPv6 from a container");
}
