//! `exec`: one more command in a container that runs.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};
use support::{
    Background, NotApplicable, Role, children, is_alive, namespaces, not_applicable, status, wait_until,
};

use crate::kit::{Boat, LIMIT, Ran, Screen, first_process, have, names};

/// A boat with one container that runs on: `box`.
fn with_box(options: &str) -> Option<Boat> {
    let boat = Boat::new()?;
    boat.run(&format!("-d --name box {options}"), &["sleep", "1000"]).ok();
    Some(boat)
}

fn exec_command(boat: &Boat, options: &str, inside: &[&str]) -> Command {
    boat.command(
        ["exec"].into_iter().chain(options.split_whitespace()).chain(["box"]).chain(inside.iter().copied()),
    )
}

fn exec(boat: &Boat, options: &str, line: &str) -> Ran {
    Ran::of(&mut exec_command(boat, options, &["sh", "-c", line]))
}

#[test]
fn signals_that_the_caller_blocks_are_not_blocked_for_the_command() {
    let Some(boat) = with_box("") else { return };
    let asked = exec_command(&boat, "", &["grep", "SigBlk", "/proc/self/status"]);
    let mut deaf = support::command("env");
    deaf.args(["--block-signal=TERM"]).arg(asked.get_program()).args(asked.get_args());
    deaf.env("HOME", boat.path(""));
    assert_eq!(Ran::of(&mut deaf).ok(), "SigBlk:\t0000000000000000");
}

#[test]
fn command_runs_in_all_of_the_containers_walls() {
    let Some(boat) = with_box("--hostname inside") else { return };
    assert_eq!(exec(&boat, "", "hostname; echo $$ >/tmp/pid; echo $GREETING").ok(), "inside\nhello");
    let mut runs = Background::spawn(&mut exec_command(&boat, "", &["sleep", "777"])).unwrap();
    let inner = process_named(&boat, "sleep\x00777\0");
    assert_eq!(namespaces(inner).unwrap(), namespaces(first_process(&boat.root()).unwrap()).unwrap());
    // Whoever asked for it is its parent, and nobody stands between.
    assert_eq!(status(inner).unwrap()["PPid"], runs.pid().to_string());
    kill(runs.pid(), Signal::SIGKILL).unwrap();
    wait_until("it dies with whoever asked for it", LIMIT, || !is_alive(inner));
    runs.child().wait().unwrap();
    assert_eq!(inside(&boat).len(), 1);
}

#[test]
fn i12_exit_codes_are_the_commands_or_say_why_it_could_not_run() {
    let Some(boat) = with_box("") else { return };
    for code in [0, 3, 255] {
        assert_eq!(exec(&boat, "", &format!("exit {code}")).code, code);
    }
    assert_eq!(exec(&boat, "", "kill -TERM $$").code, 143);
    assert_eq!(exec(&boat, "-t", "exit 5").code, 5);
    let run = |options: &str, inside: &[&str]| Ran::of(&mut exec_command(&boat, options, inside));
    for options in ["", "-t", "-i", "-d"] {
        run(options, &["not-there"]).failed(127, "not-there");
        run(options, &["/tmp"]).failed(126, "/tmp");
        run(options, &["/greeting"]).failed(126, "/greeting");
    }
    run("-u nobody-knows", &["true"]).failed(126, "unable to find user nobody-knows");
    run("-w relative", &["true"]).failed(126, "needs to be an absolute path");
    run("-w /greeting", &["true"]).failed(126, "/greeting");
    run("--env-file /not/there", &["true"]).failed(1, "/not/there");
    boat.coracle("exec box").failed(1, "");
    boat.coracle("exec nobody true").failed(1, "No such container: nobody");
    boat.coracle("exec --bogus box true").failed(125, "--bogus");
    boat.run("--name ended", &["true"]).ok();
    boat.coracle("exec ended true").failed(1, "is not running");
}

