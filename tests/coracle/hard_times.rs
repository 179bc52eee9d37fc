//! Commands that will not end, ends that come at once, disks that are full, and places with odd names.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use support::{NotApplicable, Role, alone, command_name, is_alive, not_applicable, status, wait_until};

use crate::kit::{Boat, Image, LIMIT, Ran, first_process, names};

fn pulled() -> Option<Boat> {
    let boat = Boat::new()?;
    boat.sh("", "true").ok();
    Some(boat)
}

#[test]
fn c16_whatever_process_1_does_it_ends() {
    let Some(boat) = pulled() else { return };
    let stubborn = [
        "trap '' TERM INT HUP; echo ready; while :; do sleep 1; done",
        "echo ready; kill -STOP $$; sleep 1000",
        // Daemons that nobody waits for, and zombies by the hundred: process 1 does not reap.
        "for n in $(seq 300); do (sleep 0 &) ; done; for n in 1 2 3; do (setsid sleep 1000 &); done; echo ready; exec sleep 1000",
        // A command in a session of its own. Process 1 leads one anyhow, so that its own `setsid` would fork.
        "echo ready; setsid sleep 1000; exit",
    ];
    let ends: [(&str, u64); 4] =
        [("stop -t 1 box", 5), ("kill box", 3), ("rm --force box", 3), ("restart -t 0 box", 3)];
    let all = std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all");
    for (row, line) in stubborn.into_iter().enumerate() {
        for (column, options) in ["", "--init"].into_iter().enumerate() {
            for (end, seconds) in ends
                .into_iter()
                .skip(if all { 0 } else { (row + column) % 4 })
                .step_by(if all { 1 } else { 4 })
            {
                boat.run(&format!("-d --name box {options}"), &["sh", "-c", line]).ok();
                wait_until("it is ready", LIMIT, || boat.coracle("logs box").ok().contains("ready"));
                let container = first_process(&boat.root());
                let container =
                    container.unwrap_or_else(|| panic!("{line} {options}: {}", boat.coracle("ps --all").out));
                let start = Instant::now();
                boat.coracle(end).ok();
                wait_until("it has ended", LIMIT, || !is_alive(container));
                assert!(
                    start.elapsed() < Duration::from_secs(seconds),
                    "{end}: {:?}: {line}",
                    start.elapsed()
                );
                boat.coracle("rm --force box");
                boat.assert_no_container();
            }
        }
    }
}

