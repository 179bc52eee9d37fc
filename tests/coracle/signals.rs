//! Signals, and process 1.

use std::io::Read;
use std::process::Stdio;

use nix::sys::signal::Signal;
use support::{Background, children, descendants, is_alive, wait_until};

use crate::kit::{Boat, LIMIT, Ran, Screen, Started, first_process};

#[test]
fn signals_to_coracle_reach_the_command() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for (signal, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGQUIT, "QUIT"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGUSR2, "USR2"),
    ] {
        for init in ["", "--init"] {
            let script =
                format!("trap 'echo got {name}; exit 42' {name}; echo ready; while :; do sleep 0.05; done");
            let mut runs = boat.start(&format!("--rm {init}"), &script);
            assert_eq!(runs.line(), "ready");
            runs.signal(signal);
            assert_eq!((runs.line(), runs.end().code), (format!("got {name}"), 42), "{init}");
        }
    }
    boat.assert_no_container();
}

#[test]
fn first_process_is_safe_from_signals_that_it_does_not_expect() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let mut runs = boat.start("--rm", "sleep 1000; exit 7");
    runs.signal(Signal::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(runs.lives());
    runs.signal(Signal::SIGKILL);
    runs.end();

    // Behind an init the same command is no longer the first.
    let mut runs = boat.start("--rm --init", "sleep 1000; exit 7");
    runs.signal(Signal::SIGTERM);
    assert_eq!(runs.end().code, 128 + 15);
}

#[test]
fn whoever_asks_three_times_for_the_end_gets_out() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let ask = |runs: &mut Started| {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGINT] {
            assert!(runs.host.child().try_wait().unwrap().is_none());
            runs.signal(signal);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        runs.end().failed(1, "got 3 SIGTERM/SIGINTs, forcefully exiting");
    };
    // Where nobody else stays with it, it ends too.
    ask(&mut boat.start("--rm", "exec sleep 1000"));
    boat.assert_no_container();
    let mut runs = boat.start("--name box", "trap '' INT TERM; while :; do echo here; sleep 0.1; done");
    ask(&mut runs);
    assert!(runs.lives());
    let mut attach = boat.command(["attach", "box"]);
    let mut attach = Background::spawn(attach.stdout(Stdio::piped()).stderr(Stdio::null())).unwrap();
    let mut output = attach.child().stdout.take().unwrap();
    for _ in 0..3 {
        // It is attached, and awake.
        output.read_exact(&mut [0; 10]).unwrap();
        nix::sys::signal::kill(attach.pid(), Signal::SIGINT).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    wait_until("it ends", LIMIT, || attach.child().try_wait().unwrap().is_some());
    assert_eq!(attach.child().wait().unwrap().code(), Some(1));
    assert!(runs.lives());
}

#[test]
fn whoever_leaves_before_the_start_leaves_nothing_that_runs() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for options in ["", "--rm -t", "-d"] {
        let mut caught = false;
        for _ in 0..50 {
            let mut run = boat.run_command(&format!("--name box {options}"), &["sleep", "1000"]);
            let run = Background::spawn(run.stdout(Stdio::null())).unwrap();
            let is_monitor = |pid: &nix::unistd::Pid| {
                let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                words.split(|byte| *byte == 0).any(|word| word == b"monitor")
            };
            let mut monitor = None;
            wait_until("its monitor begins", LIMIT, || {
                monitor = children(run.pid()).into_iter().find(is_monitor);
                monitor.is_some()
            });
            let monitor = monitor.unwrap();
            // As if it needed so long for the walls.
            nix::sys::signal::kill(monitor, Signal::SIGSTOP).unwrap();
            caught = first_process(&boat.root()).is_none();
            nix::sys::signal::kill(run.pid(), Signal::SIGINT).unwrap();
            drop(run);
            nix::sys::signal::kill(monitor, Signal::SIGCONT).unwrap();
            if caught {
                wait_until("the monitor ends", LIMIT, || !is_alive(monitor));
                assert_eq!(boat.coracle("ps -q").ok(), "", "{options}");
                let left = if options.starts_with("--rm") { "" } else { "Created" };
                assert_eq!(boat.coracle("ps -a --format {{.Status}}").ok(), left, "{options}");
            }
            boat.coracle("rm -f box");
            if caught {
                break;
            }
        }
        assert!(caught, "it was never faster");
    }
}

#[test]
fn container_dies_with_coracle() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let other = if support::Role::here() == support::Role::RootInUserNamespace { "root" } else { "ada" };
    // A change of ids disarms what the kernel would kill it by.
    for options in ["", "--init", "--user"] {
        let options = options.replace("--user", &format!("--user {other}"));
        let mut runs = boat.start(&format!("--rm {options}"), "sleep 1000");
        let all = descendants(runs.host.pid());
        runs.signal(Signal::SIGKILL);
        runs.end();
        wait_until("the container has gone too", LIMIT, || !all.iter().any(|pid| is_alive(*pid)));
    }
    boat.assert_no_container();
}

#[test]
fn init_reaps_orphans_and_the_command_is_its_child() {
    let Some(boat) = Boat::new() else { return };
    // Two orphans that end at once, and one that stays.
    let mut runs =
        boat.start("--rm --init", "(sleep 0 &) ; (sleep 0 &); (sleep 1000 &) ; echo $$; sleep 1000");
    assert_eq!(runs.line(), "2");
    wait_until("only what lives is left", LIMIT, || {
        let all = children(runs.container);
        all.len() == 2 && all.iter().all(|pid| is_alive(*pid))
    });
    // The init shows nothing of the host's program, nor of the words that it was started with.
    let words = std::fs::read(format!("/proc/{}/cmdline", runs.container)).unwrap();
    assert_eq!(String::from_utf8(words).unwrap().trim_end_matches('\0'), "init");
    runs.signal(Signal::SIGKILL);
    runs.end();

    let mut runs = boat.start("--rm", "echo $$; (sleep 0 &); sleep 1000");
    assert_eq!(runs.line(), "1");
    runs.signal(Signal::SIGKILL);
    runs.end();
}

#[test]
fn control_c_without_a_terminal_of_its_own_arrives_once() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let script = "trap 'echo caught' INT; echo there; sleep 0.5; sleep 0.5; exit 4";
    let Some(mut screen) = Screen::of(&boat.run_command("--rm", &["sh", "-c", script]), (24, 80)) else {
        return;
    };
    screen.shows("there");
    screen.types("\x03");
    screen.shows("caught");
    assert_eq!(screen.end(), 4);
    assert_eq!(screen.shown.matches("caught").count(), 1, "{:?}", screen.shown);
}

/// It has a number and no name (`man 7 signal`). Only who is not process 1 can be killed by it.
#[test]
fn real_time_signal_ends_a_container_as_any_other() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-d --name shares --pid host", &["sh", "-c", "kill -37 $$; sleep 1000"]).ok();
    assert_eq!(boat.coracle("wait shares").ok(), "165");
    assert_eq!(boat.coracle("inspect --format {{.State.ExitCode}}{{.State.Error}} shares").ok(), "165");
    boat.run("-d --name runs", &["sleep", "1000"]).ok();
    for option in ["-t", "-i"] {
        let words = ["exec", option, "runs", "sh", "-c", "kill -37 $$; sleep 1000"];
        let ran = Ran::of(&mut boat.command(words));
        assert_eq!((ran.code, &*ran.err), (165, ""), "{option}: {ran:?}");
    }
}
