//! The options of `run` about the network. Each test fails if the option's value is dropped.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Role, wait_until};

use crate::kit::{Boat, Image, LIMIT, Layer, Ran, Started, have};
use crate::network::{connected, get, run};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

/// What `ps` shows of the one that runs.
fn published(boat: &Boat) -> Vec<String> {
    let table = boat.coracle("ps").ok();
    let words = table.split_whitespace().filter(|word| word.contains("->"));
    words.map(|word| word.trim_end_matches(',').to_owned()).collect()
}

#[test]
fn names_are_asked_for_where_one_says() {
    let Some(boat) = boat() else { return };
    let options = "--dns 192.0.2.7 --dns 2001:db8::7 --dns-search one.example --dns-search two.example \
                   --dns-option ndots:3 --dns-option rotate";
    assert_eq!(
        boat.sh(options, "cat /etc/resolv.conf").ok(),
        "nameserver 192.0.2.7\nnameserver 2001:db8::7\nsearch one.example two.example\noptions ndots:3 rotate"
    );
    let hosts = boat.sh(
        "--add-host one:192.0.2.1 --add-host six=[2001:db8::9]",
        "cat /etc/hosts; ping -c 1 -W 1 one 2>&1 | head -1",
    );
    assert!(hosts.out.contains("192.0.2.1\tone\n2001:db8::9\tsix\n"), "{hosts:?}");
    assert!(hosts.out.contains("(192.0.2.1)"), "{hosts:?}");
    boat.sh("--add-host me:host-gateway", "true").failed(125, "there is no host-gateway with this network");
    boat.assert_no_container();
}

#[test]
fn the_hosts_files_are_not_changed_by_it() {
    let Some(boat) = boat() else { return };
    let before = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    let words = ["run", "--rm", "--network", "host", "--dns", "192.0.2.7", "--add-host", "me:host-gateway"];
    let mut command = boat.command(words);
    let seen = Ran::of(command.args([&*boat.image, "cat", "/etc/resolv.conf", "/etc/hosts"])).ok();
    assert!(seen.contains("nameserver 192.0.2.7") && seen.contains("127.0.0.1\tme"), "{seen}");
    assert_eq!(std::fs::read_to_string("/etc/resolv.conf").unwrap(), before);
}

#[test]
fn hosts_network_has_the_hosts_name_and_another_ones_that_ones() {
    let Some(boat) = boat() else { return };
    let mut command = boat.command(["run", "--rm", "--network", "host", &boat.image, "hostname"]);
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    assert_eq!(Ran::of(&mut command).ok(), host);
}

#[test]
fn ports_of_the_image_and_exposed_ones_are_published_by_one_letter() {
    let Some(_) = connected() else { return };
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image.set("ExposedPorts", json!({"80/tcp": {}})));
    let options = "-P --expose 7000-7001 --expose 53/udp -p 127.0.0.1::81";
    let mut runs = Started::of(&mut run(&boat, options, "echo started; exec httpd -f -p 80 -h /"));
    let ports = published(&boat);
    for port in ["->80/tcp", "->7000/tcp", "->7001/tcp", "->53/udp", "->81/tcp"] {
        assert!(ports.iter().any(|known| known.ends_with(port)), "{port} in {ports:?}");
    }
    let web = ports.iter().find_map(|port| port.strip_suffix("->80/tcp")).unwrap();
    let web: SocketAddr = web.replace("0.0.0.0", "127.0.0.1").parse().unwrap();
    wait_until("it answers", LIMIT, || get(web).is_some_and(|text| text.ends_with("hello from above\n")));
    runs.signal(nix::sys::signal::Signal::SIGTERM);
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();
    // Without the letter it is a note, and nothing is opened.
    let _runs = Started::of(&mut run(&boat, "--expose 7000", "echo started; exec sleep 1000"));
    assert_eq!(published(&boat), Vec::<String>::new());
}

#[test]
fn l34_absurd_ports_of_an_image_count_only_where_they_are_asked_for() {
    let Some(image) = Image::bare_busybox(json!({"ExposedPorts": {"99999/icmp": {}}})) else { return };
    let boat = Boat::holding(&image.layer(Layer::new()));
    boat.sh("", "true").ok();
    let mut command = boat.command(["run", "--rm", "-P", &boat.image, "true"]);
    Ran::of(&mut command).failed(125, "the image says that it listens at \"99999/icmp\"");
    boat.assert_no_container();
}

