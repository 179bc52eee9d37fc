//! The command: who it is, how it ends, what is said if it cannot be run.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use support::{Background, command, not_run, program, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

fn step01(words: &[&str]) -> Command {
    let mut step01 = command(env!("CARGO_BIN_EXE_step01"));
    step01.args(words);
    step01
}

/// The exit code as a shell has it, and what was printed on both channels.
fn end(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let code = output.status.code().or_else(|| Some(128 + output.status.signal()?));
    let said = [output.stdout, output.stderr].concat();
    (code.unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn whoami_prints_nobody() {
    assert_eq!(end(&mut step01(&["unshare", "--user", "whoami"])), (0, "nobody\n".to_owned()));
}

#[test]
fn mapped_root_is_root() {
    let mut id = step01(&["unshare", "--map-root-user", "sh", "-c", "id -u; id -g"]);
    assert_eq!(end(&mut id), (0, "0\n0\n".to_owned()));
}

#[test]
fn exit_codes_are_those_of_util_linux() {
    let Some(unshare) = program("unshare") else {
        return not_run("unshare is missing: apt-get install util-linux");
    };
    let commands: [&[&str]; 8] = [
        &["true"],
        &["sh", "-c", "exit 7"],
        &["sh", "-c", "exit 255"],
        &["sh", "-c", "kill -TERM $$"],
        &["sh", "-c", "kill -ABRT $$"],
        &["there-is-no-such-command"],
        &["/dev/null/nothing"],
        &["/etc/passwd"],
    ];
    for words in commands {
        for fork in [&["--user"][..], &["--user", "--fork"]] {
            let mut ours = step01(&["unshare"]);
            let mut theirs = command(&unshare);
            let (ours, _) = end(ours.args(fork).args(words));
            let (theirs, _) = end(theirs.args(fork).args(words));
            assert_eq!(ours, theirs, "{fork:?} {words:?}, ours on the left");
        }
    }
}

#[test]
fn a_killed_command_is_told_from_one_that_failed() {
    // util-linux, up to 2.38 at least, answers this one by 1.
    let mut killed = step01(&["unshare", "--user", "--fork", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(end(&mut killed).0, 128 + Signal::SIGKILL as i32);
}

#[test]
fn a_command_that_cannot_be_run_is_named() {
    for fork in [&["unshare", "--user"][..], &["unshare", "--user", "--fork"]] {
        // A folder of PATH that is closed to us would make the first one EACCES.
        let failed = |word| end(step01(fork).arg(word).env("PATH", "/usr/bin:/bin"));
        assert_eq!(
            failed("no-such-command"),
            (127, "step01: cannot run no-such-command: ENOENT: No such file or directory\n".to_owned())
        );
        assert_eq!(failed("/"), (126, "step01: cannot run /: EACCES: Permission denied\n".to_owned()));
        assert_eq!(failed(""), (127, "step01: cannot run : ENOENT: No such file or directory\n".to_owned()));
    }
}

#[test]
fn the_command_keeps_its_words() {
    let mut printf = step01(&["unshare", "--user", "printf", "%s|", "--user", "-x", "", "a b", "--"]);
    assert_eq!(end(&mut printf), (0, "--user|-x||a b|--|".to_owned()));
}

#[test]
fn no_signal_is_blocked_for_the_command() {
    for fork in [&["unshare", "--user"][..], &["unshare", "--user", "--fork"]] {
        let (_, blocked) = end(step01(fork).args(["grep", "SigBlk", "/proc/self/status"]));
        assert_eq!(blocked, "SigBlk:\t0000000000000000\n", "{fork:?}");
    }
}

#[test]
fn who_waits_for_a_child_outlives_the_keys_meant_for_it() {
    let mut waiting = step01(&["unshare", "--user", "--fork", "sh", "-c", "echo started; exec sleep 60"]);
    let mut waiting = Background::spawn(waiting.stdout(Stdio::piped())).unwrap();
    let mut started = [0; 8];
    waiting.child().stdout.as_mut().unwrap().read_exact(&mut started).unwrap();
    kill(waiting.pid(), Signal::SIGINT).unwrap();
    kill(waiting.pid(), Signal::SIGTERM).unwrap();

    let sleeper = support::children(waiting.pid())[0];
    assert!(support::is_alive(waiting.pid()) && support::is_alive(sleeper));
    kill(sleeper, Signal::SIGTERM).unwrap();
    wait_until("the end of the command is noticed", LIMIT, || !support::is_alive(waiting.pid()));
    assert_eq!(waiting.child().wait().unwrap().code(), Some(143));
}

#[test]
fn that_nobody_reads_the_answer_is_no_error_but_a_full_disk_is() {
    for verb in ["lsns", "observe"] {
        let mut unread = step01(&[verb]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(end(unread.stdout(writer).stderr(Stdio::piped())), (0, String::new()), "{verb}");
        let full = std::fs::File::create("/dev/full").unwrap();
        let expected = "step01: cannot write to the standard output: ENOSPC: No space left on device\n";
        assert_eq!(end(step01(&[verb]).stdout(full)), (1, expected.to_owned()), "{verb}");
    }
}
