//! `logs`: what a container has printed, on disk and afterwards.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use support::{Background, wait_until};

use crate::kit::{Boat, LIMIT};

#[test]
fn log_is_dockers_and_streams_stay_apart() {
    let Some(boat) = Boat::new() else { return };
    let id = boat.run("-d --name says", &["sh", "-c", "echo out; sleep 0.1; echo err >&2; printf half"]).ok();
    boat.coracle("wait says").ok();
    let ran = boat.coracle("logs says");
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "out\nhalf", "err\n"));
    let file = boat.root().join(format!("containers/{id}/{id}-json.log"));
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|line| (line["stream"].as_str(), line["log"].as_str())).collect();
    assert_eq!(told[0], (Some("stdout"), Some("out\n")));
    assert!(
        told.contains(&(Some("stderr"), Some("err\n"))) && told.contains(&(Some("stdout"), Some("half")))
    );
    assert!(lines[0]["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn log_of_one_that_was_attached_is_kept_too() {
    let Some(boat) = Boat::new() else { return };
    assert_eq!(boat.run("--name seen", &["echo", "hello"]).ok(), "hello");
    assert_eq!(boat.coracle("logs seen").ok(), "hello");
    // Without a monitor nobody keeps one.
    boat.run("--name none --log-driver none", &["echo", "hello"]).ok();
    boat.coracle("logs none").failed(1, "there is no log of none");
}

#[test]
fn lines_are_chosen() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name says", &["sh", "-c", "for i in 1 2 3 4 5; do echo $i; done"]).ok();
    assert_eq!(boat.coracle("logs --tail 2 says").ok(), "4\n5");
    assert_eq!(boat.coracle("logs -n 0 says").ok(), "");
    assert_eq!(boat.coracle("logs --tail -1 says").ok(), "1\n2\n3\n4\n5");
    assert_eq!(boat.coracle("logs --since 10m says").ok(), "1\n2\n3\n4\n5");
    assert_eq!(boat.coracle("logs --until 10m says").ok(), "");
    assert_eq!(boat.coracle("logs --since 2999-01-01T00:00:00Z says").ok(), "");
    let stamped = boat.coracle("logs -t -n 1 says").ok();
    assert!(stamped.starts_with("20") && stamped.ends_with("Z 5"), "{stamped}");
    boat.coracle("logs --tail abc says").failed(1, "invalid value");
    boat.coracle("logs --since yesterday says").failed(1, "yesterday");
    boat.coracle("logs nobody").failed(1, "No such container: nobody");
}

#[test]
fn lines_are_chosen_to_the_nanosecond() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name says", &["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.02; done"]).ok();
    let stamped = boat.coracle("logs -t says").ok();
    let times: Vec<&str> = stamped.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(times.iter().all(|time| time.len() == "2026-11-24T20:53:33.123456789Z".len()), "{stamped}");
    let logs = |options: &str| boat.coracle(&format!("logs {options} says")).ok().replace('\n', "");
    assert_eq!(logs(&format!("--since {}", times[1])), "23");
    assert_eq!(logs(&format!("--until {}", times[1])), "12");
    assert_eq!(logs(&format!("--since {} --until {}", times[1], times[1])), "2");
    // A nanosecond later and earlier, in seconds since 1970.
    let seconds = support::command("date").args(["-d", times[1], "+%s %N"]).output().unwrap();
    let seconds = String::from_utf8(seconds.stdout).unwrap();
    let (whole, fraction) = seconds.trim().split_once(' ').unwrap();
    let exactly: i128 = format!("{whole}{fraction}").parse().unwrap();
    let moment = |at: i128| format!("{}.{:09}", at / 1_000_000_000, at % 1_000_000_000);
    assert_eq!(logs(&format!("--since {}", moment(exactly))), "23");
    assert_eq!(logs(&format!("--since {}", moment(exactly + 1))), "3");
    assert_eq!(logs(&format!("--until {}", moment(exactly))), "12");
    assert_eq!(logs(&format!("--until {}", moment(exactly - 1))), "1");
}

