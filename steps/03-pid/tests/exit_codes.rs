//! How a run ends: Docker's exit codes, and one line that says why (row I12 of the list of attacks
//! and bad inputs).

mod common;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::{Folder, end, step03, told, walls};

#[test]
fn the_exit_code_is_the_commands_own() {
    for code in [0, 1, 7, 125, 126, 127, 255] {
        let script = format!("exit {code}");
        for words in [&["sh", "-c", &script][..], &["--init", "sh", "-c", &script]] {
            assert_eq!(told(&mut step03(words)), format!("=> {code}"));
        }
    }
}

#[test]
fn a_signal_is_128_and_its_number() {
    // Process 1 cannot be killed from inside: its child can.
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("34", 162), ("64", 192)] {
        let script = format!("kill -{signal} $$");
        assert_eq!(told(&mut step03(&["--init", "sh", "-c", &script])), format!("=> {code}"));
    }
}

#[test]
fn a_command_that_is_not_there_is_127() {
    let folder = Folder::new("absent");
    insta::assert_snapshot!(told(&mut step03(&["no-such-command"])), @"
    step03: cannot run no-such-command: not found in PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    => 127
    ");
    insta::assert_snapshot!(folder.told_of(&folder.0.join("absent")), @"
    step03: cannot run FOLDER/absent: there is no such file
    => 127
    ");
    insta::assert_snapshot!(folder.told_of(Path::new("")), @"
    step03: cannot run : the name is empty
    => 127
    ");
    insta::assert_snapshot!(folder.told_of(Path::new("/etc/passwd/inside")), @"
    step03: cannot run /etc/passwd/inside: ENOTDIR: a part of its path is not a directory
    => 127
    ");
}

#[test]
fn a_directory_is_126() {
    insta::assert_snapshot!(told(&mut step03(&["/"])), @"
    step03: cannot run /: EACCES: it is a directory
    => 126
    ");
    let folder = Folder::new("directory");
    insta::assert_snapshot!(folder.told_of(&folder.0), @"
    step03: cannot run FOLDER: EACCES: it is a directory
    => 126
    ");
}

#[test]
fn a_file_in_path_that_may_not_be_run_is_passed_over() {
    let (one, two) = (Folder::new("path-one"), Folder::new("path-two"));
    one.told("tool", b"#!/bin/sh\n", 0o644);
    let path = |rest: &str| format!("path:{}:{rest}", one.0.display());
    // Remembered as the reason, unless a later one may be run.
    assert_eq!(end(&mut walls(&[&path("/bin"), "--", "tool"])).code, 126);
    two.told("tool", b"#!/bin/sh\necho from the second folder\n", 0o755);
    let found = told(&mut walls(&[&path(&two.0.to_string_lossy()), "--", "tool"]));
    assert_eq!(found, "from the second folder\n=> 0");
}

#[test]
fn too_many_arguments_are_said_to_be_too_many() {
    insta::assert_snapshot!(told(&mut walls(&["many-words", "--", "/bin/true"])), @"
    step03-walls: cannot run /bin/true: E2BIG: the arguments and the environment are too long
    => 126
    ");
}

#[test]
fn words_after_two_dashes_are_the_commands() {
    insta::assert_snapshot!(told(&mut step03(&["--", "echo", "--init", "--", "-x"])), @"
    --init -- -x
    => 0
    ");
    insta::assert_snapshot!(told(&mut step03(&["echo", "--init", "--", "-x"])), @"
    --init -- -x
    => 0
    ");
}

#[test]
fn words_that_are_not_utf_8_stay_as_they_are() {
    let odd = OsStr::from_bytes(b"\xff\xfe|\n");
    let mut step03 = step03(&[OsStr::new("printf"), OsStr::new("%s"), odd]);
    assert_eq!(step03.output().unwrap().stdout, odd.as_bytes());
    insta::assert_snapshot!(told(&mut common::step03(&[OsStr::from_bytes(b"no\xff\x1b[31m")])), @r#"
    step03: cannot run no�\u{1b}[31m: not found in PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    => 127
    "#);
}

#[test]
fn a_wrong_command_line_is_125() {
    let step03 = |words: &[&str]| told(support::command(env!("CARGO_BIN_EXE_step03")).args(words));
    insta::assert_snapshot!(step03(&[]), @"
    step03: the following required arguments were not provided: <COMMAND>...
    Usage: step03 <COMMAND>...
    => 125
    ");
    insta::assert_snapshot!(step03(&["--ini", "sh"]), @"
    step03: unexpected argument '--ini' found
    tip: a similar argument exists: '--init'
    => 125
    ");
    insta::assert_snapshot!(step03(&["--uptime", "soon", "sh"]), @"
    step03: invalid value 'soon' for '--uptime <SECONDS>': invalid digit found in string
    see --help
    => 125
    ");
}

#[test]
fn an_error_that_nobody_reads_is_no_panic() {
    let step03 = step03(&["no-such-command"]);
    let mut shell = support::command("sh");
    shell.args(["-c", "exec 3>&1; { sleep 0.2; \"$@\" 2>&1; echo $? >&3; } | true", "sh"]);
    shell.arg(step03.get_program()).args(step03.get_args());
    assert_eq!(end(&mut shell).stdout, "127\n");
}
