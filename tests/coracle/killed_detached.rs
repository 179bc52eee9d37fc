//! H1: what `coracle run -d` leaves running is killed at any moment, or whoever starts it: the next command tells the
//! truth, and `rm --force` leaves nothing.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use support::{
    Background, NotApplicable, Role, alone, children, command_name, descendants, is_alive, not_applicable,
    wait_until,
};

use crate::killed::{Moment, no_process_is_left, sample, settled, strace};
use crate::kit::{Boat, LIMIT, first_process, have, names};

/// A container whose command prints, lives for a moment, and ends by itself.
const SHORT: [&str; 3] = ["sh", "-c", "echo here; sleep 0.1; exit 3"];

#[test]
fn h1_killed_run_detached_tells_the_truth() {
    let Some(boat) = boat() else { return };
    let log = boat.path("strace");
    let run = || boat.command(["run", "-d", &boat.image, "sleep", "1000"]);
    assert!(strace(&log, None, &run()).status().unwrap().success());
    remove_all(&boat);
    let host = settled(&boat);
    for moment in sample(&fs::read_to_string(&log).unwrap()) {
        let _ = strace(&log, Some(&moment), &run()).status().unwrap();
        // The monitor may be there by now: then it goes on, as if nobody had been killed.
        let lives =
            |state: &Value| state["pid"].as_i64().is_some_and(|pid| is_alive(Pid::from_raw(pid as i32)));
        wait_until("its monitor is as far as it gets", LIMIT, || {
            // One that has seen its client go has ended, and waits for us to hear of it.
            let works =
                |pid: &Pid| is_alive(*pid) && command_name(*pid).is_some_and(|name| name == "coracle");
            let nobody = !descendants(getpid()).iter().any(works);
            nobody && states(&boat).iter().all(|state| state["status"] != "running" || lives(state))
        });
        let listed = statuses(&boat);
        for (state, listed) in states(&boat).iter().zip(&listed) {
            let truth = if lives(state) { "Up " } else { "Created" };
            assert!(listed.starts_with(truth), "killed at {moment:?}: {listed:?}, but {state}");
        }
        assert!(listed.len() <= 1, "{moment:?}: {listed:?}");
        remove_all(&boat);
        host.wait_until_same(LIMIT).unwrap_or_else(|left| panic!("killed at {moment:?}, it left:\n{left}"));
    }
}

#[test]
fn h1_killed_monitor_takes_its_container_along() {
    let Some(boat) = boat() else { return };
    let log = boat.path("strace");
    let trace = |moment: Option<&Moment>| {
        boat.command(["create", &boat.image].into_iter().chain(SHORT)).status().unwrap();
        monitor(&boat, |command| strace(&log, moment, command));
    };
    trace(None);
    assert_eq!(statuses(&boat)[0].get(..10), Some("Exited (3)"));
    remove_all(&boat);
    // From its own beginning over the small program to what it becomes at the end: it is one process.
    let calls = fs::read_to_string(&log).unwrap();
    assert_eq!(calls.matches("\nexecve(").count(), 2, "{calls}");
    let host = settled(&boat);
    for moment in sample(&calls) {
        trace(Some(&moment));
        let listed = statuses(&boat);
        let [listed] = &listed[..] else { panic!("killed at {moment:?}: {listed:?}") };
        let truth = ["Created", "Exited (137)", "Exited (3)"];
        assert!(truth.iter().any(|truth| listed.starts_with(truth)), "killed at {moment:?}: {listed}");
        wait_until("its container is gone", LIMIT, || {
            no_process_is_left();
            true
        });
        remove_all(&boat);
        host.wait_until_same(LIMIT).unwrap_or_else(|left| panic!("killed at {moment:?}, it left:\n{left}"));
    }
}

#[test]
fn h1_killed_monitor_of_a_running_container_is_exited_137() {
    let Some(boat) = boat() else { return };
    let host = settled(&boat);
    for restart in ["no", "always"] {
        let id = boat.run(&format!("-d --restart {restart}"), &["sleep", "1000"]).ok();
        let container = first_process(&boat.root()).unwrap();
        let monitor = parent(container);
        wait_until("it is small", LIMIT, || command_name(monitor).as_deref() == Some("coracle-monitor"));
        kill(monitor, Signal::SIGKILL).unwrap();
        wait_until("its container is gone", LIMIT, || !is_alive(container));
        assert!(statuses(&boat)[0].starts_with("Exited (137)"), "{restart}: {:?}", statuses(&boat));
        boat.coracle(&format!("exec {id} true")).failed(1, "is not running");
        boat.coracle(&format!("logs {id}")).ok();
        // It can be started again, as after any other end.
        boat.coracle(&format!("start {id}")).ok();
        assert!(statuses(&boat)[0].starts_with("Up "));
        remove_all(&boat);
        host.wait_until_same(LIMIT).unwrap_or_else(|left| panic!("it left:\n{left}"));
    }
}

