//! H1: the other commands are killed at any moment, with all that they have started: the next one tells the truth, and
//! nothing is left.

use std::fs;
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::getpid;
use support::{Role, alone, children, wait_until};

use crate::killed::{Moment, no_process_is_left, quiet, sample, settled, traced};
use crate::kit::{Boat, Image, LIMIT, Ran, have, names};

#[test]
fn h1_killed_rm_leaves_a_container_that_is_whole_or_none() {
    let line = "cat /d/kept 2>/dev/null; mkdir -p /d; touch /d/1 /d/2 /d/3; echo kept >/d/kept; sleep 0.01";
    killed(
        "rm box",
        |boat| drop(boat.run("--name box", &["sh", "-c", line]).ok()),
        |boat| {
            if boat.coracle("ps --all").ok().contains("box") {
                assert_eq!(boat.coracle("start --attach box").ok(), "kept");
            }
        },
    );
}

#[test]
fn h1_killed_rm_force_with_volumes_leaves_nothing() {
    killed(
        "rm --force --volumes box",
        |boat| drop(boat.run("-d -v /data --name box", &["sleep", "1000"]).ok()),
        |boat| {
            let listed = boat.coracle("ps --all --format {{.Status}}").ok();
            assert!(listed.is_empty() || listed.starts_with("Up ") || listed.starts_with("Exited (137)"));
        },
    );
}

#[test]
fn h1_killed_volume_create_leaves_one_or_none() {
    killed("volume create --label a=b vol", |_| {}, |boat| drop(boat.coracle("volume create vol").ok()));
}

#[test]
fn h1_killed_volume_rm_leaves_a_volume_that_is_whole_or_none() {
    let line = "mkdir -p /v/d; touch /v/d/1 /v/d/2; echo kept >/v/d/kept";
    let whole = |boat: &Boat| {
        if boat.coracle("volume ls --quiet").ok().contains("vol") {
            assert_eq!(boat.sh("-v vol:/v", "cat /v/d/kept").ok(), "kept");
        }
        boat.coracle("ps").ok();
    };
    for words in ["volume rm vol", "volume prune --all --force"] {
        killed(words, |boat| drop(boat.sh("-v vol:/v", line).ok()), whole);
    }
}

#[test]
fn h1_killed_system_prune_leaves_what_it_says() {
    killed(
        "system prune --volumes --force",
        |boat| drop(boat.run("-v /data", &["touch", "/data/file"]).ok()),
        |boat| drop(boat.coracle("system df").ok()),
    );
}

#[test]
fn h1_killed_rename_leaves_one_name() {
    killed(
        "rename box other",
        |boat| drop(boat.run("--name box", &["true"]).ok()),
        |boat| {
            let name = boat.coracle("ps --all --format {{.Names}}").ok();
            assert!(["box", "other"].contains(&&*name), "{name}");
        },
    );
}

#[test]
fn h1_killed_start_and_stop_leave_a_container_that_runs_or_not() {
    let truth = |boat: &Boat| {
        let up = || boat.coracle("ps --all --format {{.Status}}").ok().starts_with("Up ");
        // Its monitor may still be on its way.
        let is_as_said = || boat.coracle("exec box true").code == i32::from(!up());
        wait_until("what the list says is so", LIMIT, is_as_said);
    };
    let start = |boat: &Boat| drop(boat.run("-d --name box", &["sleep", "1000"]).ok());
    for words in ["stop --time 0 box", "restart --time 0 box", "kill box"] {
        killed(words, start, truth);
    }
    let stopped = |boat: &Boat| {
        start(boat);
        boat.coracle("stop --time 0 box").ok();
    };
    killed("start box", stopped, truth);
}

#[test]
fn h1_killed_exec_leaves_no_process_inside() {
    killed(
        "exec box sleep 0.05",
        |boat| drop(boat.run("-d --name box", &["sleep", "1000"]).ok()),
        |boat| {
            let inside = || {
                reap(0);
                boat.coracle("top box -o pid").ok().lines().count()
            };
            wait_until("only its first process is there", LIMIT, || inside() == 2);
        },
    );
}

#[test]
fn h1_killed_cp_leaves_the_container_as_it_is() {
    let before = |boat: &Boat| {
        boat.run("-d --name box", &["sleep", "1000"]).ok();
        fs::write(boat.path("file"), vec![b'x'; 300_000]).unwrap();
    };
    let truth = |boat: &Boat| {
        assert_eq!(boat.coracle("exec box cat /greeting").ok(), "hello from above");
        assert_eq!(fs::read(boat.path("file")).unwrap().len(), 300_000);
    };
    killed("cp FILE box:/file", before, truth);
    killed("cp box:/bin FILE.copy", before, truth);
}

