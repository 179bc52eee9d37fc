//! Published ports, tried by those who connect.

mod lab;

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use lab::{LIMIT, Lab, SERVE, accept_soon, answer_soon, in_network_of, said};
use support::{command, wait_until};

#[test]
fn published_port_is_reached_from_everywhere() {
    let Some(lab) = Lab::of_root() else { return };
    let server = lab.start("-p 8080:80", SERVE);
    let other = lab.start("", "sleep 60");
    let served = Some("served\n".to_owned());
    assert_eq!(answer_soon("127.0.0.1:8080"), served, "from the host's loopback");
    assert_eq!(answer_soon("192.0.2.1:8080"), served, "from the host, by its address");
    assert_eq!(in_network_of(lab.outside(), || answer_soon("192.0.2.1:8080")), served, "from outside");
    assert_eq!(in_network_of(other.container, || answer_soon("192.0.2.1:8080")), served, "from a neighbour");
    assert_eq!(in_network_of(other.container, || answer_soon("10.200.0.1:8080")), served, "by the gateway");
    assert_eq!(in_network_of(server.container, || answer_soon("192.0.2.1:8080")), served, "from itself");
}

#[test]
fn port_of_all_addresses_is_one_of_ipv6_too() {
    let Some(lab) = Lab::of_root() else { return };
    let outside = lab.outside().to_string();
    let nsenter = ["nsenter", "--net", "--target", &outside];
    for (before, address) in [(&[][..], "2001:db8::1/64"), (&nsenter[..], "2001:db8::2/64")] {
        let words = ["ip", "address", "add", address, "dev", "uplink", "nodad"];
        let words: Vec<_> = before.iter().chain(&words).collect();
        assert!(command(words[0]).args(&words[1..]).status().unwrap().success());
    }
    let server = lab.start("-p 8080:80 -p 5353:53/udp", SERVE);
    let served = Some("served\n".to_owned());
    assert_eq!(answer_soon("[::1]:8080"), served, "from the host's loopback");
    assert_eq!(answer_soon("[2001:db8::1]:8080"), served, "from the host, by its address");
    assert_eq!(in_network_of(lab.outside(), || answer_soon("[2001:db8::1]:8080")), served, "from outside");
    assert_eq!(in_network_of(lab.outside(), || answer_soon("192.0.2.1:8080")), served, "by IPv4");

    let inside = in_network_of(server.container, || UdpSocket::bind("0.0.0.0:53").unwrap());
    let asks = in_network_of(lab.outside(), || UdpSocket::bind("[::]:0").unwrap());
    asks.send_to(b"question", "[2001:db8::1]:5353").unwrap();
    inside.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(inside.recv(&mut [0; 16]).unwrap(), 8);

    assert!(TcpListener::bind("[::1]:8080").is_err(), "it is taken");
    drop(server);
    wait_until("it is free again", LIMIT, || TcpListener::bind("[::]:8080").is_ok());
}

#[test]
fn host_without_ipv6_publishes_by_ipv4() {
    let Some(lab) = Lab::of_root() else { return };
    lab::write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
    let _server = lab.start("-p 8080:80", SERVE);
    assert_eq!(answer_soon("127.0.0.1:8080").as_deref(), Some("served\n"));
    let chosen = lab.run("-p 80", "true");
    assert_eq!(chosen.status.code(), Some(0));
    assert_eq!(said(&chosen).lines().count(), 1, "{chosen:?}");
    assert!(said(&chosen).starts_with("80/tcp -> 0.0.0.0:"), "{chosen:?}");
}

#[test]
fn port_that_is_taken_by_ipv6_alone_is_an_error() {
    let Some(lab) = Lab::of_root() else { return };
    let socket = TcpListener::bind("[::1]:8080").unwrap();
    let taken = lab.run("-p 8080:80", "true");
    assert_eq!(taken.status.code(), Some(125));
    insta::assert_snapshot!(said(&taken), @"step06: cannot publish [::]:8080: EADDRINUSE: Address already in use");
    drop(socket);
    assert!(!lab::bridge_is_there());
}