#[test]
fn settings_are_the_containers_unless_others_are_asked_for() {
    let Some(boat) = with_box("-e A=box -e B=box -w /tmp -u 0:0") else { return };
    assert_eq!(exec(&boat, "", "echo $A $B; pwd").ok(), "box box\n/tmp");
    fs::write(boat.path("file"), "B=file\nC=file\n").unwrap();
    let options = format!("--env-file {} -e C=word -w /etc", boat.path("file").display());
    assert_eq!(exec(&boat, &options, "echo $A $B $C; pwd; echo $HOME").ok(), "box file word\n/etc\n/root");
    // Of the host's environment nothing, unless it is named.
    let mut command = exec_command(&boat, "-e NAMED", &["env"]);
    let told = Ran::of(command.env("NAMED", "here").env("SECRET", "s3cret")).ok();
    assert!(told.contains("NAMED=here") && !told.contains("s3cret"), "{told}");
}

#[test]
fn command_runs_as_another_user_of_the_image() {
    if Role::here() == Role::RootInUserNamespace {
        let Some(boat) = with_box("") else { return };
        exec(&boat, "-u ada", "true").failed(126, "only root has a meaning here");
        return not_applicable(NotApplicable::NoSecondId);
    }
    let Some(boat) = with_box("--group-add audio") else { return };
    assert_eq!(exec(&boat, "-u ada", "id -u; id -g; echo $HOME").ok(), "1000\n1001\n/home/ada");
    assert_eq!(exec(&boat, "-u 1000:29", "id -u; id -g").ok(), "1000\n29");
    assert_eq!(exec(&boat, "-u 4711", "id -u; id -g").ok(), "4711\n0");
    exec(&boat, "-u 4294967296", "true").failed(126, "");
    assert_eq!(exec(&boat, "", "id -u").ok(), "0");
}

#[test]
fn c2_nothing_of_the_host_is_open_and_the_working_directory_is_inside() {
    for options in ["", "--init", "--read-only"] {
        let Some(boat) = with_box(options) else { return };
        for how in ["", "-i", "-t", "-w /proc"] {
            // The number of `ls`' own descriptor for the folder is the fourth.
            let listed = exec(&boat, how, "ls /proc/self/fd | wc -l; ls -l /proc/self/fd; pwd");
            let out = listed.out.replace('\r', "");
            assert!(listed.code == 0 && out.starts_with("4\n"), "{options} {how}: {listed:?}");
            let outside = boat.root();
            assert!(!out.contains(outside.to_str().unwrap()), "{options} {how}: {out}");
            let end = if how == "-w /proc" { "/proc\n" } else { "/\n" };
            assert!(out.ends_with(end), "{options} {how}: {out}");
        }
        exec_command(&boat, "-d", &["sleep", "777"]).status().unwrap();
        let inner = process_named(&boat, "sleep\x00777\0");
        assert_eq!(names(format!("/proc/{inner}/fd").as_ref()), ["0", "1", "2"]);
        for number in 0..3 {
            assert_eq!(
                fs::read_link(format!("/proc/{inner}/fd/{number}")).unwrap().to_str(),
                Some("/dev/null")
            );
        }
    }
}

#[test]
fn input_is_passed_in_only_if_asked_for() {
    let Some(boat) = with_box("") else { return };
    let with_input = |options: &str| {
        let mut command = exec_command(&boat, options, &["cat"]);
        let mut runs =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = runs.stdin.take().unwrap().write_all(b"typed\n");
        Ran::from(runs.wait_with_output().unwrap()).ok()
    };
    assert_eq!((with_input("-i"), with_input("")), ("typed".into(), String::new()));
}