#[test]
fn h1_container_that_has_become_another_user_ends_with_the_next_command() {
    let Some(boat) = Boat::new() else { return };
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NoSecondId);
    }
    // As the entrypoint of a database does. The kernel forgets then that it should die with its parent.
    let words = ["busybox", "su", "-s", "/bin/sh", "ada", "-c", "exec sleep 1000"];
    for command in ["ps --all", "rm ada"] {
        boat.run("-d --name ada", &words).ok();
        let container = first_process(&boat.root()).unwrap();
        wait_until("it is ada", LIMIT, || command_name(container).as_deref() == Some("sleep"));
        let monitor = parent(container);
        kill(monitor, Signal::SIGKILL).unwrap();
        wait_until("nobody is there for it", LIMIT, || !is_alive(monitor));
        assert!(is_alive(container));
        boat.coracle(command).ok();
        assert!(!is_alive(container), "{command}");
        let _ = boat.coracle("rm ada");
    }
    boat.assert_no_container();
}

#[test]
fn h1_killed_helpers_of_the_network_are_cleaned_up_after() {
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NoBridge);
    }
    let Some(boat) = boat() else { return };
    let host = settled(&boat);
    boat.command(["run", "-d", "-p", "127.0.0.1:0:80", &boat.image, "sleep", "1000"]).status().unwrap();
    let container = first_process(&boat.root()).unwrap();
    // Each of those at the end of a line of parents and children.
    let helpers = descendants(parent(container)).into_iter();
    let helpers: Vec<Pid> = helpers.filter(|pid| *pid != container && children(*pid).is_empty()).collect();
    assert!(!helpers.is_empty() || Role::here() != Role::User);
    for helper in &helpers {
        let _ = kill(*helper, Signal::SIGKILL);
    }
    // It has lost its connection, and nothing else.
    assert!(statuses(&boat)[0].starts_with("Up "), "{helpers:?}");
    assert!(is_alive(container));
    remove_all(&boat);
    host.wait_until_same(LIMIT)
        .unwrap_or_else(|left| panic!("{helpers:?} were killed, and it left:\n{left}"));
}

/// With its image pulled, and where orphans come to us.
fn boat() -> Option<Boat> {
    if !have(&[("strace", "strace")]) || !alone() {
        return None;
    }
    let boat = Boat::new()?;
    boat.sh("", "true").ok();
    set_child_subreaper(true).unwrap();
    Some(boat)
}

/// Does what `start` does: gives a new monitor the lock of the only container and one end of a line; and waits for its
/// end.
fn monitor(boat: &Boat, traced: impl Fn(&Command) -> Command) {
    let folder = boat.root().join("containers");
    let id = names(&folder).remove(0);
    // Closed, it stays with those who have a copy.
    let lock = File::open(folder.join(&id)).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let mut command = traced(&boat.command(["monitor", &id]));
    command.stdin(OwnedFd::from(theirs)).stdout(lock).stderr(Stdio::null());
    let mut tracer = Background::spawn(&mut command).unwrap();
    drop(command);
    tracer.child().wait().unwrap();
}

fn parent(pid: Pid) -> Pid {
    let status = support::status(pid).unwrap();
    Pid::from_raw(status["PPid"].parse().unwrap())
}

/// The word of `ps` for each container.
fn statuses(boat: &Boat) -> Vec<String> {
    let listed = boat.command(["ps", "--all", "--format", "{{.Status}}"]).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
}

/// What is written down of each container.
fn states(boat: &Boat) -> Vec<Value> {
    let folder = boat.root().join("containers");
    let read =
        |name: String| serde_json::from_slice(&fs::read(folder.join(name).join("state.json")).ok()?).ok();
    names(&folder).into_iter().filter_map(read).collect()
}

fn remove_all(boat: &Boat) {
    for id in boat.coracle("ps --all --quiet").ok().lines() {
        boat.coracle(&format!("rm --force {id}")).ok();
    }
    boat.assert_no_container();
    no_process_is_left();
}