#[test]
fn a_fresh_line_is_newer_than_a_second() {
    let Some(boat) = Boat::new() else { return };
    // Whatever part of a second has gone by: half of all lines were lost to whole seconds.
    for _ in 0..4 {
        let start = std::time::Instant::now();
        boat.run("--name says", &["echo", "fresh"]).ok();
        let said = boat.coracle("logs --since 1s says").ok();
        assert!(said == "fresh" || start.elapsed().as_secs_f64() > 1.0, "{said:?}");
        boat.coracle("rm says").ok();
        std::thread::sleep(std::time::Duration::from_millis(270));
    }
}

#[test]
fn details_are_a_blank_since_nothing_is_noted() {
    let Some(boat) = Boat::new() else { return };
    boat.run("--name says", &["echo", "hello"]).ok();
    let said = boat.coracle("logs --details says");
    assert_eq!((said.code, &*said.out), (0, " hello\n"));
    let said = boat.coracle("logs --details -t says").ok();
    assert!(said.ends_with("Z  hello"), "{said}");
}

#[test]
fn log_is_followed_until_the_end() {
    let Some(boat) = Boat::new() else { return };
    let line = "echo one; until [ -e /go ]; do sleep 0.05; done; echo two";
    boat.run("-d --name says", &["sh", "-c", line]).ok();
    let mut follow = boat.command(["logs", "-f", "says"]);
    let mut follow = Background::spawn(follow.stdout(Stdio::piped())).unwrap();
    let mut lines = BufReader::new(follow.child().stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    boat.coracle("exec says touch /go").ok();
    assert_eq!(lines.next().unwrap().unwrap(), "two");
    assert!(lines.next().is_none());
    wait_until("the follower has ended", LIMIT, || follow.child().try_wait().unwrap().is_some());
    assert_eq!(boat.coracle("logs -f says").ok(), "one\ntwo", "of one that has ended");
}

#[test]
fn log_is_rotated_and_a_wrong_limit_is_said() {
    let Some(boat) = Boat::new() else { return };
    let line = "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done";
    let id = boat.run("-d --name says --log-opt max-size=4k --log-opt max-file=3", &["sh", "-c", line]).ok();
    boat.coracle("wait says").ok();
    let folder = boat.root().join("containers").join(&id);
    let sizes =
        ["", ".1", ".2"].map(|end| folder.join(format!("{id}-json.log{end}")).metadata().unwrap().len());
    assert!(sizes.iter().all(|size| (1..=24 << 10).contains(size)), "{sizes:?}");
    assert!(!folder.join(format!("{id}-json.log.3")).exists());
    let last: Vec<u32> = boat.coracle("logs says").ok().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(last, (300 - last.len() as u32..300).collect::<Vec<_>>());
    boat.run("--log-opt max-size=x", &["true"]).failed(125, "invalid value for max-size: 'x'");
    boat.run("--log-opt max-file=2", &["true"]).failed(125, "max-file needs max-size");
    boat.run("--log-opt nope=1", &["true"]).failed(125, "unknown log opt 'nope'");
    boat.run("--log-opt tag=x", &["true"]).failed(125, "log opt 'tag' is not there");
    boat.run("--log-opt compress=false --log-opt mode=blocking", &["true"]).ok();
    boat.run("--log-driver syslog", &["true"]).failed(125, "syslog");
}

#[test]
fn followed_log_that_is_rotated_at_once_loses_no_line() {
    let Some(boat) = Boat::new() else { return };
    let line = "echo here; until [ -e /go ]; do sleep 0.05; done; exec seq 1 20000";
    boat.run("-d --name says --log-opt max-size=50k --log-opt max-file=100", &["sh", "-c", line]).ok();
    let mut follow = boat.command(["logs", "-f", "says"]);
    let mut follow = Background::spawn(follow.stdout(Stdio::piped())).unwrap();
    let mut lines = BufReader::new(follow.child().stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "here");
    boat.coracle("exec says touch /go").ok();
    for number in 1..=20_000 {
        assert_eq!(lines.next(), Some(number.to_string()));
    }
    assert_eq!(lines.next(), None);
}
