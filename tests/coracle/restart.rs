//! Restart policies, and `restart`.

use nix::unistd::Pid;
use support::{status, wait_until};

use crate::kit::{Boat, LIMIT, Ran, first_process};

#[test]
fn failing_command_is_started_again_so_often() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-d --name fails --restart on-failure:2", &["sh", "-c", "echo run >>/runs; cat /runs; exit 3"])
        .ok();
    let state = || boat.coracle("inspect --format {{.State.Status}},{{.RestartCount}} fails").ok();
    wait_until("it stays down", LIMIT, || state() == "exited,2");
    // The same files each time.
    assert_eq!(boat.coracle("logs fails").ok(), ["run"; 6].join("\n"));
    boat.run("-d --name works --restart on-failure", &["true"]).ok();
    wait_until("it stays down", LIMIT, || boat.coracle("ps --quiet").ok().is_empty());
    assert_eq!(boat.coracle("inspect --format {{.RestartCount}} works").ok(), "0");
}

#[test]
fn stopped_container_stays_down_whatever_its_policy() {
    let Some(boat) = Boat::new() else { return };
    for policy in ["always", "unless-stopped"] {
        // One that runs, and one between two starts.
        let ways =
            [("sleep 1000", "stop -t 0"), ("exit 1", "stop"), ("sleep 1000", "kill"), ("exit 1", "kill")];
        for (inside, stop) in ways {
            boat.run(&format!("-d --name stays --restart {policy}"), &["sh", "-c", inside]).ok();
            if inside == "exit 1" {
                // Who only looks for what runs is told as well.
                wait_until("it restarts", LIMIT, || {
                    boat.coracle("ps --format {{.Status}}").ok().starts_with("Restarting (1)")
                });
                let state = boat.coracle("inspect -f {{.State.Running}},{{.State.Restarting}} stays").ok();
                assert!(["true,true", "true,false"].contains(&&*state), "{state}");
            }
            boat.coracle(&format!("{stop} stays")).ok();
            wait_until("it has ended", LIMIT, || boat.coracle("ps --quiet").ok().is_empty());
            std::thread::sleep(std::time::Duration::from_millis(300));
            assert_eq!(boat.coracle("ps --quiet").ok(), "", "{policy} {inside} {stop}");
            boat.coracle("rm stays").ok();
        }
    }
}

/// A mask of signals, as /proc/PID/status has it: of those with a name. Two more are the C library's own, which ignores
/// them in whatever it starts.
fn mask(pid: Pid, name: &str) -> u32 {
    u64::from_str_radix(&status(pid).unwrap()[name], 16).unwrap() as u32 & (u32::MAX >> 1)
}

#[test]
fn no_signal_is_blocked_or_ignored_whoever_starts_it() {
    let Some(boat) = Boat::new() else { return };
    let run = boat.run_command("-d --name hears --restart always", &["sleep", "1000"]);
    let mut shell = support::command("sh");
    shell.args(["-c", "trap '' HUP INT QUIT USR1; exec \"$@\"", "sh"]).arg(run.get_program());
    Ran::of(shell.args(run.get_args()).env("HOME", boat.path("")).stdin(std::process::Stdio::null())).ok();
    for restarts in ["0", "1"] {
        let state = || boat.coracle("inspect --format {{.RestartCount}},{{.State.Running}} hears").ok();
        wait_until("it runs", LIMIT, || state() == format!("{restarts},true"));
        let first = first_process(&boat.root()).unwrap();
        assert_eq!((mask(first, "SigBlk"), mask(first, "SigIgn")), (0, 0), "after {restarts} restarts");
        support::command("kill").args(["-KILL", &first.to_string()]).status().unwrap();
    }
    boat.coracle("rm --force hears").ok();
}

#[test]
fn killed_command_is_started_again() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-d --name lives --restart always", &["sleep", "1000"]).ok();
    let first = first_process(&boat.root()).unwrap();
    support::command("kill").args(["-KILL", &first.to_string()]).status().unwrap();
    wait_until("another one runs", LIMIT, || first_process(&boat.root()).is_some_and(|pid| pid != first));
    boat.coracle("rm --force lives").ok();
    boat.assert_no_container();
}

#[test]
fn restart_begins_anew() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-d --name again", &["sleep", "1000"]).ok();
    let first = first_process(&boat.root()).unwrap();
    assert_eq!(boat.coracle("restart -t 0 again").ok(), "again");
    let second = first_process(&boat.root()).unwrap();
    assert_ne!(first, second);
    boat.coracle("stop -t 0 again").ok();
    assert_eq!(boat.coracle("restart again").ok(), "again");
    assert!(first_process(&boat.root()).is_some_and(|third| third != second));
}
