//! Containers in the background: `run -d`, `create`, `start`, `stop`, `kill`, `wait`.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use support::{is_alive, wait_until};

use crate::kit::{Boat, LIMIT, Ran, first_process};

/// The small program that stays with the container of this process.
fn monitor_of(container: Pid) -> Pid {
    let status = std::fs::read_to_string(format!("/proc/{container}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    Pid::from_raw(parent.trim().parse().unwrap())
}

fn status(boat: &Boat, name: &str) -> String {
    boat.coracle(&format!("ps --all --format {{{{.Status}}}} --filter name=^/?{name}$")).ok()
}

#[test]
fn detached_container_prints_its_id_and_runs_on() {
    let Some(boat) = Boat::new() else { return };
    let id = boat.run("-d --name behind", &["sleep", "1000"]).ok();
    assert_eq!(boat.coracle("ps --quiet --no-trunc").ok(), id);
    let container = first_process(&boat.root()).unwrap();
    let monitor = monitor_of(container);
    // A session of its own: no terminal that is closed takes it along.
    assert_eq!(getsid(Some(monitor)).unwrap(), monitor);
    for process in [monitor, container] {
        assert!(is_alive(process));
        assert_eq!(std::fs::read_link(format!("/proc/{process}/fd/0")).unwrap().to_str(), Some("/dev/null"));
    }
    assert_eq!(crate::kit::names(format!("/proc/{container}/fd").as_ref()), ["0", "1", "2"]);
    let words = std::fs::read(format!("/proc/{monitor}/cmdline")).unwrap();
    assert!(words.split(|byte| *byte == 0).next().unwrap().ends_with(b"/coracle-monitor"), "{words:?}");
}

#[test]
fn command_that_cannot_run_is_told_in_time() {
    let Some(boat) = Boat::new() else { return };
    let ran = boat.run("-d --name no", &["not-there"]);
    // As Docker: the container is there, and this is its id.
    assert_eq!(ran.out.trim(), boat.coracle("ps --all --quiet --no-trunc").ok());
    ran.failed(127, "cannot run not-there: not found in PATH");
    assert_eq!(status(&boat, "no"), "Created");
    boat.run("-d --rm", &["/etc"]).failed(126, "/etc");
    boat.coracle("start no").failed(1, "failed to start containers: no");
    boat.coracle("rm no").ok();
    boat.assert_no_container();
}

#[test]
fn monitor_that_is_killed_takes_the_container_along() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-d --name behind", &["sleep", "1000"]).ok();
    let container = first_process(&boat.root()).unwrap();
    kill(monitor_of(container), Signal::SIGKILL).unwrap();
    wait_until("the container has gone too", LIMIT, || !is_alive(container));
    assert!(status(&boat, "behind").starts_with("Exited (137)"));
}

#[test]
fn created_container_is_started_with_the_words_that_it_was_made_with() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let mut create = boat.command(["create", "--network=none", "--name", "later", "-e", "A", "-w", "/tmp"]);
    create.args([&*boat.image, "sh", "-c", "echo \"$A $(pwd)\"; echo more >>/kept; cat /kept; exit 4"]);
    let id = Ran::of(create.env("A", "as it was")).ok();
    assert_eq!((id.len(), status(&boat, "later")), (64, "Created".into()));
    // What `A` is now has no meaning.
    assert_eq!(boat.coracle("start later").ok(), "later");
    assert_eq!(boat.coracle("wait later").ok(), "4");
    let ran = boat.coracle("start --attach later");
    assert_eq!((ran.code, &*ran.out), (4, "as it was /tmp\nmore\nmore\n"));
    assert_eq!(boat.coracle("logs later").ok(), "as it was /tmp\nmore\nas it was /tmp\nmore\nmore");
}

#[test]
fn start_of_one_that_runs_is_no_error() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-d --name runs", &["sleep", "1000"]).ok();
    let container = first_process(&boat.root());
    assert_eq!(boat.coracle("start runs").ok(), "runs");
    assert_eq!(first_process(&boat.root()), container);
    boat.coracle("start runs nobody").failed(1, "No such container: nobody");
}

#[test]
fn stop_asks_and_the_command_may_say_goodbye() {
    let Some(boat) = Boat::new() else { return };
    let line = "trap 'echo bye; exit 3' TERM; echo there; while :; do sleep 0.05; done";
    boat.run("-d --name asked", &["sh", "-c", line]).ok();
    wait_until("it is there", LIMIT, || boat.coracle("logs asked").ok() == "there");
    assert_eq!(boat.coracle("stop asked").ok(), "asked");
    assert!(status(&boat, "asked").starts_with("Exited (3)"));
    assert_eq!(boat.coracle("logs asked").ok(), "there\nbye");
    // Once more is no error.
    assert_eq!(boat.coracle("stop asked").ok(), "asked");
}

#[test]
fn stop_kills_what_does_not_listen_when_its_time_is_over() {
    let Some(boat) = Boat::new() else { return };
    // Process 1 ignores what it has no handler for.
    for (options, stop, least, most) in
        [("", "stop -t 1", 1, 5), ("--stop-timeout 1", "stop", 1, 5), ("", "stop -t 0", 0, 1)]
    {
        boat.run(&format!("-d --name deaf {options}"), &["sleep", "1000"]).ok();
        let start = Instant::now();
        boat.coracle(&format!("{stop} deaf")).ok();
        let (least, most) = (Duration::from_secs(least), Duration::from_secs(most + 10));
        assert!((least..most).contains(&start.elapsed()), "{stop}: {:?}", start.elapsed());
        assert!(status(&boat, "deaf").starts_with("Exited (137)"));
        boat.coracle("rm deaf").ok();
    }
}

