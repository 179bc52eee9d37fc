//! The terminal and the files of whoever calls stay outside: without `-t` what is printed is passed on.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Pid, getsid};
use support::{Background, wait_until};

use crate::kit::{Boat, LIMIT, Ran, Screen};

/// `run --rm` and `exec`, each with these options: the two that wait in the foreground.
fn both(boat: &Boat, options: &str, line: &str) -> [Command; 2] {
    let inside = ["sh", "-c", line];
    let mut words: Vec<_> = ["exec"].into_iter().chain(options.split_whitespace()).collect();
    words.push("box");
    words.extend(inside);
    [boat.run_command(&format!("--rm {options}"), &inside), boat.command(words)]
}

fn with_box() -> Option<Boat> {
    let boat = Boat::new()?;
    boat.run("-d --name box", &["sleep", "1000"]).ok();
    Some(boat)
}

fn numbers(path: impl AsRef<Path>) -> (u64, u64) {
    let found = fs::metadata(path).unwrap();
    (found.dev(), found.ino())
}

#[test]
fn file_behind_the_output_cannot_be_emptied_or_read() {
    let Some(boat) = with_box() else { return };
    let log = boat.path("log");
    for mut command in both(&boat, "", ": >/proc/self/fd/1; echo two; : >/proc/self/fd/2; echo three >&2") {
        fs::write(&log, "one\n").unwrap();
        let append = || File::options().append(true).open(&log).unwrap();
        let status = command.stdout(append()).stderr(append()).status().unwrap();
        assert!(status.success());
        assert_eq!(fs::read_to_string(&log).unwrap(), "one\ntwo\nthree\n");
    }
    // Nor written, where it was opened to be read.
    for mut command in both(&boat, "-i", "echo changed >/proc/self/fd/0; cat >/dev/null") {
        fs::write(&log, "one\n").unwrap();
        command.stdin(File::open(&log).unwrap()).status().unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), "one\n");
    }
}

#[test]
fn c13_terminal_of_the_caller_is_not_passed_in() {
    let Some(boat) = with_box() else { return };
    let line = "trap 'exit 9' INT; (exec 3</dev/tty) 2>/dev/null && echo has a terminal; echo there; sleep 1000 & wait";
    for command in both(&boat, "", line) {
        let Some(mut screen) = Screen::of(&command, (24, 80)) else { return };
        screen.shows("there");
        assert!(!screen.shown.contains("has a terminal"), "{:?}", screen.shown);
        let of_caller = numbers(format!("/proc/{}/fd/0", screen.coracle.pid()));
        let command = shell_below(screen.coracle.pid());
        for number in 0..3 {
            assert_ne!(numbers(format!("/proc/{command}/fd/{number}")), of_caller);
        }
        assert_ne!(getsid(Some(command)).unwrap(), getsid(Some(screen.coracle.pid())).unwrap());
        // ^C is for the process that waits here, and that passes it on.
        screen.types("\x03");
        assert_eq!(screen.end(), 9);
    }
}

#[test]
fn what_is_printed_stays_in_order_where_it_is_read_together() {
    let Some(boat) = with_box() else { return };
    let line = "for n in 1 2 3 4 5; do echo $n; echo $n >&2; done";
    for mut command in both(&boat, "", line) {
        let both = File::create(boat.path("both")).unwrap();
        command.stdout(both.try_clone().unwrap()).stderr(both).status().unwrap();
        let text = fs::read_to_string(boat.path("both")).unwrap();
        assert_eq!(text.split_whitespace().collect::<String>(), "1122334455");
        let ran = Ran::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        assert_eq!((&*ran.out, &*ran.err), ("1\n2\n3\n4\n5\n", "1\n2\n3\n4\n5\n"));
    }
}

#[test]
fn much_passes_through_unchanged() {
    let Some(boat) = with_box() else { return };
    let bytes: Vec<u8> = (0..5_000_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    fs::write(boat.path("much"), &bytes).unwrap();
    for mut command in both(&boat, "-i", "cat; cat /dev/null") {
        let copy = File::create(boat.path("copy")).unwrap();
        command.stdin(File::open(boat.path("much")).unwrap()).stdout(copy).status().unwrap();
        assert!(fs::read(boat.path("copy")).unwrap() == bytes);
    }
    // What was printed last arrives, also to one who reads slowly.
    for mut command in both(&boat, "", "seq 1 20000; printf last") {
        let mut runs = Background::spawn(command.stdout(Stdio::piped())).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(500));
        let mut text = String::new();
        runs.child().stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.ends_with("20000\nlast"), "{}", text.len());
        assert!(runs.child().wait().unwrap().success());
    }
}

