//! The calls of a command, in order, and nothing in them that differs from run to run.

use std::process::Command;

use support::{not_run, program};

fn storyboard(words: &[&str]) -> Option<(Option<i32>, String)> {
    if program("strace").is_none() {
        not_run("strace is missing: apt-get install strace");
        return None;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_storyboard")).args(words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    Some((output.status.code(), text))
}

#[test]
fn one_process_is_a_list_of_calls() {
    let Some((code, text)) = storyboard(&["chdir,execve", "sh", "-c", "cd /; cd /proc; exec true"]) else {
        return;
    };
    let exec = text.lines().last().unwrap();
    assert!(exec.ends_with("/true\", [\"true\"], …)"), "{text}");
    assert_eq!(
        (code, text.replace(exec, "exec")),
        (Some(0), "  chdir(\"/\")\n  chdir(\"/proc\")\nexec\n".into())
    );
}

#[test]
fn two_processes_are_told_apart_and_the_exit_code_is_the_commands() {
    let Some((code, text)) = storyboard(&["chdir", "sh", "-c", "(cd /proc; true); cd /; exit 3"]) else {
        return;
    };
    assert_eq!(text, "first process:\n  chdir(\"/\")\nsecond process:\n  chdir(\"/proc\")\n");
    assert_eq!(code, Some(3));
}

#[test]
fn failed_calls_are_shown_if_asked_for() {
    let script = ["chdir", "sh", "-c", "cd /no-such-folder 2>/dev/null; true"];
    let Some((_, text)) = storyboard(&script) else { return };
    assert_eq!(text, "");
    let Some((_, text)) = storyboard(&["--failed", script[0], script[1], script[2], script[3]]) else {
        return;
    };
    assert_eq!(text, "  chdir(\"/no-such-folder\") = -1 ENOENT (No such file or directory)\n");
}

#[test]
fn an_unknown_call_is_an_error() {
    let Some((code, text)) = storyboard(&["no_such_call", "true"]) else { return };
    assert!(code != Some(0) && text.contains("no_such_call"), "{text}");
}

#[test]
fn without_strace_the_way_to_it_is_the_second_line() {
    let mut storyboard = Command::new(env!("CARGO_BIN_EXE_storyboard"));
    let output = storyboard.args(["execve", "true"]).env("PATH", "/no/such/folder").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "storyboard: cannot run strace: No such file or directory (os error 2)\n\
        sudo apt-get install strace, or dnf\n";
    assert_eq!((output.status.code(), &*said), (Some(1), expected));
}
