//! Restart policies, and `restart`.

use support::wait_until;

use crate::kit::{Boat, LIMIT, first_process};

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
        for (inside, stop) in [("sleep 1000", "stop -t 0"), ("exit 1", "stop"), ("sleep 1000", "kill")] {
            boat.run(&format!("-d --name stays --restart {policy}"), &["sh", "-c", inside]).ok();
            if inside == "exit 1" {
                wait_until("it restarts", LIMIT, || {
                    boat.coracle("ps --all --format {{.Status}}").ok().starts_with("Restarting (1)")
                });
            }
            boat.coracle(&format!("{stop} stays")).ok();
            wait_until("it has ended", LIMIT, || boat.coracle("ps --quiet").ok().is_empty());
            std::thread::sleep(std::time::Duration::from_millis(300));
            assert_eq!(boat.coracle("ps --quiet").ok(), "", "{policy} {inside} {stop}");
            boat.coracle("rm stays").ok();
        }
    }
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