#[test]
fn one_who_prints_on_in_the_background_keeps_nobody_waiting() {
    let Some(boat) = with_box() else { return };
    for mut command in both(&boat, "", "yes & echo $! >/tmp/noisy; exit 4") {
        let mut runs = Background::spawn(command.stdout(Stdio::null())).unwrap();
        wait_until("it ends", LIMIT, || runs.child().try_wait().unwrap().is_some());
        assert_eq!(runs.child().wait().unwrap().code(), Some(4));
    }
}

#[test]
fn pipe_of_the_caller_that_does_not_wait_loses_nothing() {
    let Some(boat) = with_box() else { return };
    for mut command in both(&boat, "", "seq 1 20000; printf last") {
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut runs = Background::spawn(command.stdout(writer)).unwrap();
        // The command holds our copy of the writing end.
        drop(command);
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(std::io::read_to_string(reader).unwrap().ends_with("20000\nlast"));
        assert!(runs.child().wait().unwrap().success());
    }
}

#[test]
fn full_disk_is_told() {
    let Some(boat) = with_box() else { return };
    for mut command in both(&boat, "", "yes") {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let runs = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let ran = Ran::from(runs.wait_with_output().unwrap());
        assert!(ran.code != 0 && ran.err.contains("ENOSPC"), "{ran:?}");
    }
}

#[test]
fn signal_arrives_while_nobody_reads() {
    let Some(boat) = with_box() else { return };
    for mut command in both(&boat, "", "trap ': >/tmp/caught; exec sleep 1000' TERM; yes & wait") {
        let mut runs = Background::spawn(command.stdout(Stdio::piped())).unwrap();
        // Pipes are full by now, and nobody empties them.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let shell = shell_below(runs.pid());
        nix::sys::signal::kill(runs.pid(), nix::sys::signal::Signal::SIGTERM).unwrap();
        let caught = format!("/proc/{shell}/root/tmp/caught");
        wait_until("the signal has come", LIMIT, || Path::new(&caught).exists());
        fs::remove_file(caught).unwrap();
        nix::sys::signal::kill(shell, nix::sys::signal::Signal::SIGKILL).unwrap();
        let mut rest = runs.child().stdout.take().unwrap();
        std::io::copy(&mut rest, &mut std::io::sink()).unwrap();
        assert_eq!(runs.child().wait().unwrap().code(), Some(137));
    }
}

#[test]
fn streams_are_chosen_in_the_foreground_too() {
    let Some(boat) = with_box() else { return };
    let ran = boat.run("--rm -a stderr", &["sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", "err\n"));
}

#[test]
fn what_else_the_caller_has_open_is_open_nowhere_for_longer() {
    let Some(boat) = Boat::new() else { return };
    let file = boat.path("of the caller");
    fs::write(&file, "").unwrap();
    let run = boat.run_command("-d --name box", &["sleep", "1000"]);
    let mut shell = support::command("sh");
    shell.args(["-c", "exec 7<\"$0\"; exec \"$@\""]).arg(&file).arg(run.get_program()).args(run.get_args());
    shell.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ran::of(&mut shell).ok();
    let wanted = numbers(&file);
    let holds = |pid: &Pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.map(|entry| entry.path())
            .filter_map(|path| fs::metadata(path).ok())
            .any(|found| (found.dev(), found.ino()) == wanted)
    };
    let all = support::processes().into_iter().map(|(pid, _)| pid);
    let holders: Vec<_> = all.filter(holds).map(support::command_name).collect();
    assert!(holders.is_empty(), "{holders:?}");
}

/// The command that this process waits for.
fn shell_below(pid: Pid) -> Pid {
    let mut found = None;
    wait_until("the command runs", LIMIT, || {
        let is_shell = |pid: &Pid| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sh\0-c"))
        };
        found = support::descendants(pid).into_iter().find(is_shell);
        found.is_some()
    });
    found.unwrap()
}