#[test]
fn server_sees_who_connects_from_outside() {
    let Some(lab) = Lab::of_root() else { return };
    let server = lab.start("-p 8080:80", "sleep 60");
    let listener = in_network_of(server.container, || TcpListener::bind("0.0.0.0:80").unwrap());
    let connect = || TcpStream::connect("192.0.2.1:8080").unwrap();
    let _stream = in_network_of(lab.outside(), connect);
    assert_eq!(accept_soon(&listener).unwrap().ip().to_string(), "192.0.2.2");
}

#[test]
fn port_of_one_address_is_that_of_no_other() {
    let Some(lab) = Lab::of_root() else { return };
    let server = lab.start("-p 192.0.2.1:8080:80", "sleep 60");
    let listener = in_network_of(server.container, || TcpListener::bind("0.0.0.0:80").unwrap());
    let connect = |address: &str| TcpStream::connect(address).is_ok();
    assert!(in_network_of(lab.outside(), || connect("192.0.2.1:8080")) && accept_soon(&listener).is_some());
    assert!(!connect("127.0.0.1:8080"));
    assert!(listener.accept().is_err());
}

/// C19: what the host publishes for itself is not for others. Judged in the container, since an
/// attacker needs no answer.
#[test]
fn c19_port_of_the_loopback_is_not_reached_from_outside() {
    let Some(lab) = Lab::of_root() else { return };
    let server = lab.start("-p 127.0.0.1:5353:53/udp", "sleep 60");
    let inside = in_network_of(server.container, || UdpSocket::bind("0.0.0.0:53").unwrap());
    let heard = |limit| {
        let mut buffer = [0; 16];
        inside.set_read_timeout(Some(limit)).unwrap();
        inside.recv(&mut buffer).map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned()).ok()
    };
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"host", "127.0.0.1:5353").unwrap();
    assert_eq!(heard(LIMIT).as_deref(), Some("host"));
    in_network_of(lab.outside(), || {
        // Somebody who has given up his own loopback can address ours.
        let ip = |words: &str| assert!(command("ip").args(words.split(' ')).status().unwrap().success());
        ip("route delete local 127.0.0.0/8 dev lo table local");
        ip("route delete local 127.0.0.1 dev lo table local");
        ip("route add 127.0.0.1 via 192.0.2.1 src 192.0.2.2");
        std::fs::write("/proc/sys/net/ipv4/conf/uplink/route_localnet", "1").unwrap();
        let outside = UdpSocket::bind("192.0.2.2:0").unwrap();
        for address in ["192.0.2.1:5353", "127.0.0.1:5353"] {
            outside.send_to(b"outside", address).unwrap();
        }
    });
    assert_eq!(heard(Duration::from_millis(300)), None);
}

#[test]
fn datagrams_are_published_too() {
    let Some(lab) = Lab::of_root() else { return };
    let server = lab.start("-p 5353:53/udp", "sleep 60");
    let inside = in_network_of(server.container, || UdpSocket::bind("0.0.0.0:53").unwrap());
    let outside = in_network_of(lab.outside(), || UdpSocket::bind("192.0.2.2:0").unwrap());
    let host = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (asks, address) in [(&outside, "192.0.2.1:5353"), (&host, "127.0.0.1:5353")] {
        for socket in [&inside, asks] {
            socket.set_read_timeout(Some(LIMIT)).unwrap();
        }
        asks.send_to(b"question", address).unwrap();
        let mut buffer = [0; 16];
        let (_, from) = inside.recv_from(&mut buffer).unwrap();
        inside.send_to(b"answer", from).unwrap();
        let (length, from) = asks.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.to_string().as_str()), (&b"answer"[..], address));
    }
}

