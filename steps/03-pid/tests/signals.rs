//! Signals: passed on while the command runs, deadly while it is created, and none of the host's
//! own settings left in the command.

mod common;

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use common::{End, Host, LIMIT, end, ends, step03, told, walls};
use nix::sys::signal::Signal;
use support::{children, command, command_name, is_alive, not_run, status, wait_until};

/// Shell words in front of a command, such as `trap '' HUP`, and the same before step 03.
fn after(setting: &str, program: &Command) -> Command {
    let mut shell = command("sh");
    shell.args(["-c", &format!("{setting}; exec \"$@\""), "sh"]);
    shell.arg(program.get_program()).args(program.get_args());
    shell
}

#[test]
fn the_command_has_the_signals_of_a_plain_shell() {
    let show = ["grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"];
    for setting in ["true", "trap '' HUP", "trap '' INT QUIT", "trap '' TERM USR1"] {
        let plain = end(&mut after(setting, command(show[0]).args(&show[1..])));
        assert_eq!(plain.code, 0);
        for words in [&show[..], &[&["--init"], &show[..]].concat()] {
            let inside = end(&mut after(setting, &step03(words)));
            assert_eq!(inside, plain, "after `{setting}`: {words:?}");
        }
    }
}

#[test]
fn a_pipe_without_a_reader_ends_the_command() {
    let End { code, stderr, .. } = end(&mut step03(&["sh", "-c", "yes | head -1"]));
    assert_eq!((code, stderr.as_str()), (0, ""));
}

#[test]
fn an_ignored_sigchld_does_not_lose_the_exit_code() {
    // Shells do not let go of this signal; coreutils' env does.
    let ignoring = |command: &Command| {
        let mut env = support::command("env");
        env.arg("--ignore-signal=CHLD").arg(command.get_program()).args(command.get_args());
        env
    };
    if end(&mut ignoring(&command("true"))).code != 0 {
        return not_run("env has no --ignore-signal: coreutils 8.31 or newer");
    }
    for words in [&["sh", "-c", "exit 7"][..], &["--init", "sh", "-c", "exit 7"]] {
        let End { code, stderr, .. } = end(&mut ignoring(&step03(words)));
        assert_eq!((code, stderr.as_str()), (7, ""));
    }
}

#[test]
fn signals_are_passed_on_to_the_command() {
    use Signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
    for last in [&[][..], &["--init"]] {
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH] {
            let name = &signal.as_str()[3..];
            let script =
                format!("trap 'echo {name}; exit 5' {name}; echo runs; while :; do sleep 0.01; done");
            let mut host = Host::start(&mut step03(&[last, &["sh", "-c", &script]].concat()));
            host.says("runs");
            // This is about passing on, and not about the moment from which on the host does.
            sleep(Duration::from_millis(20));
            host.signal(signal);
            host.says(name);
            assert_eq!(host.end().code, 5);
        }
    }
}

#[test]
fn process_one_ignores_what_it_has_no_handler_for() {
    let host = Host::start(&mut step03(&["sleep", "1000"]));
    // It has its name already while the kernel still closes the channel for it.
    wait_until("the command sleeps", LIMIT, || {
        children(host.pid()).first().is_some_and(|pid| {
            command_name(*pid).as_deref() == Some("sleep")
                && status(*pid).is_ok_and(|fields| fields["State"].starts_with('S'))
        })
    });
    host.signal(Signal::SIGTERM);
    host.signal(Signal::SIGINT);
    sleep(Duration::from_millis(100));
    assert!(is_alive(host.container()));
}

#[test]
fn under_init_the_command_is_ended_by_a_signal() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let mut host = Host::start(&mut step03(&["--init", "sh", "-c", "echo runs; exec sleep 1000"]));
        host.says("runs");
        host.signal(signal);
        let end = host.end();
        assert_eq!((end.code, end.stderr.as_str()), (code, ""));
    }
}

/// What comes of a signal to the host while it pauses there.
fn signal_at(pause: &str, signal: Signal, command: &[&str]) -> End {
    let words = [&["each:one", pause, "--"], command].concat();
    let mut host = Host::start(&mut walls(&words));
    while !host.line().ends_with("paused") {}
    let container = host.container();
    host.signal(signal);
    host.go_on();
    let end = host.end();
    ends(container);
    end
}

#[test]
fn a_signal_while_the_container_is_created_ends_it() {
    for (pause, signal, code) in [
        ("host:pause", Signal::SIGTERM, 143),
        ("host:pause", Signal::SIGINT, 130),
        ("host:pause", Signal::SIGUSR1, 138),
        ("ready:pause", Signal::SIGTERM, 143),
        ("ready:pause", Signal::SIGHUP, 129),
    ] {
        let end = signal_at(pause, signal, &["sleep", "1000"]);
        assert_eq!((end.code, end.stderr.as_str()), (code, ""), "{signal} at {pause}");
        assert!(end.stdout.ends_with("drop one, the container is gone\n"), "{end:?}");
    }
}

#[test]
fn a_signal_ends_a_set_up_that_takes_long() {
    for pause in ["inside:pause", "process:pause"] {
        let mut host = Host::start(&mut walls(&["each:one", pause, "--", "echo", "hello"]));
        while !host.line().ends_with("paused") {}
        let container = host.container();
        host.signal(Signal::SIGTERM);
        ends(container);
        let end = host.end();
        assert_eq!((end.code, end.stdout.as_str()), (143, "drop one, the container is gone\n"));
    }
}

#[test]
fn signals_that_end_nothing_do_not_end_a_container_that_is_created() {
    for signal in [Signal::SIGWINCH, Signal::SIGCONT] {
        let end = signal_at("host:pause", signal, &["echo", "hello"]);
        assert_eq!((end.code, end.stdout.contains("hello")), (0, true), "{end:?}");
    }
}

#[test]
fn an_ignored_signal_does_not_end_a_container_that_is_created() {
    let program = walls(&["host:pause", "--", "echo", "hello"]);
    let mut host = Host::start(&mut after("trap '' HUP", &program));
    host.says("host paused");
    host.signal(Signal::SIGHUP);
    host.go_on();
    let end = host.end();
    assert_eq!((end.code, end.stdout.as_str()), (0, "hello\n"));
}

#[test]
fn a_program_that_the_host_starts_is_not_taken_away_by_a_key() {
    // ^C goes to everybody at the terminal: a network helper that dies of it takes the network
    // from a command that lives on.
    let blocked = told(&mut walls(&["host:child"]));
    let mask = blocked.split_whitespace().nth(1).unwrap();
    let mask = u64::from_str_radix(mask, 16).unwrap();
    assert_ne!(mask & 1 << (Signal::SIGINT as i32 - 1), 0, "{blocked}");
}

#[test]
fn a_terminal_that_is_always_busy_does_not_keep_signals_waiting() {
    let script = "trap 'exit 5' TERM; echo runs; while :; do sleep 0.01; done";
    let mut host = Host::start(&mut walls(&["serve:/dev/zero", "--", "sh", "-c", script]));
    host.says("runs");
    let container = host.container();
    host.signal(Signal::SIGTERM);
    ends(container);
    host.kill();
}

#[test]
fn what_was_written_last_is_served_before_the_end_is_told() {
    // More than is served at a time, and less than a pipe holds: the command ends before.
    let script = "head -c 50000 /dev/zero | tr '\\0' x >&2; exit 3";
    for _ in 0..5 {
        let served = end(&mut walls(&["serve:pipe", "--", "sh", "-c", script]));
        assert_eq!((served.code, served.stdout.matches('x').count()), (3, 50_000));
    }
}
