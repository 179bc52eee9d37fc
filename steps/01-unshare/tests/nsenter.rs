//! `step01 nsenter` beside the `nsenter` of util-linux: both are judged from outside, by /proc.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};
use support::{Background, Role, command, not_run, program, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// The options, with the names in /proc/PID/ns.
const KINDS: [(&str, &str); 8] = [
    ("--user", "user"),
    ("--mount", "mnt"),
    ("--uts", "uts"),
    ("--ipc", "ipc"),
    ("--net", "net"),
    ("--pid", "pid"),
    ("--cgroup", "cgroup"),
    ("--time", "time"),
];

/// The two programs, and options of theirs without which an ordinary user gets nowhere: it may not
/// change its groups.
fn both() -> Option<[(PathBuf, Vec<&'static str>); 2]> {
    let Some(theirs) = program("nsenter") else {
        not_run("nsenter is missing: apt-get install util-linux");
        return None;
    };
    Some([(env!("CARGO_BIN_EXE_step01").into(), vec!["nsenter"]), (theirs, vec!["--preserve-credentials"])])
}

/// A process that became `sleep 60`: the one that was started, or its child.
struct Sleeper {
    started: Background,
    pid: Pid,
}

impl Sleeper {
    fn start(command: &mut Command) -> Self {
        let started = Background::spawn(command.args(["sleep", "60"])).unwrap();
        let mut found = None;
        wait_until("it sleeps", LIMIT, || {
            let mut candidates = support::descendants(started.pid());
            candidates.push(started.pid());
            let is_sleep = |pid: &Pid| support::command_name(*pid).as_deref() == Some("sleep");
            found = candidates.into_iter().find(is_sleep);
            found.is_some()
        });
        Self { started, pid: found.unwrap() }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // A child would outlive the one that was started, which ends by itself after the child.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = self.started.child().wait();
    }
}

/// Somebody to visit, in new namespaces of all kinds, or of all but the user namespace.
fn host(user: bool) -> Sleeper {
    let mut unshare = command(env!("CARGO_BIN_EXE_step01"));
    unshare.args(["unshare", "--fork"]);
    unshare.args(KINDS.iter().map(|(option, _)| option).filter(|option| user || **option != "--user"));
    if user {
        unshare.arg("--map-root-user");
    }
    Sleeper::start(&mut unshare)
}

/// Where a visitor is: each kind of namespace with `host`, `home`, or `elsewhere`.
fn whereabouts(visitor: Pid, host: Pid) -> BTreeMap<String, &'static str> {
    let (there, here, host) = (
        support::namespaces(visitor).unwrap(),
        support::namespaces(getpid()).unwrap(),
        support::namespaces(host).unwrap(),
    );
    let place = |kind: &str| match there[kind] {
        inode if inode == here[kind] => "home",
        inode if inode == host[kind] => "host",
        _ => "elsewhere",
    };
    KINDS.iter().map(|(_, kind)| ((*kind).to_owned(), place(kind))).collect()
}

fn visit(
    (program, words): &(PathBuf, Vec<&str>),
    host: Pid,
    options: &[&str],
) -> BTreeMap<String, &'static str> {
    let mut nsenter = command(program);
    let visitor = Sleeper::start(nsenter.args(words).arg(format!("--target={host}")).args(options));
    whereabouts(visitor.pid, host)
}

fn is_entered(found: &BTreeMap<String, &'static str>, kinds: &[&str]) {
    for (kind, place) in found {
        let expected = if kinds.contains(&kind.as_str()) { "host" } else { "home" };
        assert_eq!(*place, expected, "{kind}: {found:?}");
    }
}

#[test]
fn each_kind_can_be_entered_alone() {
    let Some([ours, theirs]) = both() else { return };
    let is_user = Role::here() == Role::User;
    let host = host(is_user);
    for (option, kind) in KINDS.iter().filter(|(option, _)| is_user || *option != "--user") {
        // The user namespace gives an ordinary user the right to enter the others.
        let (options, kinds) = match is_user && *kind != "user" {
            true => (vec!["--user", option], vec!["user", kind]),
            false => (vec![*option], vec![*kind]),
        };
        let found = visit(&ours, host.pid, &options);
        is_entered(&found, &kinds);
        assert_eq!(found, visit(&theirs, host.pid, &options), "{options:?}, ours on the left");
    }
}

#[test]
fn all_kinds_can_be_entered_at_once() {
    let Some([ours, theirs]) = both() else { return };
    let host = host(true);
    let found = visit(&ours, host.pid, &["--all"]);
    is_entered(&found, &KINDS.map(|(_, kind)| kind));
    assert_eq!(found, visit(&theirs, host.pid, &["--all"]), "ours on the left");
}

#[test]
fn all_kinds_but_the_shared_ones_are_entered() {
    let Some([ours, _]) = both() else { return };
    // A process of our own that shares everything but two names.
    let mut unshare = command(env!("CARGO_BIN_EXE_step01"));
    let host = Sleeper::start(unshare.args(["unshare", "--map-root-user", "--uts"]));
    is_entered(&visit(&ours, host.pid, &["--all"]), &["user", "uts"]);
    is_entered(&visit(&ours, getpid(), &["--all"]), &[]);
}

#[test]
fn who_enters_a_user_namespace_is_its_root() {
    let host = host(true);
    let mut nsenter = command(env!("CARGO_BIN_EXE_step01"));
    nsenter.args(["nsenter", "--all", "--target"]).arg(host.pid.to_string());
    let output = nsenter.args(["sh", "-c", "id -u; id -g; echo $$"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<&str> = said.lines().collect();
    assert_eq!(numbers[..2], ["0", "0"], "{said}");
    // Born there as a child, it has a number there.
    assert_eq!(numbers[2], "2", "{said}");
}

#[test]
fn who_forgets_the_user_namespace_is_told() {
    let Some(setpriv) = program("setpriv") else {
        return not_run("setpriv is missing: apt-get install util-linux");
    };
    let host = host(true);
    // Root without any capability may no more than anybody else.
    let mut powerless = command(setpriv);
    powerless.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(env!("CARGO_BIN_EXE_step01"));
    let words = [format!("--target={}", host.pid), "--uts".into(), "--net".into(), "true".into()];
    let output = powerless.arg("nsenter").args(words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "step01: cannot enter the namespaces (uts, net) of process {}: EPERM: Operation not permitted: \
         they belong to another user namespace, in which we are not\n\
         enter that one too: --user, or --all\n",
        host.pid
    );
    assert_eq!(said, expected);
}
