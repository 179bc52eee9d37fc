//! C1: a container must not get hold of the program that starts it (CVE-2019-5736).

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use support::{Role, command};

use crate::kit::{Boat, Ran, Started, digest, first_process, tool};

#[test]
fn c1_program_that_starts_a_container_cannot_be_run_in_it() {
    let Some(boat) = Boat::new() else { return };
    let program = || digest(&fs::read(env!("CARGO_BIN_EXE_coracle")).unwrap());
    let before = program();
    let make = "printf '#!/proc/self/exe\\n' >/one; printf '#! /one x\\n' >/two; chmod +x /one /two;
        ln -s /proc/self/exe /link; ln -s /proc/thread-self/exe /bin/named; exec sleep 1000";
    boat.run("-d --name box", &["sh", "-c", make]).ok();
    support::wait_until("all is made", crate::kit::LIMIT, || {
        boat.coracle("exec box test -L /bin/named").code == 0
    });
    let tricks = [
        "/proc/self/exe",
        "/proc/thread-self/exe",
        "/proc/self/root/proc/self/exe",
        "/link",
        "named",
        "/one",
        "/two",
    ];
    for trick in tricks {
        for options in ["", "-i", "-t", "-d"] {
            let words = ["exec", options, "box", trick, "--version"];
            let ran = Ran::of(&mut boat.command(words.into_iter().filter(|word| !word.is_empty())));
            assert_eq!(ran.code, 126, "{trick} {options}: {ran:?}");
            assert!(ran.err.contains("it leads to the program of the host"), "{trick} {options}: {ran:?}");
        }
    }
    for options in ["--rm", "--rm --init", "-d", "-t --rm"] {
        let ran = boat.run(options, &["/proc/self/exe", "--version"]);
        ran.failed(126, "it leads to the program of the host");
    }
    assert_eq!(program(), before);
    // The same file by a path that somebody has given it is a container in a container.
    let volume = format!("{}:/coracle:ro", env!("CARGO_BIN_EXE_coracle"));
    let ran = boat.sh(&format!("-v {volume}"), "exec /coracle --version");
    assert!(!ran.err.contains("it leads to"), "{ran:?}");
}

/// A copy of the programs that only one test runs: what runs is protected by the kernel.
struct Copy<'a> {
    boat: &'a Boat,
    coracle: PathBuf,
}

impl<'a> Copy<'a> {
    fn new(boat: &'a Boat) -> Self {
        let original = Path::new(env!("CARGO_BIN_EXE_coracle"));
        for name in ["coracle", "coracle-monitor"] {
            // By a process of its own: what a process with threads has open for writing, others hold for a moment.
            tool(&["cp", original.with_file_name(name).to_str().unwrap(), boat.path(name).to_str().unwrap()]);
        }
        Self { boat, coracle: boat.path("coracle") }
    }

    fn command(&self, words: &str, inside: &[&str]) -> Command {
        let mut coracle = command(self.coracle.to_str().unwrap());
        coracle.arg("--root").arg(self.boat.root()).args(words.split_whitespace()).args(inside);
        coracle.env("HOME", self.boat.path(""));
        coracle
    }

    fn digest(&self) -> String {
        digest(&fs::read(&self.coracle).unwrap())
    }
}

/// What a process in the container may have open, if it may look at the links of others, as root with CAP_SYS_PTRACE may:
/// the file of ours that it found in its walls. Of our own init an ordinary user may not even look at it.
fn program_of(pid: Pid) -> Option<File> {
    match File::open(format!("/proc/{pid}/exe")) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied && Role::here() == Role::User => None,
        other => Some(other.unwrap()),
    }
}

#[test]
fn c1_file_of_the_program_that_starts_a_container_cannot_be_written() {
    let Some(boat) = Boat::new() else { return };
    let copy = Copy::new(&boat);
    let before = copy.digest();
    let image = &boat.image;
    let line = &["sh", "-c", "echo started; exec sleep 1000"];

    let mut found = Vec::new();
    // Our own init is the first process, and stays it.
    let mut here = Started::of(&mut copy.command(&format!("run --rm --init --name here {image}"), line));
    found.push(program_of(here.container));
    Ran::of(&mut copy.command(&format!("run -d --init --name there {image}"), line)).ok();
    found.push(program_of(first_process(&boat.root()).unwrap()));
    // Until its own exec the one who joins is a copy of the one who waits for it.
    let mut joins = Started::of(&mut copy.command("exec there", line));
    found.push(program_of(joins.host.pid()));
    assert!(found[2].is_some());
    here.signal(Signal::SIGTERM);
    here.end();
    Ran::of(&mut copy.command("rm -f there", &[])).ok();
    joins.end();

    for file in found.iter().flatten() {
        let again = File::options().append(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let error = again.and_then(|mut file| file.write_all(b"stranger")).unwrap_err();
        let errno = error.raw_os_error().map(Errno::from_raw);
        assert!(matches!(errno, Some(Errno::EPERM | Errno::EROFS)), "{error}");
    }
    assert_eq!(copy.digest(), before);
}
