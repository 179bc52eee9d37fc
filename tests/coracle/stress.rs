//! Many at once, again and again, much output, and people who do not behave.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Background, Role, alone, command_name, is_alive, status, wait_until};

use crate::killed::{no_process_is_left, settled};
use crate::kit::{Boat, LIMIT, Ran, first_process, names};

fn at_level_all() -> bool {
    std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "all")
}

/// The usual boat, its image pulled.
fn pulled() -> Option<Boat> {
    let boat = Boat::new()?;
    boat.sh("", "true").ok();
    Some(boat)
}

fn spawn(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

/// The monitor of the only container that runs, once it is small.
fn monitor(boat: &Boat) -> Pid {
    let container = first_process(&boat.root()).unwrap();
    let monitor = Pid::from_raw(status(container).unwrap()["PPid"].parse().unwrap());
    wait_until("it is small", LIMIT, || command_name(monitor).as_deref() == Some("coracle-monitor"));
    monitor
}

#[test]
fn h5_fifty_at_once_have_fifty_addresses_and_leave_nothing() {
    if !alone() {
        return;
    }
    let Some(boat) = pulled() else { return };
    let host = settled(&boat);
    let number = if at_level_all() { 50 } else { 20 };
    let line = "ip -4 -o address show scope global; read line";
    let runs: Vec<_> = (0..number)
        .map(|_| spawn(&mut boat.command(["run", "-d", "-i", &boat.image, "sh", "-c", line])))
        .collect();
    let ids: Vec<String> = runs.into_iter().map(|run| end(run).out.trim().to_owned()).collect();
    assert_eq!(boat.coracle("ps --quiet").ok().lines().count(), number);
    if Role::here() == Role::Root {
        let address = |id: &String| {
            wait_until("it has said its address", LIMIT, || {
                !boat.coracle(&format!("logs {id}")).ok().is_empty()
            });
            boat.coracle(&format!("logs {id}")).ok().split_whitespace().nth(3).map(str::to_owned)
        };
        let mut addresses: Vec<_> = ids.iter().map(address).collect();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), number, "{addresses:?}");
    }
    let removed =
        (0..4).map(|_| boat.command(["rm", "--force"].into_iter().chain(ids.iter().map(String::as_str))));
    removed
        .map(|mut command| spawn(&mut command))
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|child| drop(end(child)));
    boat.assert_no_container();
    no_process_is_left();
    host.wait_until_same(LIMIT).unwrap_or_else(|left| panic!("they left:\n{left}"));
}

#[test]
fn h5_start_is_not_kept_by_those_who_only_look() {
    let Some(boat) = pulled() else { return };
    boat.run("-d --name box", &["sleep", "1000"]).ok();
    let line = "while :; do \"$@\" ps -a; \"$@\" logs -f box; done >/dev/null 2>&1";
    let looks = boat.command([""; 0]);
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut shell = support::command("sh");
        shell.args(["-c", line, "sh"]).arg(looks.get_program()).args(looks.get_args());
        all.push(Background::spawn(&mut shell).unwrap());
    }
    for n in 0..if at_level_all() { 50 } else { 10 } {
        boat.coracle("stop -t 0 box").ok();
        boat.coracle("start box").ok();
        let container = first_process(&boat.root()).unwrap();
        assert!(is_alive(container), "start number {n} did nothing");
        assert!(boat.coracle("ps").ok().contains("box"));
    }
}

#[test]
fn h5_two_at_once_on_one_container_end_in_one_state() {
    let Some(boat) = pulled() else { return };
    let pairs: [(&str, &str); 6] = [
        ("stop -t 0 box", "stop -t 0 box"),
        ("restart -t 0 box", "stop -t 0 box"),
        ("restart -t 0 box", "restart -t 0 box"),
        ("rm --force box", "start box"),
        ("rm --force box", "rm --force box"),
        ("kill box", "rm --force box"),
    ];
    for (one, other) in pairs {
        for _ in 0..if at_level_all() { 20 } else { 3 } {
            boat.coracle("rm --force box");
            boat.run("-d --name box", &["sleep", "1000"]).ok();
            let children = [one, other].map(|words| spawn(&mut boat.command(words.split(' '))));
            for ran in children.map(end) {
                let usual = ["No such container", "is not running", "is running", "is being removed"];
                assert!(
                    ran.code == 0 || usual.iter().any(|text| ran.err.contains(text)),
                    "{one}, {other}: {ran:?}"
                );
                assert!(ran.err.lines().count() <= 2, "{one}, {other}: {ran:?}");
            }
            // What the list says is so.
            let listed = boat.coracle("ps --all").ok();
            let runs = first_process(&boat.root()).is_some_and(is_alive);
            assert_eq!(listed.contains("Up "), runs, "{one}, {other}: {listed}");
        }
    }
    boat.coracle("rm --force box");
    boat.assert_no_container();
}

