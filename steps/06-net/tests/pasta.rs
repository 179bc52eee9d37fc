//! The ordinary user's way: pasta speaks for the container.

mod lab;

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::thread;
use std::time::Instant;

use lab::{LIMIT, Lab, SERVE, answer_soon, ends, said};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use support::{
    NotApplicable, Role, alone, children, command_name, descendants, is_alive, not_applicable, not_run,
    program, wait_until,
};

/// Nothing if it cannot run here, which has then been said.
fn lab() -> Option<Lab> {
    if Role::here() == Role::Root {
        not_applicable(NotApplicable::NeedsUser);
        return None;
    }
    if program("pasta").is_none() {
        not_run("pasta is missing: apt-get install passt");
        return None;
    }
    if fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_err() {
        not_run("/dev/net/tun is closed to ordinary users: chmod 0666 /dev/net/tun");
        return None;
    }
    if !alone() {
        return None;
    }
    let mut lab = Lab::new()?;
    match Role::here() {
        // The machine's own network, of which only the loopback is used.
        Role::User => {
            let routes = fs::read_to_string("/proc/net/route").unwrap();
            if !routes.lines().any(|route| route.split('\t').nth(1) == Some("00000000")) {
                not_run("there is no default route, without which pasta does not start");
                return None;
            }
        }
        _ => lab.connect()?,
    }
    Some(lab)
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn pasta_of(host: Pid) -> Option<Pid> {
    descendants(host).into_iter().find(|pid| command_name(*pid).is_some_and(|name| name.starts_with("pas")))
}

#[test]
fn container_has_a_link_and_a_way_out() {
    let Some(lab) = lab() else { return };
    let started = lab.start("", "sleep 60");
    let theirs = |file: &str| fs::read_to_string(format!("/proc/{}/net/{file}", started.container)).unwrap();
    assert!(theirs("dev").contains("eth0:"));
    assert!(theirs("route").contains("eth0\t00000000\t"), "{}", theirs("route"));
    assert!(theirs("fib_trie").contains("127.0.0.1\n"));
}

#[test]
fn published_port_leads_to_the_container() {
    let Some(lab) = lab() else { return };
    let (one, other) = (free_port(), free_port());
    let _server = lab.start(&format!("-p {one}:80 -p 127.0.0.1:{other}:80"), SERVE);
    for port in [one, other] {
        assert_eq!(answer_soon(&format!("127.0.0.1:{port}")).as_deref(), Some("served\n"));
    }
}

#[test]
fn loopback_of_the_host_is_out_of_reach() {
    let Some(lab) = lab() else { return };
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    // By its own loopback, and by the address of the gateway.
    let tries = format!(
        "gateway=$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'); \
         for to in 127.0.0.1 $gateway; do timeout 1 nc -w 1 $to {port} </dev/null; done; true"
    );
    assert_eq!(lab.run("", &tries).status.code(), Some(0));
    host.set_nonblocking(true).unwrap();
    assert!(host.accept().is_err(), "a container has connected to 127.0.0.1 of the host");
}

#[test]
fn host_gateway_is_the_host_by_its_own_address_and_leads_to_neighbours() {
    let Some(lab) = lab() else { return };
    let port = free_port();
    let _server = lab.start(&format!("-p {port}:80"), SERVE);
    // Debian's pasta of 2023 does not always pass the end of a connection on; then the server is asked again.
    let fetch = format!("sleep 1 | timeout 3 nc host {port}");
    let seen = lab.run("--add-host host:host-gateway", &fetch);
    let text = String::from_utf8_lossy(&seen.stdout);
    assert!(text.starts_with("served\n") && text.lines().all(|line| line == "served"), "{seen:?}");
    // What the host has for itself alone stays out of reach.
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    own.set_nonblocking(true).unwrap();
    let port = own.local_addr().unwrap().port();
    lab.run("--add-host host:host-gateway", &format!("sleep 1 | timeout 2 nc host {port}; true"));
    assert!(own.accept().is_err(), "a container has connected to 127.0.0.1 of the host");
}

#[test]
fn who_comes_by_ipv6_is_served_as_well() {
    let Some(lab) = lab() else { return };
    if TcpListener::bind("[::1]:0").is_err() {
        return not_run("this host has no IPv6: sysctl net.ipv6.conf.lo.disable_ipv6=0");
    }
    let port = free_port();
    let server = lab.start(&format!("-p {port}:80"), SERVE);
    // It listens by IPv4 alone.
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(answer_soon(&address).as_deref(), Some("served\n"), "{address}");
    }
    drop(server);
    wait_until("it is free again", LIMIT, || TcpListener::bind(format!("[::1]:{port}")).is_ok());
}

