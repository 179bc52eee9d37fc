//! After a run the host has what it had before: mounts, links, firewall rules, processes, files. Also
//! after the host's process was killed at any moment, when no destructor runs.

mod moments;
mod run;

use std::collections::BTreeSet;

use moments::{Phase, kill_at, sample};
use run::{Run, Then};
use support::alone;

#[test]
fn step03_leaves_no_trace() {
    leaves_no_trace("step03");
}

#[test]
fn step04_leaves_no_trace() {
    leaves_no_trace("step04");
}

#[test]
fn step05_leaves_no_trace() {
    leaves_no_trace("step05");
}

#[test]
fn step06_leaves_no_trace() {
    leaves_no_trace("step06");
}

#[test]
fn step07_leaves_no_trace() {
    leaves_no_trace("step07");
}

#[test]
fn coracle_leaves_no_trace() {
    leaves_no_trace("coracle");
}

#[test]
fn step03_killed_at_any_moment_leaves_no_trace() {
    killed_leaves_no_trace("step03");
}

#[test]
fn step04_killed_at_any_moment_leaves_no_trace() {
    killed_leaves_no_trace("step04");
}

#[test]
fn step05_killed_at_any_moment_leaves_no_trace() {
    killed_leaves_no_trace("step05");
}

#[test]
fn step06_killed_at_any_moment_leaves_no_trace() {
    killed_leaves_no_trace("step06");
}

#[test]
fn step07_killed_at_any_moment_leaves_no_trace() {
    killed_leaves_no_trace("step07");
}

#[test]
fn coracle_killed_at_any_moment_leaves_no_trace() {
    killed_leaves_no_trace("coracle");
}

/// Runs that end well, that fail, and that are interrupted.
fn leaves_no_trace(step: &str) {
    if !alone() {
        return;
    }
    let Some(run) = Run::new(step) else { return };
    let host = run.snapshot();
    let mounts_inside = "mount -t tmpfs inside /tmp && touch /tmp/file && hostname inside";
    let commands: &[(&[&str], i32)] = match step {
        // Its mounts are the host's.
        "step03" => &[(&["true"], 0), (&["sh", "-c", "exit 3"], 3), (&["/not/there"], 127)],
        _ => &[(&["true"], 0), (&["sh", "-c", mounts_inside], 0), (&["/not/there"], 127)],
    };
    for (command, code) in commands {
        let output = run.command(command).output().unwrap();
        assert_eq!(output.status.code(), Some(*code), "{command:?}: {output:?}");
        run.assert_no_process();
        host.wait_until_same(run::LIMIT).unwrap_or_else(|left| panic!("{command:?} left:\n{left}"));
    }
    assert_eq!(run.interrupted().code(), Some(128 + 15));
    run.assert_no_process();
    host.wait_until_same(run::LIMIT).unwrap_or_else(|left| panic!("an interrupted run left:\n{left}"));
}

/// Kills the host's process with SIGKILL at moments of all phases of its dialogue with the container.
fn killed_leaves_no_trace(step: &str) {
    if !alone() {
        return;
    }
    let Some(run) = Run::new(step) else { return };
    let Some((moments, others)) = sample(&run) else { return };
    run.assert_no_process();
    let host = run.snapshot();
    let mut phases = BTreeSet::new();
    for (number, moment) in moments.iter().chain(&others).enumerate() {
        // Not every run makes the same calls: for a phase that none of them has met, others are tried.
        if number >= moments.len() && phases.contains(&moment.phase) {
            continue;
        }
        let phase = kill_at(&run, moment);
        phases.insert(phase);
        run.assert_no_process();
        if run.then == Then::NextCommandSweeps {
            let next = run.command(&["true"]).output().unwrap();
            assert!(next.status.success(), "after a kill at {moment:?}: {next:?}");
            run.assert_no_process();
        }
        host.wait_until_same(run::LIMIT)
            .unwrap_or_else(|left| panic!("killed {phase:?}, at {moment:?}, it left:\n{left}"));
    }
    assert_eq!(phases, BTreeSet::from(Phase::ALL), "of {} moments", moments.len());
}
