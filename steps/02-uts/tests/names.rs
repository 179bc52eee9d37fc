//! The names: whose they are, and that the outside keeps its own.

use std::fs;
use std::process::Command;

use support::{Role, command};

/// `step02`, with the rights that it needs.
fn step02(words: &[&str]) -> Command {
    let mut step02 = command(env!("CARGO_BIN_EXE_step02"));
    if Role::here() == Role::User {
        step02.arg("--map-root-user");
    }
    step02.args(words);
    step02
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names as the kernel tells them to whoever asks from here.
fn names() -> [String; 2] {
    ["hostname", "domainname"].map(|name| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap())
}

const ASK: [&str; 2] = ["cat", "/proc/sys/kernel/hostname"];
const ASK_BOTH: [&str; 3] = ["cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"];

#[test]
fn the_command_sees_the_names_that_were_asked_for() {
    let words = ["--hostname", "box", "--domainname", "sea"];
    assert_eq!(said(step02(&words).args(ASK_BOTH)), "box\nsea\n");
    assert_eq!(said(step02(&words).args(["uname", "-n"])), "box\n");
}

#[test]
fn names_not_asked_for_are_copies() {
    assert_eq!(said(step02(&[]).args(ASK_BOTH)), names().concat());
    let [_, domain] = names();
    assert_eq!(said(step02(&["--hostname", "box"]).args(ASK_BOTH)), format!("box\n{domain}"));
}

#[test]
fn the_longest_name_is_whole() {
    let longest = "x".repeat(64);
    assert_eq!(said(step02(&["--hostname", &longest]).args(ASK)), format!("{longest}\n"));
}

#[test]
fn the_outside_keeps_its_names() {
    let before = names();
    let change = "hostname changed-inside && cat /proc/sys/kernel/hostname";
    let words = ["--hostname", "box", "--domainname", "sea", "sh", "-c", change];
    assert_eq!(said(&mut step02(&words)), "changed-inside\n");
    assert_eq!(names(), before);
}