#[test]
fn c20_container_that_ends_at_once_tells_the_same_to_everybody() {
    let Some(boat) = pulled() else { return };
    for n in 0..20 {
        let code = n % 5;
        boat.run("-d --name box", &["sh", "-c", &format!("echo said; exit {code}")]).ok();
        let words =
            [["logs", "-f", "box"].as_slice(), &["wait", "box"], &["stop", "box"], &["exec", "box", "true"]];
        let all: Vec<_> = words
            .iter()
            .map(|words| boat.command(*words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
            .collect();
        let all: Vec<Ran> = all.into_iter().map(|child| child.wait_with_output().unwrap().into()).collect();
        assert_eq!((all[0].code, &*all[0].out), (0, "said\n"), "{:?}", all[0]);
        assert_eq!((all[1].code, all[1].out.trim()), (0, &*code.to_string()), "{:?}", all[1]);
        assert_eq!(all[2].code, 0, "{:?}", all[2]);
        assert!(matches!(all[3].code, 0 | 1 | 126 | 137), "{:?}", all[3]);
        assert!(boat.coracle("ps --all").ok().contains(&format!("Exited ({code})")));
        boat.coracle("rm box").ok();
    }
}

#[test]
fn h4_state_may_be_at_any_place() {
    let Some(image) = Image::usual() else { return };
    let odd = ["blank newline\n colon: comma, backslash\\ \u{fc}ml\u{e4}ut", &"deep/".repeat(40)];
    for name in odd {
        let boat = Boat::empty();
        let root = boat.path(name).join("state");
        fs::create_dir_all(&root).unwrap();
        image.write(&root, "docker.io/library/box:1");
        let coracle = |words: &str| {
            let mut command = support::command(env!("CARGO_BIN_EXE_coracle"));
            command.arg("--root").arg(&root).args(words.split(' ')).stdin(Stdio::null());
            Ran::of(&mut command)
        };
        let id = coracle("run -d -i --network none --name box box:1 cat").ok();
        assert_eq!(coracle("exec box cat /greeting").ok(), "hello from above", "{name:?}");
        assert_eq!(coracle("exec -d box true").ok(), "");
        let mut attach = support::command(env!("CARGO_BIN_EXE_coracle"));
        attach.arg("--root").arg(&root).args(["attach", "box"]);
        let mut attach = attach.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        attach.stdin.as_mut().unwrap().write_all(b"echoed\n").unwrap();
        wait_until("it is in the log", LIMIT, || coracle("logs box").ok() == "echoed");
        assert!(coracle("ps --no-trunc").ok().contains(&id));
        coracle("stop -t 0 box").ok();
        let ran: Ran = attach.wait_with_output().unwrap().into();
        assert_eq!((ran.code, &*ran.out), (137, "echoed\n"), "{name:?}");
        coracle("start box").ok();
        coracle("rm --force box").ok();
        coracle("rmi box:1").ok();
        assert_eq!(names(&root.join("containers")), Vec::<String>::new());
    }
}

#[test]
fn h2_full_disk_takes_the_log_and_not_the_container() {
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    if !alone() {
        return;
    }
    let Some(image) = Image::usual() else { return };
    let boat = Boat::empty();
    fs::create_dir(boat.root()).unwrap();
    crate::kit::tool(&["mount", "-t", "tmpfs", "-o", "size=12m", "small", boat.root().to_str().unwrap()]);
    image.write(&boat.root(), "docker.io/library/box:1");
    let spare = boat.root().join("spare");
    fs::write(&spare, vec![b'x'; 1 << 20]).unwrap();
    let line = "yes something long enough to fill it | head -c 10000000; echo over; read line; echo $line; exec sleep 1000";
    let mut run =
        boat.command(["run", "-d", "-i", "--network=none", "--name=box", "box:1", "sh", "-c", line]);
    Ran::of(&mut run).ok();
    let container = first_process(&boat.root()).unwrap();
    wait_until("all is printed", LIMIT, || support::children(container).is_empty());
    assert!(is_alive(container));
    assert_eq!(boat.coracle("exec box echo there").ok(), "there");
    assert!(boat.coracle("logs --tail 1 box").code == 0);
    // The half of a line that was the last to find room takes no later one with it.
    fs::remove_file(&spare).unwrap();
    let mut attach = boat.command(["attach", "box"]);
    let mut attach = attach.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    attach.stdin.as_mut().unwrap().write_all(b"later\n").unwrap();
    wait_until("it is in the log", LIMIT, || boat.coracle("logs --tail 1 box").ok() == "later");
    let ended = boat.coracle("stop -t 0 box");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(attach.wait().unwrap().code(), Some(137));
    let listed = boat.coracle("ps --all");
    assert!(listed.out.contains("Exited (137)"), "{listed:?}");
    boat.coracle("rm box").ok();
    boat.assert_no_container();
    crate::kit::tool(&["umount", boat.root().to_str().unwrap()]);
}

#[test]
fn idle_monitor_is_small() {
    let Some(boat) = pulled() else { return };
    boat.run("-d --name box", &["sleep", "1000"]).ok();
    let container = first_process(&boat.root()).unwrap();
    let monitor = Pid::from_raw(status(container).unwrap()["PPid"].parse().unwrap());
    wait_until("it is small", LIMIT, || command_name(monitor).as_deref() == Some("coracle-monitor"));
    std::thread::sleep(Duration::from_millis(200));
    let text = fs::read_to_string(format!("/proc/{monitor}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    let pss: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    // An optimised build has less than 1024: tests/bench measures that.
    println!("Pss of the monitor: {pss} KiB");
    assert!(pss < 2048, "{pss} KiB");
}
