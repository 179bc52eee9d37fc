//! Bad input: one line that says what was wrong, a second with the way out, exit code 1.

use std::process::Command;

use support::{command, not_run, program};

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn step01(words: &[&str]) -> String {
    said(command(env!("CARGO_BIN_EXE_step01")).args(words))
}

#[test]
fn no_command_is_answered_by_the_usage() {
    insta::assert_snapshot!(step01(&["unshare", "--uts"]), @"
    step01: the following required arguments were not provided: <COMMAND>...
    Usage: step01 unshare --uts <COMMAND>...
    ");
    insta::assert_snapshot!(step01(&["nsenter", "--target", "1", "--all"]), @"
    step01: the following required arguments were not provided: <COMMAND>...
    Usage: step01 nsenter --target <PID> --all <COMMAND>...
    ");
    insta::assert_snapshot!(step01(&[]), @"
    step01: no command is named
    Usage: step01 <COMMAND>
    ");
}

#[test]
fn unknown_words_are_named() {
    insta::assert_snapshot!(step01(&["unshre", "true"]), @"
    step01: unrecognized subcommand 'unshre'
    tip: a similar subcommand exists: 'unshare'
    ");
    insta::assert_snapshot!(step01(&["unshare", "--ust", "true"]), @"
    step01: unexpected argument '--ust' found
    tip: a similar argument exists: '--user'
    ");
    insta::assert_snapshot!(step01(&["lsns", "--type", "mount"]), @"
    step01: invalid value 'mount' for '--type <KIND>' [possible values: user, mnt, uts, ipc, net, pid, cgroup, time]
    see --help
    ");
    insta::assert_snapshot!(step01(&["observe", "init"]), @"
    step01: invalid value 'init' for '[PID]': invalid digit found in string
    see --help
    ");
}

#[test]
fn nobody_can_be_entered_or_observed_who_is_not_there() {
    let nsenter = |target| step01(&["nsenter", "--all", &format!("--target={target}"), "true"]);
    insta::assert_snapshot!(nsenter("999999999"), @"step01: there is no process 999999999");
    insta::assert_snapshot!(nsenter("0"), @"step01: there is no process 0");
    insta::assert_snapshot!(nsenter("-5"), @"step01: there is no process -5");
    insta::assert_snapshot!(step01(&["observe", "999999999"]), @"step01: there is no process 999999999");
}

#[test]
fn entering_needs_a_namespace() {
    insta::assert_snapshot!(step01(&["nsenter", "--target", "1", "true"]), @"
    step01: no namespace is named
    name some, such as --uts, or take --all
    ");
}

#[test]
fn without_rights_the_way_to_them_is_told() {
    let Some(setpriv) = program("setpriv") else {
        return not_run("setpriv is missing: apt-get install util-linux");
    };
    // Root without any capability may no more than anybody else.
    let mut powerless = command(setpriv);
    powerless.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(env!("CARGO_BIN_EXE_step01"));
    insta::assert_snapshot!(said(powerless.args(["unshare", "--uts", "--net", "true"])), @"
    step01: cannot unshare uts, net: EPERM: Operation not permitted: only root may do this (CAP_SYS_ADMIN)
    add --map-root-user, which any user may
    ");
}

#[test]
fn a_proc_of_another_pid_namespace_is_not_believed() {
    let Some(unshare) = program("unshare") else {
        return not_run("unshare is missing: apt-get install util-linux");
    };
    // Process 1 of a new pid namespace, which sees the /proc of the old one.
    let inside = |verb: &[&str]| {
        let mut unshare = command(&unshare);
        unshare.args(["-Urpf", env!("CARGO_BIN_EXE_step01")]).args(verb);
        said(&mut unshare)
    };
    let expected = "step01: /proc has the process ids of another pid namespace\n\
        with a mount namespace of its own a process may mount another /proc, as step04 does\n";
    for verb in [&["observe", "1"][..], &["nsenter", "--target=1", "--uts", "true"]] {
        assert_eq!(inside(verb), expected, "{verb:?}");
    }
}
