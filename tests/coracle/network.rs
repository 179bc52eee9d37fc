//! Networks: none, the host's, and one of the container's own with ports that others reach.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use support::{Background, NotApplicable, Role, alone, not_applicable, not_run, program};

use crate::kit::{Boat, LIMIT, Ran, Started, tool};

/// The boat, unless a network cannot be had here, which is said. Root's bridge is the host's: the test runs again
/// where the host is its own.
pub fn connected() -> Option<Boat> {
    let (needed, package) = if Role::here() == Role::Root { ("nft", "nftables") } else { ("pasta", "passt") };
    if program(needed).is_none() {
        not_run(&format!("{needed} is missing: apt-get install {package}"));
        return None;
    }
    if Role::here() == Role::Root && !alone() {
        return None;
    }
    if Role::here() != Role::Root && fs::File::options().read(true).write(true).open("/dev/net/tun").is_err()
    {
        not_run("/dev/net/tun is closed to ordinary users: chmod 0666 /dev/net/tun");
        return None;
    }
    let boat = Boat::new()?;
    boat.sh("", "true").ok();
    Some(boat)
}

/// `coracle run OPTIONS IMAGE sh -c LINE`, with whatever network the options say.
pub fn run(boat: &Boat, options: &str, line: &str) -> std::process::Command {
    let words = ["run", "--rm"].into_iter().chain(options.split_whitespace());
    boat.command(words.chain([&*boat.image, "sh", "-c", line]))
}

/// The links that a process sees.
pub fn links(pid: nix::unistd::Pid) -> Vec<String> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    let mut links: Vec<_> =
        table.lines().skip(2).map(|line| line.split(':').next().unwrap().trim().to_owned()).collect();
    links.sort();
    links
}

#[test]
fn without_a_network_there_is_a_loopback() {
    let Some(boat) = Boat::new() else { return };
    let runs = boat.start("--rm", "sleep 1000");
    assert_eq!(links(runs.container), ["lo"]);
    assert_eq!(
        boat.sh(
            "",
            "ping -c 1 -W 1 127.0.0.1 >/dev/null && echo up; ping -c 1 -W 1 192.0.2.1 2>&1 | tail -1"
        )
        .ok(),
        "up\nping: sendto: Network is unreachable"
    );
}

#[test]
fn container_is_connected_by_default() {
    let Some(boat) = connected() else { return };
    let mut runs = Started::of(&mut run(
        &boat,
        "--hostname box",
        "echo started; ip -4 -o address show dev eth0; ip route; cat /etc/hosts; sleep 1000",
    ));
    assert_eq!(links(runs.container), ["eth0", "lo"]);
    let address = runs.line();
    let address =
        address.split_whitespace().nth(3).and_then(|text| text.split('/').next()).unwrap_or_default();
    assert!(address.parse::<std::net::Ipv4Addr>().is_ok(), "{address}");
    assert!(runs.line().starts_with("default via "), "a way out");
    if Role::here() == Role::Root {
        // The cable's other end is in the bridge.
        assert!(links(nix::unistd::getpid()).contains(&"coracle0".to_owned()));
    }
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();
    Ran::of(&mut run(&boat, "--network none", "true")).ok();
    // Others are not alone on their host, and have no right to make one.
    assert!(Role::here() != Role::Root || !links(nix::unistd::getpid()).contains(&"coracle0".to_owned()));
}

#[test]
fn published_port_is_reached_and_listed_and_free_again() {
    let Some(boat) = connected() else { return };
    let mut runs = Started::of(&mut run(&boat, "-p 127.0.0.1::80", "echo started; exec httpd -f -p 80 -h /"));
    let table = boat.coracle("ps").ok();
    let ports =
        table.lines().nth(1).unwrap().split_whitespace().find(|word| word.contains("->")).unwrap().to_owned();
    let host: SocketAddr =
        ports.strip_suffix("->80/tcp").unwrap_or_else(|| panic!("{ports}")).parse().unwrap();
    assert_eq!(host.ip().to_string(), "127.0.0.1");
    support::wait_until("the port answers", LIMIT, || {
        get(host).is_some_and(|text| text.ends_with("hello from above\n"))
    });
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();
    boat.coracle("ps").ok();
    support::wait_until("nobody answers any more", LIMIT, || TcpStream::connect(host).is_err());
    std::net::TcpListener::bind(host).unwrap();
}

