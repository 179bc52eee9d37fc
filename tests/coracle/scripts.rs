//! What scripts, pipelines and services around Docker do, and people at a terminal do not.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use serde_json::json;
use support::{Background, wait_until};

use crate::kit::{Boat, Image, LIMIT, Ran, first_process, names};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

#[test]
fn restart_of_a_container_with_rm_is_not_its_end() {
    let Some(boat) = boat() else { return };
    boat.run("-d --rm --name box", &["sh", "-c", "echo begun >>/times; exec sleep 1000"]).ok();
    assert_eq!(boat.coracle("restart -t 0 box").ok(), "box");
    wait_until("it began twice", LIMIT, || boat.coracle("exec box cat /times").out == "begun\nbegun\n");
    // Its `--rm` is still meant.
    boat.coracle("stop -t 0 box").ok();
    boat.assert_no_container();

    let mut started = boat.start("--rm --name box", "sleep 1000");
    boat.coracle("restart -t 0 box")
        .failed(1, "it runs without a monitor, in the terminal of its `run --rm`");
    assert!(started.lives());
    boat.coracle("kill box").ok();
    started.end();
    boat.assert_no_container();
}

#[test]
fn signal_that_is_no_end_leaves_the_restart_policy_alone() {
    let Some(boat) = boat() else { return };
    let line = "trap : HUP; while :; do sleep 0.05; done";
    boat.run("-d --name box --restart always --stop-signal QUIT", &["sh", "-c", line]).ok();
    boat.coracle("kill -s HUP box").ok();
    let first = first_process(&boat.root()).unwrap();
    kill(first, Signal::SIGKILL).unwrap();
    wait_until("another one runs", LIMIT, || first_process(&boat.root()).is_some_and(|pid| pid != first));
    boat.coracle("kill -s KILL box").ok();
    assert_eq!(boat.coracle("inspect -f {{.State.Status}} box").ok(), "exited");
}

#[test]
fn who_reads_a_saved_image_slowly_keeps_nobody_waiting() {
    let Some(image) = Image::busybox(json!({})) else { return };
    let boat = Boat::holding(&image);
    boat.coracle("tag box:1 other:1").ok();
    let mut save = Background::spawn(boat.command(["save", "box:1"]).stdout(Stdio::piped())).unwrap();
    let mut archive = save.child().stdout.take().unwrap();
    let mut begun = [0; 512];
    archive.read_exact(&mut begun).unwrap();
    let start = Instant::now();
    let ids = boat.coracle("images -q --no-trunc box:1").ok();
    let mut rmi = Background::spawn(boat.command(["rmi", "-f", &ids]).stdout(Stdio::null())).unwrap();
    wait_until("the image is removed", LIMIT, || rmi.child().try_wait().unwrap().is_some());
    assert!(start.elapsed() < LIMIT);
    assert_eq!(boat.coracle("images -q").ok(), "");
    // What was open is still whole.
    let mut rest = begun.to_vec();
    archive.read_to_end(&mut rest).unwrap();
    assert!(save.child().wait().unwrap().success());
    let path = boat.path("again.tar");
    fs::write(&path, rest).unwrap();
    assert_eq!(boat.coracle(&format!("load -q -i {}", path.display())).ok(), "Loaded image: box:1");
}

#[test]
fn save_that_is_interrupted_leaves_no_file() {
    let Some(image) = Image::busybox(json!({})) else { return };
    let boat = Boat::holding(&image);
    let folder = boat.path("folder");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("saved.tar");
    let save = || boat.command(["save", "-o", file.to_str().unwrap(), "box:1"]);
    // Wherever it is killed.
    for wait in 0..12 {
        let mut child = save().spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait * 2));
        child.kill().unwrap();
        child.wait().unwrap();
        let left: Vec<_> = names(&folder).into_iter().filter(|name| name != "saved.tar").collect();
        assert_eq!(left, Vec::<String>::new(), "after {wait}");
    }
    fs::write(&file, "old").unwrap();
    Ran::of(&mut save()).ok();
    assert!(fs::metadata(&file).unwrap().len() > 10_000 && names(&folder) == ["saved.tar"]);
}

