//! H1: `coracle run` is killed at any moment, and the next command tells the truth and cleans up.
//!
//! Moments are system calls of `coracle` itself, injected by `strace`; for what its children do, delays.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::getpid;
use support::{Background, Host, Role, alone, children, descendants, wait_until};

use crate::kit::{Boat, LIMIT, have, names};

#[test]
fn killed_run_with_rm_leaves_nothing() {
    killed("--rm", |boat| boat.assert_no_container());
}

#[test]
fn killed_pull_is_begun_again() {
    let Some(boat) = Boat::new() else { return };
    let start = Instant::now();
    boat.sh("", "true").ok();
    let whole = start.elapsed();
    boat.coracle(&format!("rmi {}", boat.image)).ok();
    let number = number() / 2;
    for nth in 0..number {
        let mut run = Background::spawn(&mut quiet(boat.run_command("--rm", &["true"]))).unwrap();
        std::thread::sleep(whole * nth as u32 / number as u32);
        let all = descendants(run.pid());
        let _ = run.child().kill();
        run.child().wait().unwrap();
        wait_until("its children are gone", LIMIT, || !all.iter().any(|pid| support::is_alive(*pid)));
        let ran = boat.sh("", "cat greeting");
        assert_eq!((ran.code, &*ran.out), (0, "hello from above\n"), "killed after {nth}/{number}: {ran:?}");
        boat.assert_no_container();
        boat.coracle(&format!("rmi {}", boat.image)).ok();
        assert_eq!(names(&boat.root().join("layers")), Vec::<String>::new());
    }
}

/// Kills `coracle run OPTIONS` at sampled moments, lets `judge` look through the next command, and compares the host
/// with what it was before.
fn killed(options: &str, judge: impl Fn(&Boat)) {
    if !have(&[("strace", "strace")]) || !alone() {
        return;
    }
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    set_child_subreaper(true).unwrap();
    // Whatever network there is by default: it leaves more behind than any other part.
    let run = |inside: &[&str]| {
        let words = ["run"].into_iter().chain(options.split_whitespace()).chain([&*boat.image]);
        boat.command(words.chain(inside.iter().copied()))
    };
    let log = boat.path("strace");
    let mut traced = strace(&log, None, &run(&["true"]));
    assert!(traced.status().unwrap().success());
    judge(&boat);
    no_process_is_left();
    let moments = sample(&fs::read_to_string(&log).unwrap());
    let host = settled(&boat);
    // Without a moment of its own, it is killed while the command runs.
    for moment in std::iter::once(None).chain(moments.into_iter().map(Some)) {
        let ends = moment.as_ref().is_some_and(|moment| moment.after_command);
        let inside: &[&str] = if ends { &["true"] } else { &["sleep", "1000"] };
        let mut tracer = Background::spawn(&mut strace(&log, moment.as_ref(), &run(inside))).unwrap();
        while tracer.child().try_wait().unwrap().is_none() {
            // Not every run makes the same number of calls: then the command runs, which is a moment too.
            if sleeps(&tracer) {
                std::thread::sleep(Duration::from_millis(100));
                for coracle in children(tracer.pid()) {
                    let _ = kill(coracle, Signal::SIGKILL);
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        no_process_is_left();
        judge(&boat);
        no_process_is_left();
        host.wait_until_same(LIMIT).unwrap_or_else(|left| panic!("killed at {moment:?}, it left:\n{left}"));
        boat.sh("", "true").ok();
    }
}

fn sleeps(tracer: &Background) -> bool {
    let words = |pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    descendants(tracer.pid()).into_iter().any(|pid| words(pid) == b"sleep\x001000\0")
}

pub fn quiet(mut command: Command) -> Command {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

pub fn strace(log: &PathBuf, moment: Option<&Moment>, run: &Command) -> Command {
    traced(&[], log, moment, run)
}

/// The same with more options for strace: with `-f` all children are looked at, and killed.
pub fn traced(options: &[&str], log: &PathBuf, moment: Option<&Moment>, run: &Command) -> Command {
    let mut strace = Command::new("strace");
    strace.args(options).arg("-o").arg(log);
    if let Some(Moment { call, nth, .. }) = moment {
        strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={nth}"));
    }
    strace.arg(run.get_program()).args(run.get_args());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    quiet(strace)
}

/// A system call, by its name and how often it has been made.
#[derive(Debug)]
pub struct Moment {
    call: String,
    nth: usize,
    after_command: bool,
}

/// Some of all moments, spread over the whole run.
pub fn sample(log: &str) -> Vec<Moment> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut all = Vec::new();
    let (mut goes, mut after_command) = (0, false);
    for line in log.lines() {
        // With `-f` the number of the process comes first, and each counts its own calls.
        let process = line.split(' ').next().unwrap_or_default();
        let process = if process.bytes().all(|byte| byte.is_ascii_digit()) { process } else { "" };
        let line = line[process.len()..].trim_start();
        let Some((call, _)) = line.split_once('(') else { continue };
        let count = counts.entry((process, call)).or_default();
        *count += 1;
        let nth = *count;
        // The command runs from the second "go" on, and the first to be waited for then is its end.
        goes += usize::from(call == "sendto" && line.contains("\"go\""));
        after_command |= goes == 2 && call == "wait4";
        if call != "execve" && call.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            all.push(Moment { call: call.to_owned(), nth, after_command });
        }
    }
    let seed = env::var("CORACLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |time| time.as_secs() as usize)
    });
    let (number, of) = (number().min(all.len()), all.len());
    println!("CORACLE_SEED={seed}: {number} of {of} moments");
    let stride = of / number;
    all.into_iter().skip(seed % stride).step_by(stride).take(number).collect()
}

/// So many moments are tried, or as many as CORACLE_MOMENTS says: a large number means each of them.
fn number() -> usize {
    if let Some(number) = env::var("CORACLE_MOMENTS").ok().and_then(|number| number.parse().ok()) {
        return number;
    }
    if env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all") { 50 } else { 12 }
}

/// The host when nothing moves any more: the end of a cable vanishes some milliseconds after its container.
pub fn settled(boat: &Boat) -> Host {
    loop {
        let host = snapshot(boat);
        std::thread::sleep(Duration::from_millis(200));
        if host.difference(&snapshot(boat)).is_empty() {
            return host;
        }
    }
}

fn snapshot(boat: &Boat) -> Host {
    let run = env::var_os("XDG_RUNTIME_DIR").map_or("/nowhere".into(), PathBuf::from);
    let own = [boat.root().join("containers"), boat.root().join("tmp"), run];
    if Role::here() == Role::User {
        // It is not alone on its host, and cannot change there what it has no rights to.
        let theirs =
            ["process", "namespace", "link", "address", "route", "firewall", "cgroup", "ipc", "sysctl"];
        return Host::snapshot(&own.each_ref().map(PathBuf::as_path)).without(&theirs);
    }
    Host::snapshot(&[&own[0], &own[1], &own[2], "/run".as_ref()])
}

/// Orphans come to us, so that none is overlooked.
pub fn no_process_is_left() {
    let is_ours = |pid: &nix::unistd::Pid| {
        // The registry stays.
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        !String::from_utf8_lossy(&words).contains("docker-registry")
    };
    wait_until("all processes are gone", LIMIT, || {
        for child in children(getpid()).iter().filter(|child| is_ours(child)) {
            while matches!(waitpid(*child, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive)
            {
            }
        }
        !descendants(getpid()).iter().any(is_ours)
    });
}
