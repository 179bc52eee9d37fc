//! The dialogue when a side dies: before and after each gate.

mod common;

use common::{Host, ends, told, walls};
use nix::sys::signal::{Signal, kill};
use support::{Role, is_alive};

/// The host is killed where `wall` pauses: the container's process ends, and nothing else ran.
fn host_killed_at(words: &[&str], pauses: &str) {
    let words = [words, &["--", "sleep", "1000"]].concat();
    let mut host = Host::start(&mut walls(&words));
    host.says(pauses);
    let container = host.container();
    host.kill();
    ends(container);
}

#[test]
fn a_host_killed_before_the_first_gate_leaves_no_process() {
    host_killed_at(&["host:pause"], "host paused");
}

#[test]
fn a_host_killed_during_set_up_leaves_no_process() {
    host_killed_at(&["inside:pause"], "inside paused");
}

#[test]
fn a_host_killed_between_ready_and_go_leaves_no_process() {
    host_killed_at(&["ready:pause"], "ready paused");
}

#[test]
fn a_host_killed_after_the_second_gate_leaves_no_process() {
    host_killed_at(&["process:pause"], "process paused");
    host_killed_at(&["init", "process:pause"], "process paused");
}

#[test]
fn a_host_killed_while_the_command_runs_leaves_no_process() {
    for words in [&["ready:tell"][..], &["init", "ready:tell"]] {
        let words = [words, &["--", "sh", "-c", "sleep 1000 & wait"]].concat();
        let mut host = Host::start(&mut walls(&words));
        host.says("started");
        let container = host.container();
        host.kill();
        // Its descendants end with it: that is what process 1 of a pid namespace is for.
        ends(container);
    }
}

#[test]
fn the_parent_death_signal_is_armed_again_after_each_part() {
    // A change of ids disarms it; only root has a second id here, so the others do it by hand.
    let mut walls_and_gates = vec![("inside:disarm", "ready:pause"), ("process:disarm", "ready:tell")];
    if Role::here() == Role::Root {
        walls_and_gates.extend([("inside:setuid", "ready:tell"), ("process:setuid", "ready:tell")]);
    }
    for (wall, gate) in walls_and_gates {
        for last in [&[][..], &["init"]] {
            let words = [last, &[wall, gate, "--", "sleep", "1000"]].concat();
            let mut host = Host::start(&mut walls(&words));
            let said = host.line();
            assert!(said == "started" || said == "ready paused", "{said:?}");
            let container = host.container();
            host.kill();
            ends(container);
        }
    }
}

#[test]
fn a_container_that_finds_its_host_gone_ends_by_itself() {
    // Without a parent-death signal, the end of the channel is enough: nothing runs any more.
    for (disarm, pause) in [("inside:disarm", "inside:pause"), ("process:disarm", "process:pause")] {
        let mut host =
            Host::start(&mut walls(&[disarm, pause, "--", "sh", "-c", "echo ran; exec sleep 1000"]));
        assert!(host.line().ends_with(" paused"));
        let container = host.container();
        host.kill();
        assert!(is_alive(container));
        host.go_on();
        ends(container);
        assert_eq!(host.line(), "");
    }
}

#[test]
fn a_container_killed_before_the_first_gate_is_said_to_have_died() {
    for wall in ["host:pause", "host:error-after-pause"] {
        let mut host = Host::start(&mut walls(&[wall, "--", "echo", "hello"]));
        host.says("host paused");
        let container = host.container();
        kill(container, Signal::SIGKILL).unwrap();
        ends(container);
        host.go_on();
        let end = host.end();
        insta::allow_duplicates! {
            insta::assert_snapshot!(end.stderr, @"step03-walls: the container died while it was set up: it was killed by SIGKILL");
        }
        assert_eq!((end.code, end.stdout.as_str()), (125, ""));
    }
}

#[test]
fn a_container_killed_during_set_up_is_said_to_have_died() {
    let host = {
        let mut host = Host::start(&mut walls(&["inside:pause", "--", "echo", "hello"]));
        host.says("inside paused");
        kill(host.container(), Signal::SIGKILL).unwrap();
        host
    };
    let end = host.end();
    insta::assert_snapshot!(end.stderr, @"step03-walls: the container died while it was set up: it was killed by SIGKILL");
    assert_eq!((end.code, end.stdout.as_str()), (125, ""));
}

#[test]
fn a_container_that_crashes_during_set_up_is_said_to_have_died() {
    // The C library's abort() ends by a wrong instruction, since process 1 is immune to SIGABRT.
    let said = told(&mut walls(&["inside:abort", "--", "echo", "hello"]));
    insta::with_settings!({filters => [("SIG[A-Z]+", "[signal]")]}, {
        insta::assert_snapshot!(said, @"
        step03-walls: the container died while it was set up: it was killed by [signal]
        => 125
        ");
    });
}

#[test]
fn a_container_killed_between_ready_and_go_has_that_exit_code() {
    let mut host = Host::start(&mut walls(&["ready:pause", "--", "sleep", "1000"]));
    host.says("ready paused");
    let container = host.container();
    kill(container, Signal::SIGKILL).unwrap();
    ends(container);
    host.go_on();
    let end = host.end();
    assert_eq!((end.code, end.stdout.as_str(), end.stderr.as_str()), (137, "", ""));
}

#[test]
fn a_created_container_that_is_not_started_leaves_nothing() {
    for words in [&["ready:leave"][..], &["init", "ready:leave"]] {
        let words = [&["each:one"], words, &["--", "sleep", "1000"]].concat();
        insta::allow_duplicates! {
            insta::assert_snapshot!(told(&mut walls(&words)), @"
            host one
            inside one
            drop one, the container is gone
            => 0
            ");
        }
    }
}

#[test]
fn a_killed_command_takes_its_children_along() {
    let mut host = Host::start(&mut walls(&["--", "sh", "-c", "sleep 1000 & echo ran; wait"]));
    host.says("ran");
    let container = host.container();
    let inside = support::descendants(container);
    assert_eq!(inside.len(), 1);
    kill(container, Signal::SIGKILL).unwrap();
    assert_eq!(host.end().code, 137);
    assert!(!is_alive(inside[0]));
}