#[test]
fn command_that_has_its_files_in_hand_is_named() {
    let Some(boat) = boat() else { return };
    boat.run("--name box", &["true"]).ok();
    let mut cp = Background::spawn(boat.command(["cp", "-", "box:/"]).stdin(Stdio::piped())).unwrap();
    let end = cp.child().stdin.take().unwrap();
    let rm = || boat.coracle("rm box");
    wait_until("it is in hand", LIMIT, || {
        let said = boat.coracle("start box");
        said.err.contains("cannot start container box: another command has it in hand")
            || said.code == 0 && {
                boat.coracle("stop -t 0 box");
                false
            }
    });
    rm().failed(1, "cannot remove container \"box\": another command has it in hand");
    boat.coracle("rm -f box").failed(1, "cannot remove container \"box\": another command has it in hand");
    // It has been stopped already.
    assert_eq!(boat.coracle("stop box").ok(), "box");
    drop(end);
    cp.child().wait().unwrap();
    assert_eq!(rm().ok(), "box");
}

#[test]
fn followed_log_that_nobody_reads_ends_without_another_line() {
    let Some(boat) = boat() else { return };
    boat.run("-d --name box", &["sh", "-c", "echo ready; exec sleep 1000"]).ok();
    let mut logs = Background::spawn(boat.command(["logs", "-f", "box"]).stdout(Stdio::piped())).unwrap();
    let mut output = logs.child().stdout.take().unwrap();
    output.read_exact(&mut [0; 6]).unwrap();
    drop(output);
    wait_until("it has ended", LIMIT, || logs.child().try_wait().unwrap().is_some());
}

#[test]
fn followed_log_that_somebody_empties_goes_on() {
    let Some(boat) = boat() else { return };
    let line = "echo a line that is longer than what comes after it; while [ ! -e /go ]; do sleep 0.05; done; echo new; exec sleep 1000";
    boat.run("-d --name box", &["sh", "-c", line]).ok();
    let mut logs = Background::spawn(boat.command(["logs", "-f", "box"]).stdout(Stdio::piped())).unwrap();
    let mut output = std::io::BufReader::new(logs.child().stdout.take().unwrap());
    let mut text = String::new();
    std::io::BufRead::read_line(&mut output, &mut text).unwrap();
    fs::write(boat.coracle("inspect -f {{.LogPath}} box").ok(), "").unwrap();
    boat.coracle("exec box touch /go").ok();
    text.clear();
    std::io::BufRead::read_line(&mut output, &mut text).unwrap();
    assert_eq!(text, "new\n");
}

#[test]
fn followed_log_ends_at_the_time_that_was_asked_for() {
    let Some(boat) = boat() else { return };
    boat.run("-d --name box", &["sh", "-c", "echo here; exec sleep 1000"]).ok();
    wait_until("it has printed", LIMIT, || boat.coracle("logs box").ok() == "here");
    // Which has come already, or will in a moment.
    for until in ["0s", "-1s"] {
        assert_eq!(boat.coracle(&format!("logs -f --until {until} box")).ok(), "here", "{until}");
    }
}

#[test]
fn names_that_inspect_shows_are_names() {
    let Some(boat) = boat() else { return };
    boat.run("-d --name /first", &["sleep", "1000"]).ok();
    let shown = |name: &str| boat.coracle(&format!("inspect -f {{{{.Name}}}} {name}")).ok();
    assert_eq!(shown("first"), "/first");
    assert_eq!(shown("/first"), "/first");
    boat.run("--name /first", &["true"]).failed(125, "The container name \"/first\" is already in use");
    assert_eq!(boat.coracle("rm -f /first").ok(), "/first");
}
