//! The verdict on a machine, on machines that are really broken in the way that is to be told.

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use support::{NotApplicable, Role, not_applicable, not_run, program};

fn doctor(arguments: &[&str]) -> Command {
    let mut command = support::command(env!("CARGO_BIN_EXE_workshop"));
    command.arg("doctor").args(arguments);
    command
}

/// The doctor in a new user namespace, after the shell command that breaks something.
fn broken_by(breaks: &str) -> Output {
    let script = format!("{breaks} && exec \"$@\"");
    let mut command = support::command("unshare");
    command.args([
        "-Urmpf",
        "--mount-proc",
        "sh",
        "-ec",
        &script,
        "sh",
        env!("CARGO_BIN_EXE_workshop"),
        "doctor",
    ]);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn line(output: &Output, step: &str) -> String {
    text(output)
        .lines()
        .find(|line| line.starts_with(step))
        .unwrap_or_else(|| panic!("{output:?}"))
        .to_owned()
}

#[test]
fn each_step_has_one_line() {
    let output = doctor(&[]).output().unwrap();
    let numbers: Vec<String> = text(&output).lines().skip(1).map(|line| line[..2].to_owned()).collect();
    assert_eq!(numbers, ["01", "02", "03", "04", "05", "06", "07"], "{output:?}");
}

#[test]
fn json_says_the_same() {
    let output = doctor(&["--json"]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = answer["steps"].as_array().unwrap();
    let lines = text(&doctor(&[]).output().unwrap());
    for (step, line) in steps.iter().zip(lines.lines().skip(1)) {
        let words = match step["verdict"].as_str().unwrap() {
            "runs" => "  runs",
            "partly" => "  runs with",
            _ => "  does not run",
        };
        assert!(
            line.starts_with(step["step"].as_str().unwrap()) && line.contains(words),
            "{step} and {line}"
        );
    }
    assert_eq!(answer["root"], Role::here() == Role::Root);
}

#[test]
fn no_user_namespaces_are_told_with_the_switch_that_forbids_them() {
    let output = broken_by("echo 0 > /proc/sys/user/max_user_namespaces");
    assert!(!output.status.success());
    let expected = "01 unshare  does not run: user.max_user_namespaces is 0: ";
    assert!(
        line(&output, "01").starts_with(expected)
            && line(&output, "01").ends_with("(sudo sysctl -w user.max_user_namespaces=15000)")
    );
    assert_eq!(line(&output, "02"), "02 uts      does not run, for the same reason");
}

#[test]
fn a_masked_proc_is_told_by_the_mount_that_masks_it() {
    let output = broken_by("mount -t tmpfs none /proc/sys");
    assert_eq!(line(&output, "03"), "03 pid      runs", "{output:?}");
    assert!(
        line(&output, "04").starts_with("04 mount    does not run: /proc/sys is mounted over, "),
        "{output:?}"
    );
}

#[test]
fn one_id_is_told_in_a_user_namespace() {
    let output = broken_by("true");
    assert!(
        line(&output, "05").starts_with("05 userns   runs with one id: this is a user namespace already"),
        "{output:?}"
    );
}

#[test]
fn missing_programs_are_told_with_their_packages() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sh", "unshare", "mount", "true", "sleep", "mkdir", "newuidmap", "newgidmap"] {
        let Some(path) = program(name) else { return not_run(&format!("{name} is missing")) };
        symlink(path, folder.path().join(name)).unwrap();
    }
    if std::path::Path::new("/usr/sbin/pasta").exists() {
        return not_run("pasta cannot be hidden here: it is in /usr/sbin");
    }
    if Role::here() == Role::Root {
        return not_applicable(NotApplicable::NeedsUser);
    }
    let output = doctor(&[]).env("PATH", folder.path()).output().unwrap();
    assert_eq!(
        line(&output, "06"),
        "06 net      runs without a network of its own: pasta is missing (sudo apt install passt)"
    );
}
