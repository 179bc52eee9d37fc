//! Bad input: one line that says what was wrong, exit code 1.

use support::command;

fn step02(words: &[&str]) -> String {
    let mut step02 = command(env!("CARGO_BIN_EXE_step02"));
    let output = step02.arg("--map-root-user").args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn names_of_a_bad_length_are_refused() {
    let long = "x".repeat(65);
    insta::assert_snapshot!(step02(&["--hostname", "", "echo", "ran"]), @"step02: cannot set the host name: it has 0 bytes, and 1 to 64 are allowed");
    insta::assert_snapshot!(step02(&["--hostname", &long, "echo", "ran"]), @"step02: cannot set the host name: it has 65 bytes, and 1 to 64 are allowed");
    insta::assert_snapshot!(step02(&["--domainname", &long, "echo", "ran"]), @"step02: cannot set the domain name: it has 65 bytes, and 1 to 64 are allowed");
}

#[test]
fn the_limit_counts_bytes() {
    // 33 letters of two bytes each.
    let name = "ö".repeat(33);
    insta::assert_snapshot!(step02(&["--hostname", &name, "echo", "ran"]), @"step02: cannot set the host name: it has 66 bytes, and 1 to 64 are allowed");
}

#[test]
fn no_command_is_answered_by_the_usage() {
    insta::assert_snapshot!(step02(&["--hostname", "box"]), @"
    step02: the following required arguments were not provided: <COMMAND>...
    Usage: step02 --map-root-user --hostname <HOSTNAME> <COMMAND>...
    ");
    insta::assert_snapshot!(step02(&["--hostnam", "box", "true"]), @"
    step02: unexpected argument '--hostnam' found
    tip: a similar argument exists: '--hostname'
    ");
}