#[test]
fn h5_removal_ends_the_waiting_for_the_next_start() {
    let Some(boat) = pulled() else { return };
    for round in 0..3 {
        boat.run("-d --name box --restart always", &["false"]).ok();
        std::thread::sleep(Duration::from_millis(150 * round));
        let start = Instant::now();
        boat.coracle("rm --force box").ok();
        assert!(start.elapsed() < Duration::from_secs(5));
        boat.assert_no_container();
    }
}

#[test]
fn cycles_of_start_and_stop_leave_everything_as_it_was() {
    if !alone() {
        return;
    }
    let Some(boat) = pulled() else { return };
    Ran::of(&mut boat.command(["run", "-d", "--name", "box", &boat.image, "sleep", "1000"]));
    let open = |boat: &Boat| names(format!("/proc/{}/fd", monitor(boat)).as_ref()).len();
    // Whoever asked for the start has left.
    let mut descriptors = 0;
    wait_until("its descriptors are as many as a moment ago", LIMIT, || {
        std::thread::sleep(Duration::from_millis(200));
        std::mem::replace(&mut descriptors, open(&boat)) == descriptors
    });
    boat.coracle("stop -t 0 box").ok();
    no_process_is_left();
    let host = settled(&boat);
    for _ in 0..if at_level_all() { 200 } else { 12 } {
        let ran = boat.coracle("start box");
        assert_eq!(ran.code, 0, "{ran:?}");
        wait_until("its descriptors are as many as before", LIMIT, || open(&boat) == descriptors);
        boat.coracle("stop -t 0 box").ok();
    }
    no_process_is_left();
    // The numbers in it have changed.
    host.without(&["file"]).wait_until_same(LIMIT).unwrap_or_else(|left| panic!("they left:\n{left}"));
    let id = &names(&boat.root().join("containers"))[0];
    let files = names(&boat.root().join("containers").join(id));
    assert!(files.len() <= 11, "{files:?}");
}

#[test]
fn all_output_arrives_in_order_and_the_monitor_stays_small() {
    let Some(boat) = pulled() else { return };
    // At level all some 120 MB.
    let lines = if at_level_all() { 15_000_000 } else { 300_000 };
    let line = format!("seq {lines}; echo done >&2; exit 3");
    for options in ["", "-t", "--log-driver none"] {
        let mut run = spawn(&mut boat.run_command(options, &["sh", "-c", &line]));
        let (mut next, mut memory, mut who) = (1, 0, None);
        for line in BufReader::new(run.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            // With a terminal there is one stream only.
            if line.trim_end() == "done" {
                continue;
            }
            assert_eq!(line.trim_end(), next.to_string(), "{options}");
            if next == 1 {
                who = Some(monitor(&boat));
                std::thread::sleep(Duration::from_millis(500));
            }
            if next % 50_000 == 0 {
                memory = memory.max(private(who.unwrap()));
            }
            next += 1;
        }
        let ran = end(run);
        assert_eq!((next - 1, ran.code), (lines, 3), "{options}: {ran:?}");
        assert!(memory > 0 && memory < 4096, "{options}: {memory} KiB of its own");
    }
}

/// What a process has for itself alone, in KiB.
fn private(pid: Pid) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with("Private_"));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