/// The image has no program that answers datagrams: the host's one comes along.
const PERL: &str = "-v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro";
const ECHO: &str = r#"echo started; exec /usr/bin/perl -MIO::Socket::INET -e '
    $s = IO::Socket::INET->new(LocalPort => PORT, Proto => "udp") or die $!;
    while (defined $s->recv($m, 99)) { $s->send($m) }'"#;

#[test]
fn i4_datagrams_are_published_as_well() {
    let Some(boat) = connected() else { return };
    if !have(&[("perl", "perl-base")]) {
        return;
    }
    // The same number on both sides: Debian's pasta of 2023 loses answers where they differ.
    let host = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let port = host.port().to_string();
    let options = format!("{PERL} -p {host}:{port}/udp");
    let mut runs = Started::of(&mut run(&boat, &options, &ECHO.replace("PORT", &port)));
    assert_eq!(published(&boat), [format!("{host}->{port}/udp")]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket.connect(host).unwrap();
    wait_until("it answers", LIMIT, || {
        let mut buffer = [0; 16];
        let _ = socket.send(b"hello\n");
        matches!(socket.recv(&mut buffer), Ok(6)) && buffer.starts_with(b"hello\n")
    });
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();
    boat.coracle("ps").ok();
    wait_until("it is free again", LIMIT, || UdpSocket::bind(host).is_ok());
}

#[test]
fn i4_who_comes_by_ipv6_is_served() {
    let Some(boat) = connected() else { return };
    let Ok(free) = TcpListener::bind("[::1]:0") else {
        return support::not_run("this host has no IPv6: sysctl net.ipv6.conf.lo.disable_ipv6=0");
    };
    let host = free.local_addr().unwrap();
    drop(free);
    let mut runs =
        Started::of(&mut run(&boat, &format!("-p {host}:80"), "echo started; exec httpd -f -p 80 -h /"));
    assert_eq!(published(&boat), [format!("{host}->80/tcp")]);
    wait_until("it answers", LIMIT, || get(host).is_some_and(|text| text.ends_with("hello from above\n")));
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();
    boat.coracle("ps").ok();
    wait_until("it is free again", LIMIT, || TcpListener::bind(host).is_ok());
}

#[test]
fn i4_all_addresses_are_those_of_ipv6_too() {
    let Some(boat) = connected() else { return };
    let options = "--name runs -p 80";
    let mut runs = Started::of(&mut run(&boat, options, "echo started; exec httpd -f -p 0.0.0.0:80 -h /"));
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    let ports = published(&boat);
    let port = ports[0].strip_prefix("0.0.0.0:").and_then(|port| port.strip_suffix("->80/tcp"));
    let port: u16 = port.unwrap_or_else(|| panic!("{ports:?}")).parse().unwrap();
    let places = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
    let places = &places[..1 + usize::from(has_ipv6)];
    assert_eq!(ports, places.iter().map(|place| format!("{place}->80/tcp")).collect::<Vec<_>>());
    assert_eq!(boat.coracle("port runs 80").ok(), places.join("\n"));
    let words = ["inspect", "--format", "{{json .NetworkSettings.Ports}}", "runs"];
    let bindings: serde_json::Value = serde_json::from_str(&Ran::of(&mut boat.command(words)).ok()).unwrap();
    assert_eq!(bindings["80/tcp"].as_array().map(Vec::len), Some(places.len()), "{bindings}");
    assert_eq!(bindings["80/tcp"][places.len() - 1]["HostIp"], if has_ipv6 { "::" } else { "0.0.0.0" });
    for place in places {
        let place = place.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]").parse().unwrap();
        wait_until("it answers", LIMIT, || {
            get(place).is_some_and(|text| text.ends_with("hello from above\n"))
        });
    }
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();
    boat.coracle("ps").ok();
    wait_until("it is free again", LIMIT, || places.iter().all(|place| TcpListener::bind(&**place).is_ok()));
}

