//! A container behind the bridge, seen from the host and from outside.

mod lab;

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};

use lab::{
    LIMIT, Lab, SERVE, accept_soon, answer_soon, bridge_is_there, in_network_of, links, output_of, said,
    write_file,
};
use nix::sys::signal::{Signal, kill};
use support::{command, namespaces, wait_until};

#[test]
fn container_has_an_address_and_a_way_out() {
    let Some(lab) = Lab::of_root() else { return };
    let started = lab.start("", "sleep 60");
    let theirs = |file: &str| fs::read_to_string(format!("/proc/{}/net/{file}", started.container)).unwrap();

    let ours = namespaces(nix::unistd::getpid()).unwrap();
    assert_ne!(namespaces(started.container).unwrap()["net"], ours["net"]);

    let dev = theirs("dev");
    let links: Vec<_> = dev.lines().skip(2).map(|line| line.split(':').next().unwrap().trim()).collect();
    assert_eq!(links, ["lo", "eth0"]);
    // A loopback that is off has no route to itself.
    let trie = theirs("fib_trie");
    assert!(trie.contains("127.0.0.1\n") && trie.contains("10.200.0.2\n"), "{trie}");
    let route = theirs("route");
    assert!(route.contains("eth0\t00000000\t0100C80A\t0003"), "no default route to 10.200.0.1: {route}");
}

#[test]
fn host_has_the_other_end_in_its_bridge() {
    let Some(lab) = Lab::of_root() else { return };
    let started = lab.start("", "sleep 60");
    let ports = output_of("ip", "-o link show master coracle0");
    assert_eq!(ports.lines().count(), 1, "{ports}");
    assert!(
        ports.contains(&format!("coracle-{}@", started.container)) && ports.contains("state UP"),
        "{ports}"
    );
    let addresses = output_of("ip", "-o -4 address show dev coracle0");
    assert!(addresses.contains("10.200.0.1/16"), "{addresses}");
    assert!(links().iter().all(|link| link != "eth0"), "the container's end was born in the host");
}

#[test]
fn connections_go_out_with_the_address_of_the_host() {
    let Some(lab) = Lab::of_root() else { return };
    let listener = in_network_of(lab.outside(), || TcpListener::bind("192.0.2.2:7000").unwrap());
    let _started = lab.start("", "nc 192.0.2.2 7000; sleep 60");
    let from = accept_soon(&listener).unwrap();
    assert_eq!(from.ip().to_string(), "192.0.2.1");
}

#[test]
fn containers_have_addresses_of_their_own_and_reach_each_other() {
    let Some(lab) = Lab::of_root() else { return };
    let one = lab.start("", SERVE);
    let two = lab.start("", "sleep 60");
    let seen = in_network_of(two.container, || answer_soon("10.200.0.2:80"));
    assert_eq!(seen.as_deref(), Some("served\n"));
    // The lowest address is free again as soon as its owner has gone.
    drop(one);
    let three = lab.run("", "ip -o -4 address show dev eth0");
    assert!(String::from_utf8_lossy(&three.stdout).contains("10.200.0.2/16"), "{three:?}");
}

#[test]
fn bridge_goes_with_the_last_container() {
    let Some(lab) = Lab::of_root() else { return };
    let mut one = lab.start("", "sleep 60");
    let mut two = lab.start("", "sleep 60");
    for (started, is_last) in [(&mut one, false), (&mut two, true)] {
        kill(started.container, Signal::SIGKILL).unwrap();
        started.host.child().wait().unwrap();
        assert_eq!(bridge_is_there(), !is_last);
    }
}

#[test]
fn subnet_is_one_that_the_host_has_no_route_to() {
    let Some(lab) = Lab::of_root() else { return };
    output_of("ip", "route add 10.200.128.0/17 via 192.0.2.2");
    // A private network that takes everything, in two halves, is no reason.
    output_of("ip", "route add 0.0.0.0/1 via 192.0.2.2");
    let _started = lab.start("", "sleep 60");
    let addresses = output_of("ip", "-o -4 address show dev coracle0");
    assert!(addresses.contains("10.201.0.1/16"), "{addresses}");
}

#[test]
fn files_of_etc_say_who_is_who() {
    let Some(lab) = Lab::of_root() else { return };
    write_file("/run/resolv.conf", "nameserver 192.0.2.53\nsearch example.org\n");
    output_of("mount", "--bind /run/resolv.conf /etc/resolv.conf");
    // The root file system's own are links to somewhere else.
    let etc = lab.root().join("etc");
    std::os::unix::fs::symlink("/run/elsewhere", etc.join("resolv.conf")).unwrap();
    let started = lab.start("--hostname box", "sleep 60");
    let inside = |file: &str| fs::read_to_string(format!("/proc/{}/root/etc/{file}", started.container));
    assert_eq!(inside("hostname").unwrap(), "box\n");
    assert!(inside("hosts").unwrap().ends_with("\n10.200.0.2\tbox\n"));
    // Absolute links are followed in the container's root, not here.
    let resolv_conf = format!("/proc/{}/root/run/elsewhere", started.container);
    assert_eq!(fs::read_to_string(resolv_conf).unwrap(), "search example.org\nnameserver 192.0.2.53\n");
    drop(started);
    assert!(
        fs::read_to_string(etc.join("hostname")).unwrap().is_empty(),
        "written into the root file system"
    );
    assert!(!std::path::Path::new("/run/elsewhere").exists());
}