#[test]
fn several_are_asked_at_once_and_waited_for_together() {
    let Some(boat) = Boat::new() else { return };
    let names = ["one", "two", "three", "four"];
    let ended =
        |code: u8| names.iter().all(|name| status(&boat, name).starts_with(&format!("Exited ({code})")));
    for (stop, code) in [("stop -t 3", 137), ("kill", 137), ("rm -f", 0)] {
        for name in names {
            boat.run(&format!("-d --name {name}"), &["sleep", "1000"]).ok();
        }
        let start = Instant::now();
        let ran = boat.coracle(&format!("{stop} {} nobody {}", names[..2].join(" "), names[2..].join(" ")));
        // One after the other would take twelve.
        assert!(start.elapsed() < Duration::from_secs(10), "{stop}: {:?}", start.elapsed());
        assert_eq!(ran.out.lines().collect::<Vec<_>>(), names, "{ran:?}");
        assert!(ran.err.contains("No such container: nobody"), "{ran:?}");
        if code != 0 {
            assert!(ran.code == 1 && ended(code), "{ran:?}");
            boat.coracle(&format!("rm {}", names.join(" "))).ok();
        }
        boat.assert_no_container();
    }
}

#[test]
fn each_has_its_own_time_to_end() {
    let Some(boat) = Boat::new() else { return };
    let line = "trap 'sleep 3; exit 4' TERM; echo there; while :; do sleep 0.05; done";
    boat.run("-d --name slow --stop-timeout 30", &["sh", "-c", line]).ok();
    boat.run("-d --name deaf --stop-timeout 1", &["sleep", "1000"]).ok();
    wait_until("it is there", LIMIT, || boat.coracle("logs slow").ok() == "there");
    assert_eq!(boat.coracle("stop slow deaf").ok(), "slow\ndeaf");
    assert!(
        status(&boat, "slow").starts_with("Exited (4)") && status(&boat, "deaf").starts_with("Exited (137)")
    );
    // The one was not waited for before the other was killed.
    let finished = |name| boat.coracle(&format!("inspect -f {{{{.State.FinishedAt}}}} {name}")).ok();
    assert!(finished("deaf") < finished("slow"));
}

#[test]
fn stop_signal_is_the_one_asked_for() {
    let Some(boat) = Boat::new() else { return };
    let line = "trap 'exit 10' USR1; trap 'exit 12' USR2; echo there; while :; do sleep 0.05; done";
    for (options, stop, code) in
        [("--stop-signal USR1", "stop", 10), ("--stop-signal USR1", "stop -s SIGUSR2", 12)]
    {
        boat.run(&format!("-d --name asked {options}"), &["sh", "-c", line]).ok();
        wait_until("it is there", LIMIT, || boat.coracle("logs asked").ok() == "there");
        boat.coracle(&format!("{stop} asked")).ok();
        assert!(status(&boat, "asked").starts_with(&format!("Exited ({code})")), "{options} {stop}");
        boat.coracle("rm asked").ok();
    }
    boat.run("-d --stop-signal BOGUS", &["true"]).failed(125, "Invalid signal: BOGUS");
}

#[test]
fn i7_signals_are_sent_and_nonsense_is_not() {
    let Some(boat) = Boat::new() else { return };
    let line = "trap 'echo got' USR1; echo there; while :; do sleep 0.05; done";
    boat.run("-d --name asked", &["sh", "-c", line]).ok();
    wait_until("it is there", LIMIT, || boat.coracle("logs asked").ok() == "there");
    assert_eq!(boat.coracle("kill -s usr1 asked").ok(), "asked");
    wait_until("it has got it", LIMIT, || boat.coracle("logs asked").ok() == "there\ngot");
    boat.coracle("kill -s BOGUS asked").failed(1, "Invalid signal: BOGUS");
    boat.coracle("kill -s 0 asked").failed(1, "Invalid signal: 0");
    boat.coracle("kill -s 65 asked").failed(1, "does not support signal 65");
    boat.coracle("stop -t abc asked").failed(125, "abc");
    assert_eq!(boat.coracle("kill asked").ok(), "asked");
    assert_eq!(boat.coracle("wait asked").ok(), "137");
    boat.coracle("kill asked").failed(1, "is not running");
}

#[test]
fn wait_tells_the_code_also_of_one_that_is_removed_at_its_end() {
    let Some(boat) = Boat::new() else { return };
    for options in ["", "--rm"] {
        boat.run(&format!("-d --name short {options}"), &["sh", "-c", "sleep 0.5; exit 9"]).ok();
        assert_eq!(boat.coracle("wait short").ok(), "9", "{options}");
        if options.is_empty() {
            assert_eq!(boat.coracle("wait short").ok(), "9", "afterwards");
            boat.coracle("rm short").ok();
        }
    }
    boat.assert_no_container();
    boat.coracle("wait nobody").failed(1, "No such container: nobody");
}

#[test]
fn what_cannot_be_had_together_is_said() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-d --rm --restart always", &["true"]).failed(125, "Conflicting options: --restart and --rm");
    boat.run("-d -a stdout", &["true"]).failed(125, "Conflicting options: -a and -d");
    boat.run("-d --restart sometimes", &["true"]).failed(125, "invalid restart policy 'sometimes'");
    boat.run("-d --detach-keys bogus", &["true"]).failed(125, "unknown key 'bogus'");
    boat.assert_no_container();
}