#[test]
fn host_gateway_is_the_host_and_the_way_to_a_neighbour() {
    let Some(boat) = connected() else { return };
    let _neighbour = Started::of(&mut run(&boat, "-p 80", "echo started; exec httpd -f -p 80 -h /"));
    let port = published(&boat)[0].clone();
    let port = port.strip_prefix("0.0.0.0:").and_then(|port| port.strip_suffix("->80/tcp")).unwrap();
    let fetch = |port: &str, tries: u32| {
        let line = format!(
            "for i in $(seq {tries}); do timeout 3 wget -q -O - http://host:{port}/greeting && break; sleep 0.1; done 2>/dev/null"
        );
        Ran::of(&mut run(&boat, "--add-host host:host-gateway", &line)).out
    };
    assert_eq!(fetch(port, 50), "hello from above\n");
    // What the host has for itself alone stays out of reach.
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    own.set_nonblocking(true).unwrap();
    fetch(&own.local_addr().unwrap().port().to_string(), 1);
    assert!(own.accept().is_err(), "a container has connected to 127.0.0.1 of the host");
}

#[test]
fn i4_one_of_a_range_is_any_that_is_free() {
    let Some(boat) = connected() else { return };
    // Three in a row that are free just now.
    let start = |port: u16| {
        (port..port + 3).map(|port| TcpListener::bind(("127.0.0.1", port))).collect::<Result<Vec<_>, _>>()
    };
    let first = (20_000..60_000).step_by(7).find(|port| start(*port).is_ok()).unwrap();
    let _taken = TcpListener::bind(("127.0.0.1", first)).unwrap();
    let options = format!("-p 127.0.0.1:{first}-{}:80", first + 2);
    let _runs = Started::of(&mut run(&boat, &options, "echo started; exec sleep 1000"));
    assert_eq!(published(&boat), [format!("127.0.0.1:{}->80/tcp", first + 1)]);
}

#[test]
fn i4_a_port_in_use_leaves_a_container_that_was_not_started() {
    let Some(boat) = connected() else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let words = ["run", "--name", "kept", "-p", &format!("{port}:80"), &boat.image, "true"];
    let ran = Ran::of(&mut boat.command(words));
    ran.failed(125, &format!("cannot publish {port}: EADDRINUSE"));
    let table = boat.coracle("ps --all").ok();
    let words: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert!(words.contains(&"Created") && words.last() == Some(&"kept"), "{table}");
}

#[test]
fn i4_a_low_port_of_an_ordinary_user_names_the_switch() {
    if Role::here() == Role::Root {
        return support::not_applicable(support::NotApplicable::NeedsUser);
    }
    let Some(boat) = connected() else { return };
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim().parse::<u16>().unwrap() < 2 {
        return support::not_run(
            "every port is open to everybody here: sysctl net.ipv4.ip_unprivileged_port_start",
        );
    }
    let error = Ran::of(&mut run(&boat, "-p 127.0.0.1:1:80", "true"));
    error.failed(125, "sudo sysctl net.ipv4.ip_unprivileged_port_start=1");
    boat.assert_no_container();
}

#[test]
fn i4_wrong_ports_are_125() {
    let Some(boat) = boat() else { return };
    for (ports, text) in [
        ("99999:1", "invalid hostPort: 99999"),
        ("abc", "invalid containerPort: abc"),
        ("80/icmp", "invalid proto: icmp"),
        ("8000-8001:80-82", "invalid ranges specified for container and host Ports: 80-82 and 8000-8001"),
        ("nowhere:80:80", "invalid IP address: nowhere"),
        ("8080:", "no port specified: 8080:<empty>"),
    ] {
        boat.sh(&format!("-p {ports}"), "true").failed(125, text);
    }
    boat.assert_no_container();
}

/// As the images of some servers for telephony do: one for each call.
#[test]
fn all_ports_that_there_are_may_be_exposed() {
    let Some(boat) = boat() else { return };
    let image = boat.image.clone();
    let words = ["run", "--rm", "--expose", "1-65535", "--expose", "1-65535/udp", &image, "echo", "here"];
    let start = Instant::now();
    let ran = Ran::of(&mut boat.command(words));
    assert_eq!((ran.code, &*ran.out), (0, "here\n"), "{ran:?}");
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}
