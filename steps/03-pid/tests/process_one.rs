//! A process tree of its own, as it is seen from outside.

mod common;

use common::{Host, end, ends, step03, told};
use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;
use support::{NotApplicable, Role, namespaces, not_applicable, not_run, status};

/// The last number is the one that the process has in its own, innermost namespace.
fn numbers(pid: nix::unistd::Pid) -> Vec<i32> {
    status(pid).unwrap()["NSpid"].split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The kinds of namespace in which the container's process is not where the test is.
fn new_kinds(host: &Host) -> Vec<String> {
    let (ours, theirs) = (namespaces(getpid()).unwrap(), namespaces(host.container()).unwrap());
    let kinds = ours.keys().filter(|kind| !kind.ends_with("_for_children") && ours[*kind] != theirs[*kind]);
    // What an ordinary user needs is no part of the container.
    kinds.filter(|kind| *kind != "user").cloned().collect()
}

#[test]
fn command_is_process_one() {
    let mut host = Host::start(&mut step03(&["sh", "-c", "echo runs; exec sleep 1000"]));
    host.says("runs");
    let container = host.container();
    let [outside, .., inside] = numbers(container)[..] else { panic!("it has two numbers") };
    assert_eq!((outside, inside), (container.as_raw(), 1));
    assert_eq!(new_kinds(&host), ["ipc", "pid", "uts"]);
}

#[test]
fn children_are_counted_from_two() {
    let mut host = Host::start(&mut step03(&["sh", "-c", "sleep 1000 & echo runs; wait"]));
    host.says("runs");
    let [child] = support::children(host.container())[..] else { panic!("it has one child") };
    assert_eq!(numbers(child).last(), Some(&2));
}

#[test]
fn containers_do_not_see_each_other() {
    let mut one = Host::start(&mut step03(&["sh", "-c", "echo runs; exec sleep 1000"]));
    one.says("runs");
    let outside = one.container();
    // The number that the other container has outside means nobody inside.
    let script = format!("kill -0 {outside}");
    assert_ne!(end(&mut step03(&["sh", "-c", &script])).code, 0);
    let two = namespaces(outside).unwrap()["pid"];
    let mut other = Host::start(&mut step03(&["sh", "-c", "echo runs; exec sleep 1000"]));
    other.says("runs");
    assert_ne!(namespaces(other.container()).unwrap()["pid"], two);
}

#[test]
fn the_end_of_process_one_is_the_end_of_all() {
    let mut host = Host::start(&mut step03(&["sh", "-c", "sleep 1000 & sleep 1000 & echo runs; read line"]));
    host.says("runs");
    let inside = support::descendants(host.container());
    assert_eq!(inside.len(), 2);
    host.end();
    for pid in inside {
        ends(pid);
    }
}

#[test]
fn process_one_can_be_killed_from_outside_only() {
    let mut host = Host::start(&mut step03(&["sh", "-c", "kill -KILL $$; echo still here; exec sleep 1000"]));
    host.says("still here");
    kill(host.container(), Signal::SIGKILL).unwrap();
    assert_eq!(host.end().code, 137);
}

#[test]
fn what_step_02_did_by_hand_is_here_too() {
    let names = ["--hostname", "box", "--domainname", "harbour", "sh", "-c", "hostname; domainname"];
    assert_eq!(told(&mut step03(&names)), "box\nharbour\n=> 0");
}

#[test]
fn a_wrong_host_name_is_told_by_the_host() {
    let name = "x".repeat(65);
    insta::assert_snapshot!(told(&mut step03(&["--hostname", &name, "true"])), @"
    step03: cannot set the host name: it has 65 bytes, and 1 to 64 are allowed
    => 125
    ");
}

#[test]
fn the_machine_seems_to_be_up_for_as_long_as_asked() {
    for uptime in [0, 100, 1_000_000] {
        let mut host = Host::start(&mut step03(&[
            "--uptime",
            &uptime.to_string(),
            "sh",
            "-c",
            "cat /proc/uptime; read line",
        ]));
        let shown: f64 = host.line().split(' ').next().unwrap().parse().unwrap();
        assert!(
            (f64::from(uptime)..f64::from(uptime) + 60.0).contains(&shown),
            "asked {uptime}, shown {shown}"
        );
        assert_eq!(new_kinds(&host), ["ipc", "pid", "time", "uts"]);
    }
    insta::assert_snapshot!(told(&mut step03(&["--uptime", "18446744073709551615", "true"])), @"
    step03: cannot set an uptime of 18446744073709551615 seconds: the clock would overflow
    => 125
    ");
}

#[test]
fn a_container_in_a_container_has_its_own_uptime_too() {
    if end(&mut step03(&["python3", "-c", ""])).code != 0 {
        return not_run("python3 is missing: apt-get install python3");
    }
    let clocks = "from time import *; print(clock_gettime(CLOCK_BOOTTIME), clock_gettime(CLOCK_MONOTONIC))";
    let inner = step03(&["--uptime", "50", "python3", "-c", clocks]);
    let mut words = vec!["--uptime".as_ref(), "1000".as_ref(), inner.get_program()];
    words.extend(inner.get_args());
    let shown = end(&mut step03(&words));
    let seconds: Vec<f64> = shown.stdout.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert_eq!(seconds.len(), 2, "{shown:?}");
    assert!(seconds.iter().all(|shown| (50.0..110.0).contains(shown)), "{seconds:?}");
}

#[test]
fn the_command_lives_in_the_time_namespace_itself() {
    // And not its children alone, which would be so after a plain unshare.
    let mut host = Host::start(&mut step03(&["--uptime", "100", "sh", "-c", "echo runs; read line"]));
    host.says("runs");
    let theirs = namespaces(host.container()).unwrap();
    assert_eq!(theirs["time"], theirs["time_for_children"]);
    assert_ne!(theirs["time"], namespaces(getpid()).unwrap()["time"]);
}

#[test]
fn observe_draws_the_table_before_the_command_runs() {
    let said = told(&mut step03(&[
        "--observe",
        "--hostname",
        "box",
        "--uptime",
        "100",
        "sh",
        "-c",
        "echo hello; sleep 0.5",
    ]));
    insta::with_settings!({filters => [(r"\b\d{10}\b", "[inode]"), (r"pid 1 is \d+", "pid 1 is [pid]"), (r"-?\d+ s", "[time] s")]}, {
        insta::assert_snapshot!(said, @"
        hello
        namespace    outside      inside
        user      [inode]  [inode]  shared
        mnt       [inode]  [inode]  shared
        uts       [inode]  [inode]  new     host name box
        ipc       [inode]  [inode]  new     0 message queues, [time] shared memory segments
        net       [inode]  [inode]  shared
        pid       [inode]  [inode]  new     pid 1 is [pid] outside
        cgroup    [inode]  [inode]  shared
        time      [inode]  [inode]  new     booted [time] s off
        => 0
        ");
    });
}

#[test]
fn without_root_the_way_out_is_named() {
    if Role::here() != Role::User {
        return not_applicable(NotApplicable::NeedsUser);
    }
    insta::assert_snapshot!(told(support::command(env!("CARGO_BIN_EXE_step03")).arg("true")), @"
    step03: cannot clone a process into new namespaces (uts, ipc, pid): EPERM: Operation not permitted: only root may do this (CAP_SYS_ADMIN)
    add --map-root-user, which any user may
    => 125
    ");
}