/// A resolver that listens on the host's loopback is asked through the gateway, and takes the
/// question for one of the host's own.
#[test]
fn names_are_found_through_a_resolver_on_the_loopback_of_the_host() {
    let Some(lab) = Lab::of_root() else { return };
    write_file("/run/resolv.conf", "nameserver 127.0.0.1\n");
    output_of("mount", "--bind /run/resolv.conf /etc/resolv.conf");
    let resolver = UdpSocket::bind("127.0.0.1:53").unwrap();
    resolver.set_read_timeout(Some(LIMIT)).unwrap();
    let started = lab.start("", "nslookup -type=a coracle.example; sleep 60");
    let mut question = [0; 512];
    let (length, from) = resolver.recv_from(&mut question).unwrap();
    assert!(String::from_utf8_lossy(&question[..length]).contains("coracle\u{7}example"));
    assert_eq!(from.ip().to_string(), "127.0.0.1");
    let resolv_conf = fs::read_to_string(format!("/proc/{}/root/etc/resolv.conf", started.container));
    assert_eq!(resolv_conf.unwrap(), "nameserver 10.200.0.1\n");
}

#[test]
fn without_nft_only_the_loopback_is_there_unless_more_was_asked_for() {
    let Some(lab) = Lab::of_root() else { return };
    let nft = support::program("nft").unwrap();
    output_of("mount", &format!("--bind /dev/null {}", nft.display()));
    let lone = lab.run("", "ip -o link");
    assert_eq!(lone.status.code(), Some(0));
    insta::assert_snapshot!(said(&lone), @r"
    only the loopback is connected: nft is missing
    sudo apt install nftables
    ");
    assert_eq!(String::from_utf8_lossy(&lone.stdout).lines().count(), 1);
    for options in ["--network bridge", "-p 8080:80"] {
        let asked = lab.run(options, "true");
        assert_eq!(asked.status.code(), Some(125));
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(&asked), @r"
            step06: nft is missing
            sudo apt install nftables
            ");
        }
    }
}

#[test]
fn without_a_network_there_is_a_loopback_that_is_up() {
    let Some(lab) = Lab::of_root() else { return };
    let started = lab.start("--network none", "nc -l -p 80 127.0.0.1; sleep 60");
    let reached = in_network_of(started.container, || {
        wait_until("it listens", LIMIT, || TcpStream::connect("127.0.0.1:80").is_ok());
        fs::read_to_string("/proc/thread-self/net/dev").unwrap().lines().skip(2).count()
    });
    assert_eq!(reached, 1);
    assert!(!bridge_is_there());
}

#[test]
fn network_of_the_host_is_shared_when_asked_for() {
    let Some(lab) = Lab::of_root() else { return };
    let mut step06 = lab.step06("--network host", "sleep 60");
    let host = support::Background::spawn(&mut step06).unwrap();
    wait_until("it runs", LIMIT, || {
        support::descendants(host.pid())
            .into_iter()
            .any(|pid| support::command_name(pid).as_deref() == Some("sleep"))
    });
    let container = support::children(host.pid())[0];
    let ours = namespaces(nix::unistd::getpid()).unwrap();
    assert_eq!(namespaces(container).unwrap()["net"], ours["net"]);
    let hosts = fs::read_to_string(format!("/proc/{container}/root/etc/hosts")).unwrap();
    assert_eq!(hosts, fs::read_to_string("/etc/hosts").unwrap());
    assert!(!bridge_is_there());
}

#[test]
fn ten_at_once_get_ten_addresses() {
    let Some(lab) = Lab::of_root() else { return };
    let mut all: Vec<_> = (0..10)
        .map(|_| {
            let mut step06 = lab.step06("", "ip -o -4 address show dev eth0; sleep 1");
            step06.stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut addresses: Vec<_> = all
        .drain(..)
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            let text = String::from_utf8(output.stdout).unwrap();
            text.split_whitespace().find(|word| word.starts_with("10.200.")).unwrap().to_owned()
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 10, "{addresses:?}");
    assert!(!bridge_is_there());
}

#[test]
fn whoever_is_not_root_cannot_have_a_bridge() {
    if support::Role::here() == support::Role::Root {
        return support::not_applicable(support::NotApplicable::NeedsUser);
    }
    let mut step06 = command(env!("CARGO_BIN_EXE_step06"));
    let output = step06.args(["--rootfs", "/", "--network", "bridge", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    insta::assert_snapshot!(said(&output), @r"
    step06: only root may make a bridge
    without --network, pasta connects the container
    ");
}