#[test]
fn port_that_is_in_use_is_an_error_and_nothing_is_left() {
    let Some(lab) = Lab::of_root() else { return };
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    let taken = lab.run("-p 8080:80", "true");
    assert_eq!(taken.status.code(), Some(125));
    insta::assert_snapshot!(said(&taken), @"step06: cannot publish 0.0.0.0:8080: EADDRINUSE: Address already in use");
    assert!(!lab::bridge_is_there());
    drop(listener);

    let _server = lab.start("-p 8080:80", SERVE);
    assert_eq!(lab.run("-p 8080:81", "true").status.code(), Some(125), "by another container");
    assert!(TcpListener::bind("0.0.0.0:8080").is_err(), "by a program of the host");
}

#[test]
fn who_comes_by_ipv6_is_served_by_a_proxy_that_ends_with_us() {
    let Some(lab) = Lab::of_root() else { return };
    let server = lab.start("-p [::1]:8080:80 -p 127.0.0.1:8080:80 -p [::]:8081:80", SERVE);
    for address in ["[::1]:8080", "127.0.0.1:8080", "[::1]:8081"] {
        assert_eq!(answer_soon(address).as_deref(), Some("served\n"), "{address}");
    }
    // What was asked for by IPv6 is not there by IPv4, and the host's loopback not for others.
    assert!(TcpStream::connect("127.0.0.1:8081").is_err());
    in_network_of(lab.outside(), || assert!(TcpStream::connect("192.0.2.1:8081").is_err()));
    drop(server);
    wait_until("it is free again", LIMIT, || TcpListener::bind("[::1]:8080").is_ok());
}

#[test]
fn datagrams_by_ipv6_find_back() {
    let Some(lab) = Lab::of_root() else { return };
    let server = lab.start("-p [::1]:5353:53/udp", "sleep 60");
    let inside = in_network_of(server.container, || UdpSocket::bind("0.0.0.0:53").unwrap());
    let (one, two) = (UdpSocket::bind("[::1]:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
    for (asks, question) in [(&one, b"one"), (&two, b"two"), (&one, b"one")] {
        for socket in [&inside, asks] {
            socket.set_read_timeout(Some(LIMIT)).unwrap();
        }
        asks.send_to(question, "[::1]:5353").unwrap();
        let mut buffer = [0; 16];
        let (length, from) = inside.recv_from(&mut buffer).unwrap();
        inside.send_to(&buffer[..length], from).unwrap();
        let (length, from) = asks.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.to_string().as_str()), (&question[..], "[::1]:5353"));
    }
}

#[test]
fn port_that_was_free_is_told() {
    let Some(lab) = Lab::of_root() else { return };
    let mut server = lab.start("-p 127.0.0.1::80", SERVE);
    let error = server.host.child().stderr.take().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(error), &mut line).unwrap();
    let address: SocketAddr = line.trim().strip_prefix("80/tcp -> ").unwrap().parse().unwrap();
    assert!(answer_soon(&address.to_string()).is_some());
}

#[test]
fn many_ports_are_published_at_once() {
    let Some(lab) = Lab::of_root() else { return };
    let _server = lab.start("-p 20000-20499:20000-20499 -p 8080:80", SERVE);
    assert!(answer_soon("127.0.0.1:8080").is_some());
    wait_until("the last one is refused by nobody but the container", LIMIT, || {
        TcpListener::bind("127.0.0.1:20499").is_err()
    });
}

/// I4: the texts are Docker's.
#[test]
fn i4_wrong_ports_are_named() {
    let mistake = |port: &str| {
        let mut step06 = command(env!("CARGO_BIN_EXE_step06"));
        let output = step06.args(["--rootfs", "/", "-p", port, "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        said(&output).lines().next().unwrap().to_owned()
    };
    for (port, text) in [
        ("99999:1", "invalid hostPort: 99999"),
        ("abc", "invalid containerPort: abc"),
        ("80/icmp", "invalid proto: icmp"),
        ("8000-8001:80-82", "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"),
    ] {
        assert_eq!(mistake(port), format!("step06: invalid value '{port}' for '--publish <PORTS>': {text}"));
    }
}
