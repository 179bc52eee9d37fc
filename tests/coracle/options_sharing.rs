//! Namespaces that a container shares with the host or with another container.

use std::fs;

use nix::sys::signal::Signal;
use support::{NotApplicable, Role, namespaces, not_applicable};

use crate::kit::{Boat, Image, Ran, Started};
use crate::network::{connected, get, links, run};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

/// Whether a process has the same namespace of a kind as we have.
fn is_ours(runs: &Started, kind: &str) -> bool {
    let here = namespaces(nix::unistd::getpid()).unwrap();
    namespaces(runs.container).unwrap()[kind] == here[kind]
}

/// As `Boat::start`, where names are the host's: what is told apart by is the parent alone.
fn start(boat: &Boat, options: &str, line: &str) -> Started {
    boat.start(options, line)
}

#[test]
fn processes_can_be_the_hosts() {
    let Some(boat) = boat() else { return };
    let runs = start(&boat, "--pid host", "exec sleep 1000");
    assert!(is_ours(&runs, "pid") && !is_ours(&runs, "mnt") && !is_ours(&runs, "ipc"));
    let us = std::process::id();
    assert_eq!(boat.sh("--pid host", &format!("test -d /proc/{us} && echo seen")).ok(), "seen");
    assert_eq!(boat.sh("", &format!("test -d /proc/{us} || echo hidden; echo $$")).ok(), "hidden\n1");
    // The host's switches stay out of reach.
    let ran = boat.sh("--pid host", "echo 1 >/proc/sys/kernel/panic");
    assert!(ran.err.contains("Read-only file system"), "{ran:?}");
    let keys = "cat /proc/keys /proc/timer_list | head -c 10 | wc -c";
    assert_eq!(boat.sh("--pid host", keys).ok(), "0");
}

#[test]
fn system_v_names_can_be_the_hosts_or_shared() {
    let Some(boat) = boat() else { return };
    let runs = start(
        &boat,
        "--name donor --ipc shareable --shm-size 3m",
        "echo text >/dev/shm/file; exec sleep 1000",
    );
    assert!(!is_ours(&runs, "ipc"));
    let place = format!("/proc/{}/root/dev/shm/file", runs.container);
    support::wait_until("it is written", crate::kit::LIMIT, || {
        fs::read_to_string(&place).is_ok_and(|text| text == "text\n")
    });
    let script = "cat /dev/shm/file; echo back >/dev/shm/file; readlink /proc/self/ns/ipc; df -k /dev/shm | awk 'NR == 2 {print $2}'";
    let seen = boat.sh("--ipc container:donor", script).ok();
    let theirs = fs::read_link(format!("/proc/{}/ns/ipc", runs.container)).unwrap();
    assert_eq!(seen, format!("text\n{}\n3072", theirs.display()));
    assert_eq!(fs::read_to_string(&place).unwrap(), "back\n");

    let host = start(&boat, "--ipc host", "exec sleep 1000");
    assert!(is_ours(&host, "ipc") && !is_ours(&host, "uts"));
    let ours = fs::read_link("/proc/self/ns/ipc").unwrap();
    assert_eq!(boat.sh("--ipc host", "readlink /proc/self/ns/ipc").ok(), ours.to_str().unwrap());
    assert_eq!(boat.sh("--ipc none", "grep -c ' /dev/shm ' /proc/mounts; true").ok(), "0");
}

#[test]
fn host_name_can_be_the_hosts() {
    let Some(boat) = boat() else { return };
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let ours = fs::read_link("/proc/self/ns/uts").unwrap();
    let seen = boat.sh("--uts host", "hostname; readlink /proc/self/ns/uts").ok();
    assert_eq!(seen, format!("{host}\n{}", ours.display()));
    boat.sh("--uts host --hostname box", "true")
        .failed(125, "conflicting options: hostname and the UTS mode");
    boat.assert_no_container();
}

#[test]
fn network_of_another_container_is_entered() {
    let Some(boat) = boat() else { return };
    let donor =
        start(&boat, "--name donor --hostname box --add-host mark:192.0.2.77", "exec httpd -f -p 80 -h /");
    let theirs = fs::read_link(format!("/proc/{}/ns/net", donor.container)).unwrap();
    let join = |inside: &[&str]| {
        let words = ["run", "--rm", "--network", "container:donor", &boat.image];
        Ran::of(&mut boat.command(words.iter().chain(inside)))
    };
    let script = "readlink /proc/self/ns/net; hostname; grep mark /etc/hosts";
    assert_eq!(join(&["sh", "-c", script]).ok(), format!("{}\nbox\n192.0.2.77\tmark", theirs.display()));
    // Both have one loopback.
    let fetch = "until wget -q -O - http://127.0.0.1/greeting; do sleep 0.1; done 2>/dev/null";
    assert_eq!(join(&["sh", "-c", fetch]).ok(), "hello from above");
    assert_eq!(links(donor.container), ["lo"]);

    let refused = |option: &str, value: &str, text: &str| {
        let words = ["run", "--rm", "--network", "container:donor", option, value, &boat.image, "true"];
        Ran::of(&mut boat.command(words)).failed(125, text);
    };
    refused("--hostname", "x", "conflicting options: hostname and the network mode");
    refused("-p", "80", "conflicting options: port publishing and the container type network mode");
    refused("--expose", "80", "conflicting options: port exposing and the container type network mode");
    refused("--dns", "192.0.2.1", "conflicting options: dns and the network mode");
    refused(
        "--add-host",
        "x:192.0.2.1",
        "conflicting options: custom host-to-IP mapping and the network mode",
    );
}

