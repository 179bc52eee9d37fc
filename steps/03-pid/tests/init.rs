//! `--init`: process 1 reaps and passes signals on, and shows nothing of the host.

mod common;

use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Host, LIMIT, end, ends, step03, told, walls};
use nix::sys::signal::{Signal, kill};
use support::{Role, children, command, command_name, is_alive, wait_until};

#[test]
fn the_command_is_process_two() {
    assert_eq!(told(&mut step03(&["--init", "sh", "-c", "echo $$ $PPID"])), "2 1\n=> 0");
}

#[test]
fn words_and_environment_of_the_host_are_forgotten() {
    let mut run = step03(&["--init", "sh", "-c", "echo started; exec sleep 1000"]);
    let mut host = Host::start(run.env("CORACLE_SECRET", "of the host"));
    host.says("started");
    let init = host.container();
    let read = |name: &str| std::fs::read(format!("/proc/{init}/{name}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim_end_matches('\0').to_owned();
    assert_eq!(text(read("cmdline").unwrap()), "init");
    // To others it is closed anyway.
    if Role::here() == Role::Root {
        assert_eq!(text(read("environ").unwrap()), "");
    }
}

#[test]
fn thousands_of_orphans_are_reaped() {
    // All of them lose their parent, the short-lived shell in brackets: some alive, most of them zombies.
    let script = "(i=0; while [ $i -lt 100 ]; do sleep 0.2 & i=$((i+1)); done; \
        while [ $i -lt 2000 ]; do : & i=$((i+1)); done); echo made; exec sleep 1000";
    let mut host = Host::start(&mut step03(&["--init", "sh", "-c", script]));
    host.says("made");
    let init = host.container();
    wait_until("all orphans are reaped", LIMIT, || children(init).len() == 1);
}

#[test]
fn children_in_sessions_of_their_own_are_reaped() {
    // They are in no process group of init's: neither the command, nor the orphans.
    let orphans = "(setsid sh -c 'sleep 0.2' &); (setsid sh -c 'sleep 0.3' &)";
    let script = format!("{orphans}; echo made; exec setsid sh -c 'read line; exit 7'");
    let mut host = Host::start(&mut step03(&["--init", "sh", "-c", &script]));
    host.says("made");
    let init = host.container();
    wait_until("both orphans are reaped", LIMIT, || children(init).len() == 1);
    assert_eq!(host.end().code, 7);
}

#[test]
fn without_init_orphans_of_a_careless_command_stay_zombies() {
    let script = "(sleep 0.3 &); (sleep 0.3 &); echo made; exec sleep 1000";
    let mut host = Host::start(&mut step03(&["sh", "-c", script]));
    host.says("made");
    let command = host.container();
    wait_until("both are zombies", LIMIT, || {
        let zombies = children(command).into_iter().filter(|pid| !is_alive(*pid));
        command_name(command).as_deref() == Some("sleep") && zombies.count() == 2
    });
}

#[test]
fn the_end_of_the_command_is_the_end_of_all() {
    let mut host = Host::start(&mut step03(&["--init", "sh", "-c", "(sleep 1000 &); echo made; read line"]));
    host.says("made");
    let inside = support::descendants(host.container());
    assert_eq!(inside.len(), 2);
    assert_eq!(host.end().code, 1);
    for pid in inside {
        ends(pid);
    }
}

#[test]
fn a_command_that_was_stopped_has_not_ended() {
    let mut host = Host::start(&mut step03(&["--init", "sh", "-c", "echo runs; read line; exit 6"]));
    host.says("runs");
    let init = host.container();
    let [command] = children(init)[..] else { panic!("init has one child") };
    kill(command, Signal::SIGSTOP).unwrap();
    sleep(Duration::from_millis(50));
    assert!(is_alive(init));
    kill(command, Signal::SIGCONT).unwrap();
    assert_eq!(host.end().code, 6);
}

#[test]
fn a_signal_without_a_name_does_not_end_init() {
    // Number 34 is the first of the real-time signals, which libraries have no names for.
    let script = "(sh -c 'kill -34 $$' &); sleep 0.2; echo still here";
    assert_eq!(told(&mut step03(&["--init", "sh", "-c", script])), "still here\n=> 0");
}

#[test]
fn that_the_command_cannot_be_run_is_told() {
    insta::assert_snapshot!(told(&mut step03(&["--init", "no-such-command"])), @"
    step03: cannot run no-such-command: not found in PATH (/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    => 127
    ");
    insta::assert_snapshot!(told(&mut step03(&["--init", "/"])), @"
    step03: cannot run /: EACCES: it is a directory
    => 126
    ");
}

#[test]
fn that_the_command_runs_is_told_at_once() {
    for last in [&[][..], &["init"]] {
        let words = [last, &["ready:tell", "--", "sleep", "1000"]].concat();
        let start = Instant::now();
        let mut host = Host::start(&mut walls(&words));
        host.says("started");
        assert!(start.elapsed() < Duration::from_secs(20));
        kill(host.container(), Signal::SIGKILL).unwrap();
    }
}

#[test]
fn process_one_shows_nothing_of_the_host() {
    // Here the host's /proc is still in place, so the shell asks it for its parent's number. In a
    // user namespace, since root of the host sees through everything.
    let script = "read -r pid comm state parent rest </proc/self/stat; cd /proc/$parent; \
        cat environ maps mem; readlink exe; readlink cwd; readlink root; readlink fd/1; echo asked";
    let mut step03 = command(env!("CARGO_BIN_EXE_step03"));
    step03.args(["--map-root-user", "--init", "sh", "-c", script]);
    let said = end(&mut step03);
    assert_eq!((said.code, said.stdout.as_str()), (0, "asked\n"), "{said:?}");
    assert_eq!(said.stderr.matches("Permission denied").count(), 3, "{said:?}");
}

#[test]
fn the_command_is_readable_by_itself() {
    // What holds for init must not hold for the command, which would not find its own /proc/self.
    let words = ["--init", "cat", "/proc/self/environ"];
    let said = end(&mut step03(&words));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.starts_with("PATH=") || said.stdout.contains("\0PATH="), "{said:?}");
}
