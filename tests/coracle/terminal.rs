//! A terminal of the container's own, with a person at the other end.

use std::os::unix::fs::MetadataExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};

use support::{NotApplicable, Role, not_applicable, wait_until};

use crate::kit::{Boat, LIMIT, Screen, first_process};

/// The usual boat, its image pulled, and a person who runs `coracle run OPTIONS IMAGE sh -c LINE` in a window of 33
/// rows and 77 columns.
fn at(options: &str, line: &str) -> Option<(Boat, Screen)> {
    let boat = Boat::new()?;
    boat.sh("", "true").ok();
    let screen = Screen::of(&boat.run_command(options, &["sh", "-c", line]), (33, 77))?;
    Some((boat, screen))
}

#[test]
fn person_types_and_reads_in_a_shell() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let Some(mut screen) = Screen::of(&boat.run_command("--rm -it", &["sh"]), (24, 80)) else { return };
    screen.shows("# ");
    assert!(screen.is_raw());
    screen.types("tty; echo $((6 * 7))\r");
    screen.shows("/dev/pts/0\r\n");
    screen.shows("42\r\n");
    screen.types("echo $TERM > /dev/tty; exit 5\r");
    screen.shows("xterm\r\n");
    assert_eq!(screen.end(), 5);
    screen.assert_restored();
    boat.assert_no_container();
}

#[test]
fn terminal_is_the_containers_own() {
    let Some((boat, mut screen)) = at("--rm -it", "ls /dev/pts; echo there; read line") else { return };
    screen.shows("0     ptmx");
    screen.shows("there");
    let container = first_process(&boat.root()).unwrap();
    let device = |path: &str| std::fs::metadata(path).unwrap();
    for descriptor in 0..=2 {
        // Another device of another devpts than the one that the person sits at.
        let inside = device(&format!("/proc/{container}/fd/{descriptor}"));
        let outside = device(&format!("/proc/{}/fd/0", screen.coracle.pid()));
        assert_ne!((inside.dev(), inside.ino()), (outside.dev(), outside.ino()));
    }
    assert_eq!(crate::kit::names(format!("/proc/{container}/fd").as_ref()), ["0", "1", "2"]);
    // It leads a session of its own: nothing typed there is a signal here.
    let session = |pid: Pid| getsid(Some(pid)).unwrap();
    assert_eq!(session(container), container);
    assert_ne!(session(screen.coracle.pid()), container);
    screen.types("\r");
    assert_eq!(screen.end(), 0);
}

#[test]
fn window_has_the_same_size_and_follows() {
    let Some((_boat, mut screen)) =
        at("--rm -it", "trap 'stty size' WINCH; stty size; while :; do read line && exit 0; done")
    else {
        return;
    };
    screen.shows("33 77\r\n");
    screen.resize(20, 100);
    screen.shows("20 100\r\n");
    screen.types("\r");
    assert_eq!(screen.end(), 0);
}

#[test]
fn i11_window_without_a_size_is_none_of_ours() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for size in [(0, 0), (1, 1), (u16::MAX, u16::MAX)] {
        let Some(mut screen) = Screen::of(&boat.run_command("--rm -it", &["tty"]), size) else { return };
        screen.shows("/dev/pts/0\r\n");
        assert_eq!(screen.end(), 0, "{:?}", screen.shown);
        screen.assert_restored();
    }
}

#[test]
fn i11_window_may_change_all_the_time() {
    let Some((_boat, mut screen)) = at("--rm -it", "echo there; read line; stty size") else { return };
    screen.shows("there");
    for rows in 1..100 {
        screen.resize(rows, 200 - rows);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    screen.types("\r");
    screen.shows("99 101");
    assert_eq!(screen.end(), 0);
}

#[test]
fn control_c_is_a_key_of_the_container() {
    let script = "trap 'echo caught' INT; echo there; sleep 1000; read line; exit 9";
    let Some((_boat, mut screen)) = at("--rm -it", script) else { return };
    screen.shows("there");
    // It ends the program in front, and the shell runs its trap: once.
    wait_for_sleep(&screen);
    screen.types("\x03");
    screen.shows("caught");
    screen.types("\r");
    assert_eq!(screen.end(), 9);
    assert_eq!(screen.shown.matches("caught").count(), 1, "{:?}", screen.shown);
    screen.assert_restored();
}

#[test]
fn control_d_ends_the_input() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let Some(mut screen) = Screen::of(&boat.run_command("--rm -it", &["cat"]), (24, 80)) else { return };
    screen.types("line\r");
    // Once by the terminal, once by cat.
    screen.shows("line\r\nline\r\n");
    screen.types("\x04");
    assert_eq!(screen.end(), 0);
}