#[test]
fn processes_of_another_container_are_seen_and_do_not_see_the_host() {
    let Some(boat) = boat() else { return };
    let donor = start(&boat, "--name donor", "exec sleep 1234");
    let theirs = fs::read_link(format!("/proc/{}/ns/pid", donor.container)).unwrap();
    let script =
        "tr '\\0' ' ' </proc/1/cmdline; echo; readlink /proc/self/ns/pid; ls -d /proc/[0-9]* | wc -l; exit 7";
    let ran = boat.sh("--pid container:donor", script);
    let mut lines = ran.out.lines();
    assert_eq!((ran.code, lines.next(), lines.next()), (7, Some("sleep 1234 "), theirs.to_str()), "{ran:?}");
    assert!(lines.next().unwrap().trim().parse::<u32>().unwrap() <= 5, "{ran:?}");
    // C2, C3: nothing of the host's is open in it, and what is not yet one of them is not among them.
    let fds = boat.sh("--pid container:donor", "ls /proc/self/fd | tr '\\n' ' '");
    assert!(fds.out.starts_with("0 1 2 ") && fds.out.split(' ').count() <= 5, "{fds:?}");
    // Signals find it.
    let mut both =
        start(&boat, "--pid container:donor", "trap 'exit 9' TERM; while true; do sleep 0.05; done");
    both.signal(Signal::SIGTERM);
    assert_eq!(both.end().code, 9);
}

#[test]
fn who_shares_processes_or_names_has_a_network_of_its_own() {
    let Some(boat) = connected() else { return };
    // Root of a user namespace cannot enter the mounts of one whose process 1 is our init.
    let donors =
        if Role::here() == Role::RootInUserNamespace { &["one"][..] } else { &["one", "two --init"] };
    for donor in donors {
        let _donor = start(&boat, &format!("--name {donor}"), "exec sleep 1000");
        let donor = donor.split(' ').next().unwrap();
        for kind in ["pid", "ipc"] {
            let options = format!("--{kind} container:{donor} -p 127.0.0.1::80");
            let line = "echo started; readlink /proc/self/ns/net; ls /sys/class/net | tr '\\n' ' '; echo; \
                        exec httpd -f -p 80 -h /";
            let mut runs = Started::of(&mut run(&boat, &options, line));
            let ours = fs::read_link("/proc/self/ns/net").unwrap();
            assert_ne!(runs.line(), ours.to_str().unwrap());
            assert_eq!(runs.line(), "eth0 lo", "{options}");
            let table = boat.coracle("ps").ok();
            let port = table.split_whitespace().find_map(|word| word.strip_suffix("->80/tcp")).unwrap();
            let port = port.parse().unwrap();
            support::wait_until("the port answers", crate::kit::LIMIT, || {
                get(port).is_some_and(|text| text.ends_with("hello from above\n"))
            });
            // Where it is process 1 it would not hear a kind word.
            runs.signal(if kind == "pid" { Signal::SIGTERM } else { Signal::SIGKILL });
            runs.end();
            support::wait_until("nobody answers any more", crate::kit::LIMIT, || get(port).is_none());
        }
    }
}

#[test]
fn c3_what_is_run_beside_such_a_container_is_among_the_same_processes() {
    let Some(boat) = boat() else { return };
    let donor = start(&boat, "--name donor", "exec sleep 1000");
    let theirs = fs::read_link(format!("/proc/{}/ns/pid", donor.container)).unwrap();
    let _both = start(&boat, "--name both --pid container:donor", "exec sleep 1000");
    assert_eq!(boat.coracle("exec both readlink /proc/self/ns/pid").ok(), theirs.to_str().unwrap());
}

#[test]
fn a_container_that_does_not_run_has_nothing_to_share() {
    let Some(boat) = boat() else { return };
    boat.run("--name ended", &["true"]).ok();
    let id = boat.coracle("ps -aq --no-trunc").ok();
    for (option, what) in [("--network", "network"), ("--pid", "PID"), ("--ipc", "IPC")] {
        let error = boat.sh(&format!("{option} container:ended"), "true");
        error.failed(125, &format!("cannot join {what} of a non running container: {id}"));
        boat.sh(&format!("{option} container:nobody"), "true").failed(125, "No such container: nobody");
    }
}

#[test]
fn an_ordinary_user_enters_the_other_ones_user_namespace_too() {
    if Role::here() == Role::Root {
        return not_applicable(NotApplicable::NeedsUser);
    }
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NeedsUser);
    }
    let Some(boat) = boat() else { return };
    let donor = start(&boat, "--name donor", "exec sleep 1000");
    let theirs = fs::read_link(format!("/proc/{}/ns/user", donor.container)).unwrap();
    let options = "--network container:donor --pid container:donor --ipc container:donor";
    assert_eq!(
        boat.sh(options, "readlink /proc/self/ns/user; id -u").ok(),
        format!("{}\n0", theirs.display())
    );
    assert_eq!(boat.run(&format!("--rm {options} -u ada"), &["id", "-u"]).ok(), "1000");
    // What it has written under other ids is removed.
    assert_eq!(boat.sh(options, "mkdir /d; touch /d/x; chown -R 1000 /d; echo ok").ok(), "ok");
}
