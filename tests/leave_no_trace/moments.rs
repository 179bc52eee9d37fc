//! Moments at which a process can be killed: each of its system calls, by `strace --inject`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs};

use nix::sys::signal::{Signal, kill};
use support::{Background, children, not_run, program};

use crate::run::Run;

/// A host that has made no system call for so long waits for its command.
const QUIET: Duration = Duration::from_secs(1);

/// How far the host was in its dialogue with the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    BeforeClone,
    BeforeGo,
    BeforeReady,
    BeforeSecondGo,
    Running,
}

impl Phase {
    pub const ALL: [Self; 5] =
        [Self::BeforeClone, Self::BeforeGo, Self::BeforeReady, Self::BeforeSecondGo, Self::Running];

    /// What the system calls that were made say.
    fn after<'a>(calls: impl Iterator<Item = &'a str>) -> Self {
        let (mut cloned, mut ready, mut goes) = (false, false, 0);
        for call in calls {
            // A call that the kill cut short ends with a question mark.
            let done = !call.ends_with("= ?") && !call.contains("<unfinished");
            cloned |=
                done && call.starts_with("clone3(") && call.contains("CLONE_NEW") && !call.contains("= -1");
            ready |= done && call.starts_with("recvfrom(") && call.contains("\"ready\"");
            goes += usize::from(done && call.starts_with("sendto(") && call.contains("\"go\""));
        }
        match (cloned, goes, ready) {
            (false, ..) => Self::BeforeClone,
            (true, 0, _) => Self::BeforeGo,
            (true, 1, false) => Self::BeforeReady,
            (true, 1, true) => Self::BeforeSecondGo,
            _ => Self::Running,
        }
    }
}

/// The host is killed when it makes this system call for the n-th time.
#[derive(Clone, Debug)]
pub struct Moment {
    call: String,
    nth: usize,
    /// Where it stood in the run that was looked at.
    pub phase: Phase,
    /// It comes after the command has ended.
    after_command: bool,
}

/// Moments of each phase: a few, or fifty in all at the level `all`; and those that were not chosen. Nothing if strace
/// cannot be used.
pub fn sample(run: &Run) -> Option<(Vec<Moment>, Vec<Moment>)> {
    let Some(strace) = program("strace") else {
        not_run("strace is missing: apt-get install strace");
        return None;
    };
    let log = run.folder().join("strace");
    let strace = [strace.to_str().unwrap(), "-o", log.to_str().unwrap()].map(str::to_owned);
    let output = run.prepared(&[&strace[..], &run.words(&["true"])].concat()).output().unwrap();
    assert!(output.status.success(), "under strace: {output:?}");

    let all = moments(&fs::read_to_string(&log).unwrap());
    let number = match env::var("CORACLE_LEVEL").as_deref() {
        Ok("all") => 50,
        Ok("quick") => 10,
        _ => 20,
    };
    let seed = env::var("CORACLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |time| time.as_secs())
    });
    println!("CORACLE_SEED={seed}: {number} of {} moments", all.len());
    Some(choose(all, number, seed))
}

/// As many of each phase as there are, in turn, until the number is reached.
fn choose(all: Vec<Moment>, number: usize, seed: u64) -> (Vec<Moment>, Vec<Moment>) {
    let mut state = seed;
    let mut random = |below: usize| {
        // Knuth's linear congruential generator: the high bits are good enough to choose by.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut by_phase: BTreeMap<Phase, Vec<Moment>> = BTreeMap::new();
    for moment in all {
        by_phase.entry(moment.phase).or_default().push(moment);
    }
    let mut chosen = Vec::new();
    while chosen.len() < number && by_phase.values().any(|left| !left.is_empty()) {
        for left in by_phase.values_mut().filter(|left| !left.is_empty()) {
            chosen.push(left.swap_remove(random(left.len())));
        }
    }
    (chosen, by_phase.into_values().flatten().collect())
}

fn moments(log: &str) -> Vec<Moment> {
    // Signals are no calls, and one that the kernel begins again is made as often as its lock is not to be had.
    let is_call = |line: &&str| !line.starts_with(['-', '+']) && !line.contains("= ? ERESTART");
    let calls: Vec<&str> = log.lines().filter(is_call).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut after_command = false;
    let mut moments = Vec::new();
    for (index, line) in calls.iter().enumerate() {
        let Some((call, _)) = line.split_once('(') else { continue };
        let count = counts.entry(call).or_default();
        *count += 1;
        let phase = Phase::after(calls[..index].iter().copied());
        // To collect the command's exit code is the first thing after it has ended.
        after_command |= phase == Phase::Running && call.starts_with("wait");
        if call != "execve" {
            moments.push(Moment { call: call.to_owned(), nth: *count, phase, after_command });
        }
    }
    moments
}

/// Kills the host at this moment, and tells how far it had come.
pub fn kill_at(run: &Run, moment: &Moment) -> Phase {
    let log = run.folder().join("strace");
    let inject = format!("inject={}:signal=KILL:when={}", moment.call, moment.nth);
    let strace = ["strace", "-o", log.to_str().unwrap(), "-e", &inject].map(str::to_owned);
    // A command that would outlive any test, unless the moment comes after its end.
    let inside: &[&str] = if moment.after_command { &["true"] } else { &["sleep", "1000"] };
    let mut tracer =
        Background::spawn(&mut run.prepared(&[&strace[..], &run.words(inside)].concat())).unwrap();
    let (mut length, mut last_call) = (0, Instant::now());
    while tracer.child().try_wait().unwrap().is_none() {
        let now = fs::metadata(&log).map_or(0, |log| log.len());
        if now != length {
            (length, last_call) = (now, Instant::now());
        }
        // Not every run makes the same number of calls: then the host waits for the command, which is a moment too.
        if last_call.elapsed() > QUIET {
            for host in children(tracer.pid()) {
                let _ = kill(host, Signal::SIGKILL);
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let log = fs::read_to_string(&log).unwrap();
    Phase::after(log.lines())
}
