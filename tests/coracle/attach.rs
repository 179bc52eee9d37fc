//! `attach`, and leaving a container that runs on.

use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::{Background, is_alive, wait_until};

use crate::kit::{Boat, LIMIT, Ran, Screen, Started, first_process};

#[test]
fn person_leaves_by_the_keys_and_comes_back() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let run = boat.run_command("-it --name shell", &["sh"]);
    let Some(mut screen) = Screen::of(&run, (24, 80)) else { return };
    screen.shows("# ");
    screen.types("x=remembered; echo there\r");
    screen.shows("there\r\n");
    let container = first_process(&boat.root()).unwrap();
    screen.types("\x10\x11");
    assert_eq!(screen.end(), 0);
    screen.assert_restored();
    assert!(is_alive(container));

    let attach = boat.command(["attach", "shell"]);
    let mut screen = Screen::of(&attach, (40, 100)).unwrap();
    screen.types("echo $x; stty size\r");
    screen.shows("remembered\r\n");
    screen.shows("40 100\r\n");
    screen.types("exit 6\r");
    assert_eq!(screen.end(), 6);
    screen.assert_restored();
    boat.coracle("attach shell").failed(1, "You cannot attach to a stopped container, start it first");
}

#[test]
fn other_keys_can_be_chosen() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let run = boat.run_command("-it --name shell --detach-keys ctrl-x,x", &["cat"]);
    let Some(mut screen) = Screen::of(&run, (24, 80)) else { return };
    screen.types("\x10\x11one\r");
    screen.shows("one\r\n");
    screen.types("\x18x");
    assert_eq!(screen.end(), 0);
    assert!(is_alive(first_process(&boat.root()).unwrap()));
}

#[test]
fn several_see_the_same_and_each_may_type() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-di --name both", &["cat"]).ok();
    let mut attached: Vec<_> = (0..2)
        .map(|_| {
            let mut attach = boat.command(["attach", "both"]);
            Background::spawn(attach.stdin(Stdio::piped()).stdout(Stdio::piped())).unwrap()
        })
        .collect();
    // Until both are there.
    std::thread::sleep(std::time::Duration::from_millis(300));
    for (number, person) in attached.iter_mut().enumerate() {
        // The one who leaves does not end the other's input.
        let mut input = person.child().stdin.take().unwrap();
        input.write_all(format!("from {number}\n").as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    boat.coracle("kill both").ok();
    for mut person in attached {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut person.child().stdout.take().unwrap(), &mut text).unwrap();
        assert_eq!(text, "from 0\nfrom 1\n");
        wait_until("it has ended", LIMIT, || person.child().try_wait().unwrap().is_some());
        assert_eq!(person.child().wait().unwrap().code(), Some(137));
    }
}

#[test]
fn input_of_a_run_that_stays_ends_with_it() {
    let Some(boat) = Boat::new() else { return };
    let mut run = boat.run_command("-i --name count", &["wc", "-c"]);
    let mut run = Background::spawn(run.stdin(Stdio::piped()).stdout(Stdio::piped())).unwrap();
    run.child().stdin.take().unwrap().write_all(&[b'x'; 200_000]).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut run.child().stdout.take().unwrap(), &mut text).unwrap();
    assert_eq!(text.trim(), "200000");
    assert!(run.child().wait().unwrap().success());
}

#[test]
fn streams_can_be_chosen() {
    let Some(boat) = Boat::new() else { return };
    let ran = boat.run("-a stderr", &["sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", "err\n"));
    boat.run("-a nope", &["true"]).failed(125, "nope");
}

#[test]
fn signals_are_passed_on_unless_they_are_not() {
    let Some(boat) = Boat::new() else { return };
    let line = "trap 'exit 3' TERM; while :; do sleep 0.05; done";
    let mut runs = boat.start("--name runs", line);
    runs.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(runs.end().code, 3);
    let mut runs = boat.start("--name stays --sig-proxy=false", line);
    runs.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(runs.end().code, 143);
    assert!(runs.lives());
}

#[test]
fn start_of_one_that_runs_attaches_to_it() {
    let Some(boat) = Boat::new() else { return };
    boat.run("-di --name runs", &["sh", "-c", "read line; echo got $line; exit 5"]).ok();
    let container = first_process(&boat.root());
    let mut start = boat.command(["start", "-a", "-i", "runs"]);
    let mut start = Background::spawn(start.stdin(Stdio::piped()).stdout(Stdio::piped())).unwrap();
    start.child().stdin.take().unwrap().write_all(b"this\n").unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut start.child().stdout.take().unwrap(), &mut text).unwrap();
    assert_eq!((&*text, start.child().wait().unwrap().code()), ("got this\n", Some(5)));
    assert!(container.is_some_and(|container| !is_alive(container)));
    let runs = boat.start("--rm --name alone", "sleep 1000");
    boat.coracle("start -a alone").failed(1, "cannot attach to alone: it has no monitor");
    assert!(runs.lives());
}

#[test]
fn one_without_a_monitor_cannot_be_attached_to() {
    let Some(boat) = Boat::new() else { return };
    let runs = boat.start("--rm --name alone", "sleep 1000");
    boat.coracle("attach alone").failed(1, "it runs without a monitor");
    assert!(runs.lives());
    assert_eq!(Ran::of(&mut boat.command(["exec", "alone", "echo", "inside"])).ok(), "inside");
}

/// Four times as much comes out as goes in: whoever only typed, or only read, would wait for ever.
#[test]
fn more_than_all_pipes_hold_goes_in_and_comes_out() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let mut run = boat.run_command("-i", &["sed", "-e", "p", "-e", "p", "-e", "p"]);
    let mut run = Background::spawn(run.stdin(Stdio::piped()).stdout(Stdio::piped())).unwrap();
    let mut input = run.child().stdin.take().unwrap();
    let mut output = run.child().stdout.take().unwrap();
    let typing = thread::spawn(move || input.write_all("one line\n".repeat(200_000).as_bytes()));
    let reading = thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()).unwrap());
    wait_until("all of it is out", LIMIT, || reading.is_finished());
    assert_eq!(reading.join().unwrap(), 4 * 9 * 200_000);
    typing.join().unwrap().unwrap();
    assert!(run.child().wait().unwrap().success());
}

#[test]
fn who_types_what_nobody_reads_is_still_heard() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    let line = "trap 'exit 3' TERM; echo started; while :; do sleep 0.05; done";
    let mut runs = Started::of(boat.run_command("-i", &["sh", "-c", line]).stdin(Stdio::piped()));
    let mut input = runs.host.child().stdin.take().unwrap();
    let typing = thread::spawn(move || while input.write_all(&[b'x'; 4096]).is_ok() {});
    // Until nothing more goes in.
    thread::sleep(Duration::from_secs(1));
    runs.signal(Signal::SIGTERM);
    assert_eq!(runs.end().code, 3);
    typing.join().unwrap();
}
