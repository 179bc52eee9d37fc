//! Whatever the caller has set for itself and hands on: signals, a umask, files that do not wait.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use support::{command, program, wait_until};

use crate::kit::{Boat, Image, LIMIT, Ran, have};

fn boat() -> Option<Boat> {
    Some(Boat::holding(&Image::usual()?))
}

/// Says what a command ignores, in the words of its own /proc.
const IGNORED: [&str; 3] = ["grep", "SigIgn", "/proc/self/status"];

#[test]
fn nothing_is_ignored_in_there_that_the_caller_ignores() {
    let Some(boat) = boat() else { return };
    if !have(&[("env", "coreutils")]) {
        return;
    }
    // As `nohup` does, and the `&` of a script.
    let deaf = |line: &Command| {
        let mut env = command(program("env").unwrap());
        env.args(["--ignore-signal=HUP,INT,QUIT"]).arg(line.get_program()).args(line.get_args());
        Ran::of(
            env.envs(line.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null()),
        )
    };
    // The C library ignores two signals of its own, 32 and 33, in what it starts.
    let nothing = |text: String| {
        let number = text.strip_prefix("SigIgn:\t").and_then(|number| u64::from_str_radix(number, 16).ok());
        number.is_some_and(|ignored| ignored & 0x7fff_ffff == 0)
    };
    assert!(nothing(deaf(&boat.run_command("--rm", &IGNORED)).ok()));
    assert!(nothing(deaf(&boat.run_command("--rm --init", &IGNORED)).ok()));
    deaf(
        &boat.run_command("-d --name box", &["sh", "-c", &format!("{}; exec sleep 1000", IGNORED.join(" "))]),
    )
    .ok();
    assert!(nothing(deaf(&boat.command([&["exec", "box"][..], &IGNORED].concat())).ok()));
    let mut shown = String::new();
    wait_until("it has printed", LIMIT, || {
        shown = boat.coracle("logs box").ok();
        !shown.is_empty()
    });
    // Busybox's shell ignores SIGQUIT by itself.
    assert!(!shown.ends_with(['1', '2', '3', '7']), "{shown}");
}

#[test]
fn output_that_does_not_wait_loses_nothing() {
    let Some(boat) = boat() else { return };
    let large =
        "i=0; while [ $i -lt 3000 ]; do echo $i-0123456789012345678901234567890123456789; i=$((i+1)); done";
    boat.run("-d --name box", &["sh", "-c", &format!("{large}; exec sleep 1000")]).ok();
    wait_until("it has printed", LIMIT, || boat.coracle("logs --tail 1 box").ok().starts_with("2999-"));
    let all = boat.coracle("logs box").ok() + "\n";
    assert!(all.len() > 100_000);
    let inside = ["sh", "-c", large];
    for mut command in [
        boat.command(["logs", "box"]),
        boat.run_command("--name with-a-monitor", &inside),
        boat.run_command("--rm", &inside),
    ] {
        let (mut read, write) = std::io::pipe().unwrap();
        fcntl(write.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut child = command.stdout(write).stderr(Stdio::piped()).spawn().unwrap();
        // It would have to wait by now.
        std::thread::sleep(Duration::from_millis(300));
        drop(command);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(text.len(), all.len());
        assert_eq!(text, all);
    }
}

#[test]
fn variables_may_come_through_a_pipe() {
    let Some(boat) = boat() else { return };
    if !have(&[("bash", "bash")]) {
        return;
    }
    boat.run("-d --name box", &["sleep", "1000"]).ok();
    let line = r#""$@" --env-file <(echo A=from-a-pipe) "$WHERE" sh -c 'echo $A >>/said; echo $A'"#;
    let said = |words: &[&str], place: &str| {
        let coracle = boat.command(words);
        let mut bash = command(program("bash").unwrap());
        bash.args(["-c", line, "bash"]).arg(coracle.get_program()).args(coracle.get_args());
        bash.envs(coracle.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("WHERE", place);
        Ran::of(bash.stdin(Stdio::null())).ok()
    };
    assert_eq!(said(&["run", "--rm", "--network=none"], &boat.image), "from-a-pipe");
    assert_eq!(said(&["run", "--network=none"], &boat.image), "from-a-pipe");
    assert_eq!(said(&["exec"], "box"), "from-a-pipe");
    assert_eq!(said(&["exec", "-t"], "box"), "from-a-pipe");
    assert_eq!(said(&["exec", "-d"], "box"), "");
    // One that is not there is an error of the command line.
    for options in ["", "-t", "-d"] {
        boat.coracle(&format!("exec {options} --env-file /nope box true"))
            .failed(1, "open /nope: no such file or directory");
    }
    wait_until("all three have said it", LIMIT, || {
        boat.coracle("exec box cat /said").out == "from-a-pipe\n".repeat(3)
    });
}

#[test]
fn umask_that_takes_everything_is_in_nobodys_way() {
    let Some(boat) = boat() else { return };
    let masked = |line: &Command| {
        let mut sh = command(program("sh").unwrap());
        sh.args(["-c", "umask 0777; exec \"$@\"", "sh"]).arg(line.get_program()).args(line.get_args());
        Ran::of(
            sh.envs(line.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null()),
        )
    };
    masked(&boat.run_command("-d --name box -v data:/data", &["sleep", "1000"])).ok();
    assert_eq!(boat.coracle("exec box sh -c umask").ok(), "0022");
    assert_eq!(masked(&boat.command(["exec", "box", "sh", "-c", "umask"])).ok(), "0022");
    assert_eq!(boat.coracle("ps --format {{.Names}}").ok(), "box");
    assert_eq!(masked(&boat.command(["rm", "-f", "box"])).ok(), "box");
    assert_eq!(boat.coracle("volume rm data").ok(), "data");
    boat.assert_no_container();
}
