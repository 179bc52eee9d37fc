//! What is left on the host afterwards: nothing.

mod lab;

use std::path::Path;
use std::time::Duration;

use lab::{LIMIT, Lab, SERVE, answer_soon, bridge_is_there, ends, output_of, said};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use support::{Host, wait_until};

fn snapshot() -> Host {
    Host::snapshot(&[Path::new("/run")])
}

fn assert_same(host: &Host, after: &str) {
    // Helpers that step06 has not waited for come to process 1, which we are here.
    wait_until("the helpers end", LIMIT, || {
        while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) =
            waitpid(None, Some(WaitPidFlag::WNOHANG))
        {}
        support::processes()
            .iter()
            .all(|(pid, _)| !matches!(support::command_name(*pid).as_deref(), Some("nft" | "ip")))
    });
    host.wait_until_same(LIMIT).unwrap_or_else(|left| panic!("{after} left:\n{left}"));
}

#[test]
fn nothing_is_left_after_a_run() {
    let Some(lab) = Lab::of_root() else { return };
    for ip_forward in ["0", "1"] {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", ip_forward).unwrap();
        let host = snapshot();
        for options in ["", "-p 8080:80", "--network none", "--network host"] {
            assert_eq!(lab.run(options, "exit 7").status.code(), Some(7));
            assert_same(&host, &format!("step06 {options}"));
        }
        // Links that forward on their own, although the host does not.
        std::fs::write("/proc/sys/net/ipv4/conf/uplink/forwarding", "1").unwrap();
    }
}

/// nft, for one, would keep a history of all that it is told.
#[test]
fn nothing_is_left_at_home() {
    let Some(lab) = Lab::of_root() else { return };
    let home = tempfile::tempdir().unwrap();
    let output = lab.step06("-p 8080:80", "true").env("HOME", home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    wait_until("nft ends", LIMIT, || output_of("nft", "list ruleset").is_empty());
    assert_eq!(home.path().read_dir().unwrap().count(), 0);
}

/// A network namespace may end, with all that is in it, before a command has swept there.
#[test]
fn folders_of_a_host_that_is_gone_are_removed_by_the_next_command() {
    let Some(lab) = Lab::of_root() else { return };
    let gone = Path::new("/run/coracle/net-1");
    std::fs::create_dir_all(gone.join("10.200.0.2")).unwrap();
    std::fs::write(gone.join("10.200.0.2/hosts"), "").unwrap();
    assert_eq!(lab.run("", "true").status.code(), Some(0));
    assert!(!gone.exists());
    assert!(!Path::new("/run/coracle").exists());
}

/// Docker, for one, writes 1 unless it reads 1 when it starts.
#[test]
fn forwarding_that_somebody_else_needs_meanwhile_stays_on() {
    let Some(lab) = Lab::of_root() else { return };
    let file = "/proc/sys/net/ipv4/ip_forward";
    std::fs::write(file, "0").unwrap();
    let started = lab.start("", "sleep 60");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "2\n");
    std::fs::write(file, "1").unwrap();
    kill(started.container, Signal::SIGKILL).unwrap();
    wait_until("the bridge goes", LIMIT, || !bridge_is_there());
    drop(started);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "1\n");
}

#[test]
fn nothing_is_left_after_a_failure() {
    let Some(lab) = Lab::of_root() else { return };
    let host = snapshot();
    let not_found = lab.step06("-p 8080:80", "").args(["x"]).output().unwrap();
    assert_eq!(not_found.status.code(), Some(0));
    let mut step06 = support::command(env!("CARGO_BIN_EXE_step06"));
    let output =
        step06.arg("--rootfs").arg(lab.root()).args(["-p", "8080:80", "/not/there"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert_same(&host, "a command that is not there");
    // The volume fails in the container, when the network is complete.
    let output = lab.run("-p 8080:80 -v /dev:/etc/hosts", "true");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert_same(&host, "a volume that cannot be mounted");
}

#[test]
fn nothing_is_left_after_an_interrupt() {
    let Some(lab) = Lab::of_root() else { return };
    let host = snapshot();
    let mut started = lab.start("-p 8080:80", "sleep 60");
    kill(started.host.pid(), Signal::SIGTERM).unwrap();
    // The command does not catch it, but as process 1 it is deaf to what it does not catch.
    std::thread::sleep(Duration::from_millis(100));
    kill(started.container, Signal::SIGKILL).unwrap();
    assert_eq!(started.host.child().wait().unwrap().code(), Some(137));
    assert_same(&host, "an interrupt");
}

/// The kernel ends what it can end; the next command removes the rest.
#[test]
fn nothing_is_left_when_the_host_was_killed_and_another_command_has_run() {
    let Some(lab) = Lab::of_root() else { return };
    let host = snapshot();
    let mut started = lab.start("-p 8080:80", SERVE);
    assert!(answer_soon("127.0.0.1:8080").is_some());
    kill(started.host.pid(), Signal::SIGKILL).unwrap();
    started.host.child().wait().unwrap();
    ends(started.container);
    wait_until("the kernel drops the tables of the dead", LIMIT, || {
        output_of("nft", "list ruleset").is_empty()
    });
    assert!(bridge_is_there(), "this test would show nothing");
    assert_eq!(lab.run("--network none", "true").status.code(), Some(0));
    assert_same(&host, "kill -9 and another command");
}

#[test]
fn the_living_keep_what_they_have_when_the_dead_are_swept() {
    let Some(lab) = Lab::of_root() else { return };
    let _alive = lab.start("-p 8080:80", SERVE);
    let mut dead = lab.start("-p 8081:80", SERVE);
    kill(dead.host.pid(), Signal::SIGKILL).unwrap();
    dead.host.child().wait().unwrap();
    ends(dead.container);
    assert_eq!(lab.run("--network none", "true").status.code(), Some(0));
    assert!(answer_soon("127.0.0.1:8080").is_some());
    let third = lab.run("-p 8081:80", "ip -o -4 address show dev eth0");
    assert!(String::from_utf8_lossy(&third.stdout).contains("10.200.0.3/16"), "{}", said(&third));
    assert!(answer_soon("127.0.0.1:8080").is_some());
}

#[test]
fn a_reload_of_the_firewall_does_not_cut_containers_off() {
    let Some(lab) = Lab::of_root() else { return };
    let _alive = lab.start("-p 8080:80", SERVE);
    output_of("nft", "flush ruleset");
    assert!(answer_soon("192.0.2.1:8080").is_some());
}