#[test]
fn port_that_is_in_use_is_an_error() {
    let Some(lab) = lab() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = lab.run(&format!("-p 127.0.0.1:{port}:80"), "true");
    assert_eq!(taken.status.code(), Some(125));
    let text = said(&taken);
    let expected = format!("step06: cannot publish 127.0.0.1:{port}: EADDRINUSE: Address already in use\n");
    assert_eq!(text, expected);
}

#[test]
fn i4_port_of_root_names_the_setting_that_opens_it() {
    let Some(lab) = lab() else { return };
    if Role::here() != Role::User {
        // The new network is that root's own.
        return not_applicable(NotApplicable::NeedsUser);
    }
    let output = lab.run("-p 127.0.0.1:80:80", "true");
    assert_eq!(output.status.code(), Some(125));
    insta::assert_snapshot!(said(&output), @r"
    step06: cannot publish 127.0.0.1:80: EACCES: Permission denied
    sudo sysctl net.ipv4.ip_unprivileged_port_start=80
    ");
}

#[test]
fn pasta_ends_with_its_container() {
    let Some(lab) = lab() else { return };
    let mut started = lab.start("", "sleep 60");
    let pasta = pasta_of(started.host.pid()).unwrap();
    kill(started.container, Signal::SIGKILL).unwrap();
    started.host.child().wait().unwrap();
    assert!(!is_alive(pasta), "it was still there when step06 had ended");
}

#[test]
fn pasta_ends_with_a_host_that_was_killed() {
    let Some(lab) = lab() else { return };
    let mut started = lab.start("", "sleep 60");
    let pasta = pasta_of(started.host.pid()).unwrap();
    kill(started.host.pid(), Signal::SIGKILL).unwrap();
    started.host.child().wait().unwrap();
    ends(started.container);
    ends(pasta);
}

#[test]
fn pasta_ends_with_a_host_that_was_stopped_and_killed() {
    let Some(lab) = lab() else { return };
    let mut started = lab.start("", "sleep 60");
    let pasta = pasta_of(started.host.pid()).unwrap();
    kill(started.host.pid(), Signal::SIGSTOP).unwrap();
    kill(started.host.pid(), Signal::SIGKILL).unwrap();
    started.host.child().wait().unwrap();
    ends(started.container);
    ends(pasta);
}

/// As ^Z does, which stops all of a process group.
#[test]
fn pasta_ends_also_if_the_group_of_its_host_was_stopped() {
    let Some(lab) = lab() else { return };
    let mut host = lab.step06("", "sleep 60");
    let mut host = support::Background::spawn(host.process_group(0)).unwrap();
    let mut pasta = None;
    wait_until("pasta runs", LIMIT, || {
        pasta = pasta_of(host.pid());
        pasta.is_some()
    });
    let pasta = pasta.unwrap();
    killpg(host.pid(), Signal::SIGSTOP).unwrap();
    kill(host.pid(), Signal::SIGKILL).unwrap();
    host.child().wait().unwrap();
    ends(pasta);
}

#[test]
fn a_leash_that_is_stopped_keeps_nobody_waiting() {
    let Some(lab) = lab() else { return };
    let mut started = lab.start("", "sleep 60");
    let pasta = pasta_of(started.host.pid()).unwrap();
    let shells = children(started.host.pid()).into_iter().filter(|child| *child != started.container);
    shells.for_each(|shell| kill(shell, Signal::SIGSTOP).unwrap());
    kill(started.container, Signal::SIGKILL).unwrap();
    wait_until("step06 ends", LIMIT, || started.host.child().try_wait().unwrap().is_some());
    ends(pasta);
}

/// Not one of them is left, whenever it was.
#[test]
fn host_killed_while_it_starts_leaves_no_helper() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let are_left = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut words = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        words.any(|words| String::from_utf8_lossy(&words).contains(place))
    };
    let killed_when = |ready: &dyn Fn()| {
        let mut step06 = lab.step06("", "sleep 60");
        let mut host = support::Background::spawn(step06.env("XDG_RUNTIME_DIR", place)).unwrap();
        ready();
        let has_helper = are_left();
        kill(host.pid(), Signal::SIGKILL).unwrap();
        host.child().wait().unwrap();
        wait_until("nobody is left", LIMIT, || !are_left());
        has_helper
    };
    // How long it takes depends on the machine: the moments are spread over that time and half as much again.
    let start = Instant::now();
    killed_when(&|| wait_until("there is a helper", LIMIT, are_left));
    let whole = start.elapsed();
    let seen = (0..30).filter(|part| killed_when(&|| thread::sleep(whole * *part / 20))).count();
    assert!(seen > 0, "there was never a helper: this test would show nothing");
}