#[test]
fn h1_killed_save_leaves_a_whole_archive_or_none() {
    let before = |boat: &Boat| {
        let _ = fs::remove_file(boat.path("file.tar"));
    };
    killed("save -o FILE.tar IMAGE", before, |boat| {
        boat.coracle("images").ok();
        // Of a file that is not finished nothing is seen, under no name.
        let others = names(&boat.path("")).into_iter().filter(|name| !["state", "strace"].contains(&&**name));
        let others: Vec<_> = others.collect();
        assert!(others.is_empty() || others == ["file.tar"], "{others:?}");
        if !others.is_empty() {
            boat.coracle(&format!("load -i {}", boat.path("file.tar").display())).ok();
        }
    });
}

#[test]
fn h1_killed_load_and_pull_are_begun_again() {
    let truth = |boat: &Boat| {
        if !boat.coracle("images --quiet").ok().is_empty() {
            assert_eq!(boat.sh("", "cat /greeting").ok(), "hello from above");
        }
        // What waits for the next pull goes, too.
        boat.coracle("image prune --all --force").ok();
    };
    let gone = |boat: &Boat| drop(boat.coracle("image prune --all --force").ok());
    killed_of(Boat::new, "pull --quiet IMAGE", gone, truth);
    let saved = || {
        let boat = Boat::holding(&Image::usual()?);
        boat.coracle(&format!("save -o {} {}", boat.path("file").display(), boat.image)).ok();
        Some(boat)
    };
    killed_of(saved, "load -i FILE", gone, truth);
}

/// With the usual image, unpacked, which stays.
fn killed(words: &str, before: impl Fn(&Boat), truth: impl Fn(&Boat)) {
    let boat = || {
        let boat = Boat::holding(&Image::usual()?);
        boat.sh("", "true").ok();
        Some(boat)
    };
    killed_of(boat, words, before, truth);
}

/// Makes what is there `before`, kills the command at sampled moments, and looks whether the next ones tell the `truth`;
/// what remains then can be removed without a trace.
fn killed_of(boat: impl Fn() -> Option<Boat>, words: &str, before: impl Fn(&Boat), truth: impl Fn(&Boat)) {
    if !have(&[("strace", "strace")]) || !alone() {
        return;
    }
    let Some(boat) = boat() else { return };
    set_child_subreaper(true).unwrap();
    let file = boat.path("file").to_str().unwrap().to_owned();
    let words = words.replace("IMAGE", &boat.image).replace("FILE", &file);
    let log = boat.path("strace");
    // Nobody who is looked at becomes another user: newuidmap would not do its work. And what stays in the background would
    // be looked at for ever.
    let stays = words.starts_with("start") || words.starts_with("restart");
    let options: &[&str] = if stays || Role::here() == Role::User { &[] } else { &["-f"] };
    let kill_at = |moment: Option<&Moment>| {
        before(&boat);
        let command = boat.command(words.split(' '));
        let ran = Ran::of(traced(options, &log, moment, &command).stderr(std::process::Stdio::piped()));
        assert!(moment.is_some() || ran.code == 0, "{words}: {ran:?}");
        truth(&boat);
        remove_all(&boat);
    };
    kill_at(None);
    let calls = fs::read_to_string(&log).unwrap();
    // What it does last is what can be left half done.
    let removes = |line: &&str| line.contains("unlinkat(");
    let calls = match words.starts_with("rm ") {
        true => calls.lines().filter(removes).map(|line| format!("{line}\n")).collect(),
        false => calls,
    };
    let moments = sample(&calls);
    let host = settled(&boat);
    // At level ci two moments of each command: there are many, and each takes four commands.
    let stride = if moments.len() > 12 { 1 } else { moments.len().div_ceil(2).max(1) };
    for moment in moments.iter().step_by(stride) {
        println!("{words}, killed at {moment:?}");
        kill_at(Some(moment));
        host.wait_until_same(LIMIT)
            .unwrap_or_else(|left| panic!("{words}, killed at {moment:?}, has left:\n{left}"));
    }
}

fn remove_all(boat: &Boat) {
    for id in boat.coracle("ps --all --quiet").ok().lines() {
        let mut removal = quiet(boat.command(["rm", "--force", "--volumes", id])).spawn().unwrap();
        let status = loop {
            if let Some(status) = removal.try_wait().unwrap() {
                break status;
            }
            reap(removal.id());
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success());
    }
    boat.assert_no_container();
    // Whatever is half made or half gone is gone by now, without a word about volumes.
    assert!(names(&boat.root().join("volumes")).iter().all(|name| !name.starts_with('.')));
    boat.coracle("volume prune --all --force").ok();
    assert_eq!(names(&boat.root().join("volumes")), Vec::<String>::new());
    no_process_is_left();
}

/// Orphans come to us, and one that is dead keeps the container that it had joined, until somebody asks for it.
fn reap(but: u32) {
    for child in children(getpid()).into_iter().filter(|child| child.as_raw() as u32 != but) {
        let _ = waitpid(child, Some(WaitPidFlag::WNOHANG));
    }
}