#[test]
fn settings_are_restored_however_it_ends() {
    // A window that is closed takes nothing along: the container runs on, as with Docker.
    for (signal, code) in [(Signal::SIGHUP, 129), (Signal::SIGTERM, 143)] {
        let Some((boat, mut screen)) = at("--rm -it", "echo there; read line") else { return };
        screen.shows("there");
        let container = first_process(&boat.root()).unwrap();
        kill(screen.coracle.pid(), signal).unwrap();
        assert_eq!(screen.end(), code, "{:?}", screen.shown);
        screen.assert_restored();
        assert!(support::is_alive(container));
    }
    let Some((boat, mut screen)) = at("--rm -it", "echo there; read line") else { return };
    screen.shows("there");
    kill(first_process(&boat.root()).unwrap(), Signal::SIGKILL).unwrap();
    assert_eq!(screen.end(), 137);
    screen.assert_restored();
}

#[test]
fn window_that_is_closed_takes_nothing_along() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    // The end of what is typed is often seen before the signal comes: both alone mean the same.
    for (n, ignored) in ["true", "trap '' HUP"].into_iter().enumerate() {
        let run = boat.run_command(&format!("-it --name n{n}"), &["sh"]);
        let mut shell = support::command("sh");
        shell
            .args(["-c", &format!("{ignored}; \"$@\"; exit"), "sh"])
            .arg(run.get_program())
            .args(run.get_args());
        shell.env("HOME", boat.path(""));
        let Some(mut screen) = Screen::of(&shell, (24, 80)) else { return };
        screen.shows("# ");
        let coracle = support::children(screen.coracle.pid())[0];
        drop(screen.close());
        wait_until("whoever was attached has gone", LIMIT, || !support::is_alive(coracle));
        assert_eq!(boat.coracle(&format!("exec n{n} echo here")).ok(), "here");
    }
}

#[test]
fn command_that_cannot_run_leaves_the_settings() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for (inside, code) in [("/not/there", 127), ("/etc", 126)] {
        let Some(mut screen) = Screen::of(&boat.run_command("--rm -it", &[inside]), (24, 80)) else { return };
        screen.shows(&format!("cannot run {inside}"));
        assert_eq!(screen.end(), code);
        screen.assert_restored();
        // The message begins at the left.
        assert!(screen.shown.starts_with("coracle: cannot run"), "{:?}", screen.shown);
    }
    boat.assert_no_container();
}

#[test]
fn everything_that_was_printed_is_shown() {
    let Some((_boat, mut screen)) = at("--rm -it", "seq 1 20000; printf last") else { return };
    screen.shows("20000\r\nlast");
    assert_eq!(screen.end(), 0);
    let lines: Vec<_> = screen.shown.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[19_999]), (20_001, "1", "20000"));
}

#[test]
fn t_alone_needs_no_terminal_outside() {
    let Some(boat) = Boat::new() else { return };
    let ran = boat.sh("-t", "tty; echo err >&2");
    assert_eq!((ran.code, &*ran.out), (0, "/dev/pts/0\r\nerr\r\n"), "{ran:?}");
    boat.assert_no_container();
}

#[test]
fn i8_it_without_a_terminal_is_refused() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("-it", "true").failed(1, "the input device is not a TTY");
    boat.assert_no_container();
}

#[test]
fn init_and_a_user_have_the_terminal_too() {
    let user = if support::Role::here() == support::Role::RootInUserNamespace { "root" } else { "ada" };
    let Some((_boat, mut screen)) =
        at(&format!("--rm -it --init -u {user}"), "tty; id -un; echo x >/dev/tty; read a; echo $a")
    else {
        return;
    };
    screen.shows("/dev/pts/0\r\n");
    screen.shows(&format!("{user}\r\nx\r\n"));
    screen.types("typed\r");
    screen.shows("typed\r\ntyped\r\n");
    assert_eq!(screen.end(), 0);
}

fn wait_for_sleep(screen: &Screen) {
    support::wait_until("sleep runs", crate::kit::LIMIT, || {
        support::descendants(screen.coracle.pid()).iter().any(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().starts_with(b"sleep\0")
        })
    });
}

#[test]
fn terminal_belongs_to_the_user() {
    if Role::here() == Role::RootInUserNamespace {
        return not_applicable(NotApplicable::NoSecondId);
    }
    let Some(boat) = Boat::new() else { return };
    let line = "echo there >/dev/stderr; stat -c %u /dev/pts/*[0-9]";
    assert_eq!(boat.sh("--quiet -t -u ada", line).ok(), "there\r\n1000");
    boat.run("-d --name runs", &["sleep", "1000"]).ok();
    let exec = boat.command(["exec", "-t", "-u", "ada", "runs", "sh", "-c", line]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&exec.stdout), "there\r\n1000\r\n");
}
