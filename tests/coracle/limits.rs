//! The limits of the shell in which somebody starts a container: they are not the container's.

use std::process::Command;

use support::{Role, command};

use crate::kit::{Boat, Image, Ran, have};
use crate::network::{connected, run};

/// The same command from a shell with these limits, in the words of prlimit: `--nofile=64:` is a soft one.
fn limited(limits: &str, given: &Command) -> Command {
    let mut prlimit = command("prlimit");
    prlimit
        .stdin(std::process::Stdio::null())
        .args(limits.split(' '))
        .arg("--")
        .arg(given.get_program())
        .args(given.get_args());
    for (name, value) in given.get_envs() {
        match value {
            Some(value) => prlimit.env(name, value),
            None => prlimit.env_remove(name),
        };
    }
    prlimit
}

/// Open files, the size of a file, seconds, kilobytes of memory.
const ASK: &str = "ulimit -n; ulimit -f; ulimit -t; ulimit -v";

#[test]
fn soft_limits_of_the_shell_do_not_count() {
    if !have(&[("prlimit", "util-linux")]) {
        return;
    }
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    let usual = "1024\nunlimited\nunlimited\nunlimited";
    assert_eq!(boat.sh("", ASK).ok(), usual);
    let shell = "--nofile=64: --fsize=100000000: --cpu=1000: --as=8000000000: --nproc=200:";
    let inside = boat.run_command("--rm", &["sh", "-c", ASK]);
    assert_eq!(Ran::of(&mut limited(shell, &inside)).ok(), usual);
    // What is asked for counts, and so it does for one more command in there.
    let inside = boat.run_command("--rm --ulimit nofile=70:80", &["sh", "-c", ASK]);
    assert_eq!(Ran::of(&mut limited(shell, &inside)).ok(), usual.replace("1024", "70"));
    let mut runs = boat.start("--name runs", "exec sleep 1000");
    let exec = boat.command(["exec", "runs", "sh", "-c", ASK]);
    assert_eq!(Ran::of(&mut limited(shell, &exec)).ok(), usual);
    runs.signal(nix::sys::signal::Signal::SIGKILL);
    runs.end();
}

/// CAP_SYS_RESOURCE of the host, which root of a machine in a container may lack (`man 7 capabilities`).
fn may_raise() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    Role::here() == Role::Root && u64::from_str_radix(held.trim(), 16).unwrap() & (1 << 24) != 0
}

#[test]
fn hard_limits_of_the_shell_count_for_an_ordinary_user_alone() {
    if !have(&[("prlimit", "util-linux")]) {
        return;
    }
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    let inside = boat.run_command("--rm", &["sh", "-c", "ulimit -n; ulimit -H -n"]);
    let seen = Ran::of(&mut limited("--nofile=100:100", &inside)).ok();
    assert_eq!(seen, if may_raise() { "1024\n524288" } else { "100\n100" });
}

#[test]
fn a_shell_of_few_files_does_not_keep_the_network_from_being_connected() {
    if !have(&[("prlimit", "util-linux")]) {
        return;
    }
    let Some(boat) = connected() else { return };
    let inside = run(&boat, "-p 127.0.0.1::80", "ip -o link show eth0 | grep -c eth0");
    let seen = Ran::of(&mut limited("--nofile=64: --nproc=100:", &inside));
    assert_eq!((seen.code, seen.out.trim()), (0, "1"), "{seen:?}");
}

#[test]
fn where_no_more_files_are_allowed_it_is_said() {
    if Role::here() == Role::Root {
        return support::not_applicable(support::NotApplicable::NeedsUser);
    }
    if !have(&[("prlimit", "util-linux")]) {
        return;
    }
    let Some(boat) = connected() else { return };
    let seen = Ran::of(&mut limited("--nofile=64:64", &run(&boat, "", "ls /sys/class/net")));
    assert_eq!(seen.code, 0, "{seen:?}");
    // Pastas differ in how many they need.
    let is_said = seen.err.starts_with("only the loopback is connected: ")
        && seen.err.ends_with("\nstart it from a shell that allows more of them: ulimit -H -n\n");
    assert!(is_said != seen.out.contains("eth0"), "{seen:?}");
}