#[test]
fn published_port_is_reached_from_another_host() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NoBridge);
    }
    let Some(boat) = connected() else { return };
    // The other host is one more network, with a cable to this one.
    let mut unshare = support::command("unshare");
    let other = Background::spawn(unshare.args(["--net", "sleep", "1000"])).unwrap();
    let pid = other.pid().to_string();
    let net = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    support::wait_until("the other host is there", LIMIT, || {
        net(&pid).is_some_and(|inode| Some(inode) != net("self"))
    });
    let inside = ["nsenter", "--net", "--target", &pid];
    let ip = |before: &[&str], words: &str| {
        drop(tool(&[before, &["ip"], &words.split(' ').collect::<Vec<_>>()].concat()))
    };
    ip(&[], &format!("link add cable type veth peer name cable netns {pid}"));
    ip(&[], "address add 192.0.2.1/24 dev cable");
    ip(&[], "address add 2001:db8::1/64 dev cable nodad");
    ip(&[], "link set cable up");
    ip(&inside, "address add 192.0.2.2/24 dev cable");
    ip(&inside, "address add 2001:db8::2/64 dev cable nodad");
    ip(&inside, "link set cable up");

    let _runs = Started::of(&mut run(&boat, "-p 8080:80", "echo started; exec httpd -f -p 80 -h /"));
    assert!(boat.coracle("ps").ok().contains(" 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp "));
    for host in ["192.0.2.1", "[2001:db8::1]"] {
        let page = format!("http://{host}:8080/greeting");
        let get = [&inside[..], &["busybox", "wget", "-q", "-O", "-", &page]].concat();
        support::wait_until(&format!("{host} answers"), LIMIT, || {
            support::command(get[0]).args(&get[1..]).output().unwrap().stdout == b"hello from above\n"
        });
    }
}

#[test]
fn port_that_is_in_use_is_125_and_leaves_nothing() {
    let Some(boat) = connected() else { return };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let error = Ran::of(&mut run(&boat, &format!("-p {port}:80"), "true"));
    error.failed(125, &format!("cannot publish {port}: EADDRINUSE"));
    boat.assert_no_container();
}

#[test]
fn ordinary_user_has_no_bridge_and_root_no_pasta() {
    let Some(boat) = Boat::new() else { return };
    let (way, text) = match Role::here() {
        Role::Root => ("pasta", "pasta connects the containers of ordinary users"),
        _ => ("bridge", "only root may make a bridge"),
    };
    boat.sh("", "true").ok();
    Ran::of(&mut run(&boat, &format!("--network {way}"), "true")).failed(125, text);
    boat.assert_no_container();
}

#[test]
fn without_pasta_there_is_the_loopback_and_a_line_that_names_the_package() {
    if Role::here() == Role::Root {
        return not_applicable(NotApplicable::NeedsUser);
    }
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let without_path = |options: &str| {
        let mut command = run(&boat, options, "ip link show eth0 2>/dev/null; echo ran");
        Ran::of(command.env("PATH", helpers_of_user_namespaces(&boat)))
    };
    let ran = without_path("");
    assert_eq!((ran.code, &*ran.out), (0, "ran\n"), "{ran:?}");
    assert!(ran.err.contains("sudo apt install passt") && ran.err.lines().count() <= 2, "{ran:?}");
    without_path("--network pasta").failed(125, "sudo apt install passt");
    without_path("-p 8080:80").failed(125, "sudo apt install passt");
    boat.assert_no_container();
}

/// A folder that has the two programs without which a user has one id only, and nothing else.
fn helpers_of_user_namespaces(boat: &Boat) -> std::path::PathBuf {
    let folder = boat.path("path");
    fs::create_dir_all(&folder).unwrap();
    for name in ["newuidmap", "newgidmap"] {
        if let Some(helper) = program(name) {
            let _ = std::os::unix::fs::symlink(helper, folder.join(name));
        }
    }
    folder
}

#[test]
fn names_are_resolved_where_the_host_asks() {
    let Some(boat) = connected() else { return };
    let seen = Ran::of(&mut run(
        &boat,
        "--hostname box",
        "cat /etc/resolv.conf; ping -c 1 -W 1 box >/dev/null && echo found",
    ));
    assert!(seen.code == 0 && seen.out.ends_with("found\n"), "{seen:?}");
    assert!(seen.out.lines().all(|line| !line.contains("127.0.0.53")), "{seen:?}");
}

/// What an HTTP server says about /greeting.
pub fn get(host: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&host, Duration::from_secs(2)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"GET /greeting HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}
