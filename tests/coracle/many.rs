//! Many containers on record, clocks that jump, and machines that were started anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Background, alone, is_alive};

use crate::kit::{Boat, Image, names};

/// The folder of the one container.
fn only(boat: &Boat) -> PathBuf {
    let folder = boat.root().join("containers");
    folder.join(&names(&folder)[0])
}

fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

#[test]
fn h6_after_a_reboot_nothing_runs() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one", &["true"]).ok();
    // As the record of a machine that lost its power. By chance there is a process of that number, begun at that
    // moment, after the reboot, and it is somebody else's.
    let others = Background::spawn(support::command("sleep").arg("1000")).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", others.pid())).unwrap();
    let start_time: u64 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
    let state = json!({"status": "running", "pid": others.pid().as_raw(), "start_time": start_time, "ports": [],
        "boot": "of another time", "started": 1.0, "finished": null, "exit_code": null, "error": ""});
    fs::write(only(&boat).join("state.json"), state.to_string()).unwrap();
    boat.coracle("ps").ok();
    assert_eq!(boat.coracle("ps --quiet").ok(), "");
    let table = boat.coracle("ps --all").ok();
    let table = if table.contains("Exited (137)") { table } else { boat.coracle("ps --all").ok() };
    assert!(table.contains("Exited (137)"), "{table}");
    assert_eq!(boat.coracle("inspect --format {{.State.Pid}} one").ok(), "0");
    assert_eq!(boat.coracle("rm one").ok(), "one");
    assert!(is_alive(others.pid()));
}

#[test]
fn h6_clock_may_have_said_anything() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one", &["true"]).ok();
    let folder = only(&boat);
    for time in [-1e9, 0.0, 4e9, 1e18, -1e300, 1e300] {
        change(&folder.join("config.json"), |config| config["created"] = json!(time));
        change(&folder.join("state.json"), |state| {
            state["started"] = json!(time);
            state["finished"] = json!(time);
        });
        for words in [
            "ps --all",
            "ps --all --format json",
            "inspect one",
            "container prune --force --filter until=1000000h",
        ] {
            let ran = boat.coracle(words);
            assert_eq!((ran.code, &*ran.err), (0, ""), "{time}: {words}");
        }
        if names(&boat.root().join("containers")).is_empty() {
            boat.run("--name one", &["true"]).ok();
            return assert!(time < 0.0, "{time} is no time before the last 114 years");
        }
    }
}

#[test]
fn thousand_containers_on_record_cost_ps_little() {
    // Times are held to their figures at level all alone: a thousand take a minute.
    let at_level_all = std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all");
    let number = if at_level_all { 1000 } else { 100 };
    // What other tests start meanwhile would count as well.
    if !alone() {
        return;
    }
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one", &["true"]).ok();
    let first = only(&boat);
    let add = |from: usize, to: usize| {
        for number in from..to {
            let id = format!("{number:012x}{:052}", 0);
            let folder = first.with_file_name(&id);
            fs::create_dir(&folder).unwrap();
            for name in ["config.json", "state.json", "words", "image.json"] {
                fs::copy(first.join(name), folder.join(name)).unwrap();
            }
            change(&folder.join("config.json"), |config| {
                config["id"] = json!(id);
                config["name"] = json!(format!("box{number}"));
            });
            // As it is once a command has seen that it has ended.
            fs::write(boat.root().join("ended").join(&id), "").unwrap();
        }
    };
    let time = |words: &str| {
        let mut times: Vec<Duration> = (0..15).map(|_| processor_time(&boat, words)).collect();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    add(1, number / 2);
    let (half, half_of_all) = (time("ps"), time("ps --all"));
    add(number / 2, number);
    let (version, whole, all) = (time("--version"), time("ps"), time("ps --all"));
    assert_eq!(boat.coracle("ps --all --quiet").ok().lines().count(), number);
    if !at_level_all {
        return assert_eq!(boat.coracle("container prune --force").ok().lines().count(), number + 3);
    }
    // A build without optimisation reads its JSON slowly, so only the one that costs nothing is held to the figure.
    assert!(whole <= 4.0 * version, "ps takes {whole}, --version {version}");
    assert!(whole <= 2.2 * half + version, "ps of a thousand takes {whole}, of 500 {half}");
    assert!(all <= 2.2 * half_of_all + version, "ps --all of a thousand takes {all}, of 500 {half_of_all}");
    assert_eq!(boat.coracle("container prune --force").ok().lines().count(), 1003);
}

/// What the processor did for it, whatever else the machine does.
fn processor_time(boat: &Boat, words: &str) -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let microseconds =
            |time: nix::sys::time::TimeVal| (time.tv_sec() * 1_000_000 + time.tv_usec()) as u64;
        Duration::from_micros(microseconds(usage.user_time()) + microseconds(usage.system_time()))
    };
    let before = used();
    boat.command(words.split(' ')).stdout(Stdio::null()).status().unwrap();
    used() - before
}