#[test]
fn c13_person_at_a_terminal_has_one_of_the_containers() {
    let Some(boat) = with_box("") else { return };
    let Some(mut screen) = Screen::of(&exec_command(&boat, "-it", &["sh"]), (33, 77)) else { return };
    screen.shows("# ");
    assert!(screen.is_raw());
    screen.types("tty; stty size\r");
    screen.shows("/dev/pts/0\r\n33 77\r\n");
    let shell = process_named(&boat, "sh\0");
    // A key that is pushed back into a terminal (TIOCSTI) is read by its own session, and so stays inside.
    assert_eq!(getsid(Some(shell)).unwrap(), shell);
    // The number of the terminal may be that of one outside: each devpts counts from 0.
    for number in 0..3 {
        let inside = fs::metadata(format!("/proc/{shell}/fd/{number}")).unwrap();
        let outside = fs::metadata(format!("/proc/{}/fd/0", screen.coracle.pid())).unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_ne!((inside.dev(), inside.ino()), (outside.dev(), outside.ino()));
    }
    screen.types("exit 9\r");
    assert_eq!(screen.end(), 9);
    screen.assert_restored();
    exec(&boat, "-it", "true").failed(1, "the input device is not a TTY");
}

#[test]
fn person_leaves_a_command_that_runs_on() {
    let Some(boat) = with_box("") else { return };
    for (options, keys) in [("-it", "\x10\x11"), ("-it --detach-keys ctrl-x,x", "\x18x")] {
        let line = "echo there; sleep 1; echo done >>/tmp/done; sleep 777";
        let command = exec_command(&boat, options, &["sh", "-c", line]);
        let Some(mut screen) = Screen::of(&command, (24, 80)) else { return };
        screen.shows("there");
        screen.types(keys);
        assert_eq!(screen.end(), 0);
        screen.assert_restored();
        wait_until("it goes on", LIMIT, || exec(&boat, "", "cat /tmp/done 2>/dev/null").out == "done\n");
        kill(process_named(&boat, "sleep\x00777\0"), Signal::SIGKILL).unwrap();
        exec(&boat, "", "rm /tmp/done").ok();
    }
}

#[test]
fn shell_in_a_window_that_is_closed_ends() {
    let Some(boat) = with_box("") else { return };
    for _ in 0..3 {
        let Some(mut screen) = Screen::of(&exec_command(&boat, "-it", &["sh"]), (24, 80)) else { return };
        screen.shows("# ");
        let mut runs = screen.close();
        wait_until("its exec has gone", LIMIT, || runs.child().try_wait().unwrap().is_some());
        wait_until("its shell too", LIMIT, || inside(&boat).len() == 1);
    }
    boat.coracle("exec box true").ok();
}

#[test]
fn c3_nobody_inside_can_look_at_the_one_who_joins() {
    if !have(&[("strace", "strace")]) {
        return;
    }
    let Some(boat) = with_box("") else { return };
    // Until step 09 takes CAP_SYS_PTRACE away, root inside may look at everybody where there is no user namespace.
    let user = if Role::here() == Role::Root { "-u ada" } else { "" };
    let spy = "for n in $(seq 1000); do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/self) continue;; esac
        for f in environ exe cwd root fd/0 maps mem; do
        if [ $f = environ -o $f = maps ]; then cat $p/$f; else readlink $p/$f; fi; done; done; done 2>/dev/null";
    let mut spying = exec_command(&boat, user, &["sh", "-c", spy]);
    let mut spying = Background::spawn(spying.stdout(Stdio::piped()).stderr(Stdio::null())).unwrap();
    // Both of its processes rest for a while before each exec: one of them in there, still a copy of the host's.
    let joins = exec_command(&boat, user, &["true"]);
    let mut slow = Command::new("strace");
    slow.args(["-f", "-o", "/dev/null", "-e", "inject=execve,setgroups,fchdir,dup2:delay_enter=200000"]);
    slow.arg(joins.get_program()).args(joins.get_args()).env("SECRET", "s3cret").env("HOME", boat.path(""));
    let ran = Ran::of(slow.stdin(Stdio::null()));
    assert_eq!(ran.code, 0, "{ran:?}");
    let _ = spying.child().kill();
    let seen = std::io::read_to_string(spying.child().stdout.take().unwrap()).unwrap();
    assert!(seen.contains("busybox"), "it has seen itself: {seen}");
    for secret in ["s3cret", "coracle", boat.root().to_str().unwrap()] {
        assert!(!seen.contains(secret), "it has seen {secret}: {seen}");
    }
}