#[test]
fn c15_log_with_a_limit_stays_below_it() {
    let Some(boat) = pulled() else { return };
    let options = "-d --name box --log-opt max-size=64k --log-opt max-file=3";
    boat.run(options, &["yes", "something to be said again and again"]).ok();
    let folder = boat.root().join("containers");
    let folder = folder.join(&names(&folder)[0]);
    let logs = || names(&folder).into_iter().filter(|name| name.contains("-json.log")).collect::<Vec<_>>();
    wait_until("it has been rotated", LIMIT, || logs().len() == 3);
    for _ in 0..50 {
        let sizes: Vec<u64> =
            logs().iter().filter_map(|name| Some(fs::metadata(folder.join(name)).ok()?.len())).collect();
        assert!(sizes.len() <= 3 && sizes.iter().all(|size| *size <= 64 << 10), "{sizes:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(private(monitor(&boat)) < 4096);
    assert_eq!(boat.coracle("logs --tail 1 box").ok(), "something to be said again and again");
    boat.coracle("stop -t 1 box").ok();
    boat.assert_ended("Exited (137)");
}

/// A container that prints so many bytes when it is told to, and those who are attached by then.
fn printing(boat: &Boat, bytes: usize, number: usize) -> Vec<Child> {
    let line = format!("until [ -e /go ]; do sleep 0.05; done; yes hello | head -c {bytes}; exit 4");
    boat.run("-d --name box", &["sh", "-c", &line]).ok();
    let monitor = monitor(boat);
    let is_socket = |name: &String| {
        fs::read_link(format!("/proc/{monitor}/fd/{name}"))
            .is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
    };
    let sockets =
        || names(format!("/proc/{monitor}/fd").as_ref()).iter().filter(|name| is_socket(name)).count();
    wait_until("nobody is, only the one where they knock", LIMIT, || sockets() == 1);
    let all: Vec<_> = (0..number).map(|_| spawn(&mut boat.command(["attach", "box"]))).collect();
    wait_until("all are attached", LIMIT, || sockets() > number);
    all
}

#[test]
fn client_that_does_not_read_keeps_nobody_else() {
    let Some(boat) = pulled() else { return };
    let all = printing(&boat, 1_000_000, 8);
    let stopped = Pid::from_raw(all[3].id() as i32);
    kill(stopped, Signal::SIGSTOP).unwrap();
    boat.coracle("exec box touch /go").ok();
    // All others have read what there was, by threads that only drain.
    let all: Vec<_> = all.into_iter().map(|child| std::thread::spawn(|| end(child))).collect();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(boat.coracle("exec box echo there").ok(), "there");
    kill(stopped, Signal::SIGCONT).unwrap();
    for ran in all {
        let ran = ran.join().unwrap();
        assert_eq!((ran.code, ran.out.len()), (4, 1_000_000), "{}", ran.err);
    }
    boat.assert_ended("Exited (4)");
}

#[test]
fn stopped_client_loses_nothing_when_the_container_ends() {
    let Some(boat) = pulled() else { return };
    let client = printing(&boat, 300_000, 1).remove(0);
    let process = Pid::from_raw(client.id() as i32);
    kill(process, Signal::SIGSTOP).unwrap();
    boat.coracle("exec box touch /go").ok();
    // Its end is written down all the same.
    boat.assert_ended("Exited (4)");
    kill(process, Signal::SIGCONT).unwrap();
    let ran = end(client);
    assert_eq!((ran.code, ran.out.len()), (4, 300_000), "{}", ran.err);
}

#[test]
fn nonsense_at_the_socket_is_shown_the_door() {
    let Some(boat) = pulled() else { return };
    boat.run("-d -i --name box", &["cat"]).ok();
    let folder = boat.root().join("containers");
    // The whole path is longer than the name of a socket may be.
    let folder = fs::File::open(folder.join(&names(&folder)[0])).unwrap();
    let socket = format!("/proc/self/fd/{}/attach", folder.as_raw_fd());
    let monitor = monitor(&boat);
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4096],
        &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        &[5, 0, 0, 0, 0, 0, 0, 1, 200],
    ] {
        let mut client = UnixStream::connect(&socket).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let _ = client.write_all(nonsense);
        let _ = client.read(&mut [0; 16]);
    }
    // Somebody types more than is read, and goes away: nobody may be kept busy by that.
    boat.coracle("kill -s STOP box").ok();
    let mut client = UnixStream::connect(&socket).unwrap();
    client.set_nonblocking(true).unwrap();
    let frame = [&[0, 0, 0, 0, 0, 0, 0x40, 0][..], &[b'x'; 0x4000]].concat();
    while client.write(&frame).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(client);
    let busy = || -> u64 {
        let text = fs::read_to_string(format!("/proc/{monitor}/stat")).unwrap();
        let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
        // utime and stime, in hundredths of a second (`man 5 proc_pid_stat`).
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = busy();
    std::thread::sleep(Duration::from_millis(500));
    assert!(busy() - before < 10, "{} hundredths of half a second", busy() - before);
    boat.coracle("kill -s CONT box").ok();
    assert_eq!(boat.coracle("exec box echo there").ok(), "there");
    boat.coracle("rm --force box").ok();
}

impl Boat {
    #[track_caller]
    fn assert_ended(&self, how: &str) {
        wait_until("its end is written down", LIMIT, || self.coracle("ps --all").ok().contains(how));
    }
}
