//! `step01 unshare` beside the `unshare` of util-linux, for all subsets of the eight namespaces.

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::unistd::getpid;
use support::{command, not_run, program};

const OPTIONS: [&str; 8] = ["--user", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--time"];

/// The namespaces of a process, and those that its children will be in.
const LINKS: [&str; 10] =
    ["user", "mnt", "uts", "ipc", "net", "pid", "pid_for_children", "cgroup", "time", "time_for_children"];

#[test]
fn every_subset_is_as_new_as_that_of_util_linux() {
    compare_all_subsets(&[]);
}

#[test]
fn every_subset_is_as_new_for_a_child() {
    compare_all_subsets(&["--fork"]);
}

#[test]
fn every_subset_is_as_new_for_a_mapped_root() {
    compare_all_subsets(&["--map-root-user"]);
}

#[test]
fn every_subset_is_as_new_for_a_child_of_a_mapped_root() {
    compare_all_subsets(&["--map-root-user", "--fork"]);
}

/// The nightly level takes the time that it takes; so does every machine that is not emulated.
const LIMIT: Duration = Duration::from_secs(8);

fn compare_all_subsets(always: &[&'static str]) {
    let Some(unshare) = program("unshare") else {
        return not_run("unshare is missing: apt-get install util-linux");
    };
    let (start, is_complete) = (Instant::now(), env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all"));
    for (done, number) in subsets().into_iter().enumerate() {
        if done >= OPTIONS.len() + 2 && start.elapsed() > LIMIT && !is_complete {
            let line = format!("{always:?}: {done} of 256 subsets in {LIMIT:?}, CORACLE_SEED={}\n", seed());
            let _ = std::io::stderr().write_all(line.as_bytes());
            return;
        }
        let asked = OPTIONS.iter().enumerate().filter(|(bit, _)| number & (1 << bit) != 0);
        let words: Vec<_> = always.iter().chain(asked.map(|(_, option)| option)).copied().collect();
        let ours = outcome(Path::new(env!("CARGO_BIN_EXE_step01")), &["unshare"], &words);
        assert_eq!(ours, outcome(&unshare, &[], &words), "{words:?}, ours on the left");
    }
}

/// All subsets, as bits: none, all, each option alone, and then the others in an order that the
/// seed decides.
fn subsets() -> Vec<usize> {
    let mut order: Vec<usize> = [0, 255].into_iter().chain((0..8).map(|bit| 1 << bit)).collect();
    for step in 0..256 {
        // An odd factor only changes the order.
        let number = (step * 167 + seed()) % 256;
        if !order.contains(&number) {
            order.push(number);
        }
    }
    assert_eq!(order.len(), 256);
    order
}

fn seed() -> usize {
    env::var("CORACLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

#[derive(Debug, PartialEq)]
struct Outcome {
    code: i32,
    /// For each link whether it leads where that of this test leads, elsewhere, or nowhere.
    links: BTreeMap<&'static str, &'static str>,
}

/// Lets `readlink` tell its own namespaces. It is the command itself: a shell in between would
/// already have children.
fn outcome(program: &Path, verb: &[&str], words: &[&str]) -> Outcome {
    let files = LINKS.map(|link| format!("/proc/self/ns/{link}"));
    let mut unshare = command(program);
    let output = unshare.args(verb).args(words).arg("readlink").args(files).output().unwrap();
    let outside = support::namespaces(getpid()).unwrap();

    let said = String::from_utf8(output.stdout).unwrap();
    let mut lines = said.lines().peekable();
    let links = LINKS.map(|link| {
        // Those of the children carry the kind's own name: `pid:[4026531836]`. `readlink` passes
        // over what leads nowhere, as a pid namespace does before its first process.
        let start = format!("{}:[", link.trim_end_matches("_for_children"));
        let state = match lines.next_if(|line| line.starts_with(&start)) {
            None => "nowhere",
            Some(line) if line == format!("{start}{}]", outside[link]) => "shared",
            Some(_) => "new",
        };
        (link, state)
    });
    assert_eq!(lines.next(), None, "{said}");
    // Some programs end by the signal that ended their child, others by the code of a shell.
    let code = output.status.code().or_else(|| Some(128 + output.status.signal()?)).unwrap();
    assert!(code < 2, "readlink did not run: {:?}", output.status);
    Outcome { code, links: BTreeMap::from(links) }
}