#[test]
fn files_of_the_dead_are_removed_by_the_next_command() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut step06 = lab.step06("", "sleep 60");
    let host = step06.env("XDG_RUNTIME_DIR", folder.path());
    let mut host = support::Background::spawn(host).unwrap();
    let files = folder.path().join("coracle");
    wait_until("it has files", LIMIT, || {
        files
            .read_dir()
            .is_ok_and(|entries| entries.flatten().any(|entry| entry.path().join("hosts").exists()))
    });
    // All that will ever be there must be known, or somebody could live on with the lock.
    wait_until("the command runs", LIMIT, || {
        descendants(host.pid()).into_iter().any(|pid| command_name(pid).as_deref() == Some("sleep"))
    });
    let all = descendants(host.pid());
    kill(host.pid(), Signal::SIGKILL).unwrap();
    host.child().wait().unwrap();
    all.into_iter().for_each(ends);
    assert!(files.exists(), "this test would show nothing");
    let next = lab.step06("--network none", "true").env("XDG_RUNTIME_DIR", folder.path()).output().unwrap();
    assert_eq!(next.status.code(), Some(0));
    assert!(!files.exists());
}

#[test]
fn without_pasta_only_the_loopback_is_there_unless_more_was_asked_for() {
    if Role::here() == Role::Root {
        return not_applicable(NotApplicable::NeedsUser);
    }
    if !alone() {
        return;
    }
    let Some(lab) = Lab::new() else { return };
    let without = |options: &str| {
        let mut step06 = lab.step06(&format!("--map one {options}"), "ip -o link");
        step06.env("PATH", "/not/there").output().unwrap()
    };
    let lone = without("");
    assert_eq!(lone.status.code(), Some(0));
    insta::assert_snapshot!(said(&lone), @r"
    only the loopback is connected: pasta is missing
    sudo apt install passt
    ");
    assert_eq!(String::from_utf8_lossy(&lone.stdout).lines().count(), 1);
    for options in ["--network pasta", "-p 8080:80"] {
        let asked = without(options);
        assert_eq!(asked.status.code(), Some(125));
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(&asked), @r"
            step06: pasta is missing
            sudo apt install passt
            ");
        }
    }
}

/// A class-room without a network, for one.
#[test]
fn without_a_route_only_the_loopback_is_there() {
    let Some(lab) = lab() else { return };
    // A host of its own, whose only link is a loopback.
    let without = |options: &str| {
        let mut unshare = support::command("unshare");
        unshare.args(["--user", "--map-root-user", "--net", env!("CARGO_BIN_EXE_step06"), "--rootfs"]);
        unshare.arg(lab.root()).args(options.split_whitespace()).args(["--", "true"]).output().unwrap()
    };
    let lone = without("");
    assert_eq!(lone.status.code(), Some(0), "{lone:?}");
    assert!(said(&lone).starts_with("only the loopback is connected: cannot connect the container: pasta: "));
    assert_eq!(without("--network pasta").status.code(), Some(125));
}