#[test]
fn c17_number_that_a_process_of_the_hosts_has_by_now_is_not_entered() {
    if !have(&[("strace", "strace")]) {
        return;
    }
    let Some(boat) = with_box("") else { return };
    if Role::here() != Role::Root {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let last = Path::new("/proc/sys/kernel/ns_last_pid");
    let outside = boat.path("outside");
    let number = first_process(&boat.root()).unwrap();
    // It has looked at the record, and rests before it goes in.
    let joins = exec_command(&boat, "", &["touch", outside.to_str().unwrap()]);
    let mut slow = Command::new("strace");
    slow.args(["-o", "/dev/null", "-e", "inject=clone3:delay_enter=6000000"]);
    slow.arg(joins.get_program()).args(joins.get_args()).env("HOME", boat.path("")).stdin(Stdio::null());
    let mut slow = Background::spawn(slow.stdout(Stdio::null()).stderr(Stdio::piped())).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    boat.coracle("kill box").ok();
    wait_until("the number is free", LIMIT, || !is_alive(number));
    let is_taken = (0..50).any(|_| {
        fs::write(last, (number.as_raw() - 1).to_string()).unwrap();
        let mut sleep = Background::spawn(Command::new("sleep").arg("60")).unwrap();
        if sleep.pid() == number {
            // It ends with the test.
            std::mem::forget(sleep);
            return true;
        }
        sleep.child().kill().unwrap();
        false
    });
    if !is_taken {
        return support::not_run("others were faster to take the number");
    }
    let code = slow.child().wait().unwrap().code();
    let _ = kill(number, Signal::SIGKILL);
    let said = std::io::read_to_string(slow.child().stderr.take().unwrap()).unwrap();
    assert!(!outside.exists(), "the command has run among the host's processes");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not running"), "{said}");
}

#[test]
fn values_of_a_file_are_no_words_of_any_program() {
    if !have(&[("strace", "strace")]) {
        return;
    }
    let Some(boat) = with_box("") else { return };
    let (file, log) = (boat.path("variables"), boat.path("execs"));
    fs::write(&file, "SECRET=s3cret\n").unwrap();
    let file = file.to_str().unwrap();
    let options = format!("-d --env-file {file}");
    let inside = exec_command(&boat, &options, &["sh", "-c", "echo $SECRET >/tmp/told"]);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-s", "4096", "-e", "trace=execve", "-o"]).arg(&log).arg(inside.get_program());
    Ran::of(traced.args(inside.get_args()).env("HOME", boat.path("")).stdin(Stdio::null())).ok();
    wait_until("it has run", LIMIT, || exec(&boat, "", "cat /tmp/told 2>/dev/null").out.trim() == "s3cret");
    let execs = fs::read_to_string(&log).unwrap();
    assert!(execs.contains("--report") && !execs.contains("s3cret"), "{execs}");
}

#[test]
fn what_the_caller_has_open_or_masks_is_not_its_own() {
    let Some(boat) = with_box("") else { return };
    let with_more = |command: &Command| {
        let mut shell = support::command("sh");
        shell.args(["-c", "umask 077; exec \"$@\" 7</etc/passwd", "sh"]).arg(command.get_program());
        shell.args(command.get_args()).env("HOME", boat.path("")).stdin(Stdio::null());
        Ran::of(&mut shell)
    };
    assert_eq!(with_more(&exec_command(&boat, "", &["sh", "-c", "umask"])).ok(), "0022");
    // Whoever waits for the end of that file would wait as long as the command runs.
    with_more(&exec_command(&boat, "-d", &["sleep", "777"])).ok();
    let inner = process_named(&boat, "sleep\x00777\0");
    let monitor: i32 = status(inner).unwrap()["PPid"].parse().unwrap();
    let open = fs::read_dir(format!("/proc/{monitor}/fd")).unwrap();
    let mut open = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    assert!(!open.any(|file| file == Path::new("/etc/passwd")));
}

#[test]
fn c20_container_that_ends_takes_all_commands_along() {
    let Some(boat) = with_box("") else { return };
    let mut all: Vec<_> = ["", "-i", "-t"]
        .map(|options| Background::spawn(&mut exec_command(&boat, options, &["sleep", "777"])).unwrap())
        .into();
    exec_command(&boat, "-d", &["sleep", "777"]).status().unwrap();
    wait_until("all run", LIMIT, || {
        inside(&boat).iter().filter(|pid| has_words(**pid, "sleep\x00777\0")).count() == 4
    });
    let start = Instant::now();
    boat.coracle("kill box").ok();
    for runs in &mut all {
        wait_until("its exec ends", LIMIT, || runs.child().try_wait().unwrap().is_some());
        let status = runs.child().wait().unwrap();
        assert_eq!(status.code(), Some(137));
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    boat.coracle("exec box true").failed(1, "is not running");
    // In any moment of its end.
    for _ in 0..10 {
        boat.coracle("start box").ok();
        let mut execs: Vec<_> = (0..3)
            .map(|_| Background::spawn(&mut quiet(exec_command(&boat, "", &["true"]))).unwrap())
            .collect();
        boat.coracle("kill box").ok();
        for runs in &mut execs {
            wait_until("it ends", LIMIT, || runs.child().try_wait().unwrap().is_some());
            let code = runs.child().wait().unwrap().code();
            assert!(matches!(code, Some(0 | 1 | 126 | 137)), "{code:?}");
        }
        boat.coracle("wait box").ok();
    }
}

#[test]
fn command_in_the_background_outlives_whoever_asked() {
    let Some(boat) = with_box("") else { return };
    let ran = exec(&boat, "-d -e A=1", "echo $A >/tmp/told; sleep 777; echo late >>/tmp/told");
    assert_eq!(ran.ok(), "");
    let inner = process_named(&boat, "sleep\x00777\0");
    assert!(is_alive(inner));
    kill(inner, Signal::SIGKILL).unwrap();
    wait_until("its shell goes on", LIMIT, || exec(&boat, "", "cat /tmp/told").ok() == "1\nlate");
    // Nothing stays of it.
    let id = boat.coracle("ps --quiet --no-trunc").ok();
    wait_until("whoever waits for it has gone", LIMIT, || monitors(&id) == 1);
}

#[test]
fn hundred_at_once_all_run() {
    let Some(boat) = with_box("") else { return };
    let number = if std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all") { 100 } else { 30 };
    let all: Vec<_> = (0..number)
        .map(|n| {
            let mut command = exec_command(&boat, "", &["sh", "-c", &format!("echo {n}; exit {}", n % 7)]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for (n, runs) in all.into_iter().enumerate() {
        let ran = Ran::from(runs.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.out.trim()), ((n % 7) as i32, &*n.to_string()), "{ran:?}");
    }
    assert_eq!(inside(&boat).len(), 1, "nothing of them stays");
}

fn quiet(mut command: Command) -> Command {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How many processes keep the container of this id.
fn monitors(id: &str) -> usize {
    let words = |pid: &Pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let all = support::processes().into_iter().map(|(pid, _)| pid);
    all.filter(|pid| {
        let words = words(pid);
        words.split(|byte| *byte == 0).next().is_some_and(|name| name.ends_with(b"/coracle-monitor"))
            && String::from_utf8_lossy(&words).contains(id)
    })
    .count()
}

/// The process of the container's that has this command line.
fn process_named(boat: &Boat, words: &str) -> Pid {
    let mut found = None;
    wait_until("the command runs", LIMIT, || {
        found = inside(boat).into_iter().find(|pid| has_words(*pid, words));
        found.is_some()
    });
    found.unwrap()
}

fn has_words(pid: Pid, words: &str) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == words.as_bytes())
}

/// All processes in the container.
fn inside(boat: &Boat) -> Vec<Pid> {
    let first = first_process(&boat.root()).unwrap();
    // An init lets nobody look at it.
    let container = namespaces(first).or_else(|_| namespaces(children(first)[0])).unwrap()["pid"];
    let all = support::processes().into_iter().map(|(pid, _)| pid);
    all.filter(|pid| namespaces(*pid).is_ok_and(|all| all.get("pid") == Some(&container))).collect()
}
