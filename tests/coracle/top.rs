//! `top`: processes, found by the kernel's word and not by the container's.

use support::{is_alive, wait_until};

use crate::kit::{Boat, Image, LIMIT, Ran, have};

#[test]
fn processes_are_listed_with_dockers_columns() {
    let Some(image) = Image::usual() else { return };
    if !have(&[("ps", "procps")]) {
        return;
    }
    let boat = Boat::holding(&image);
    let mut other = boat.start("--name other", "sleep 1234");
    let mut runs = boat.start("--name runs", "sleep 1001 & sleep 1002 & read line; wait");
    let top = |options: &str| boat.coracle(&format!("top runs {options}")).ok();
    wait_until("both sleep", LIMIT, || top("").lines().count() == 4);
    let table = top("");
    let header = "UID                 PID                 PPID                C                   STIME               \
                  TTY                 TIME                CMD";
    assert_eq!(table.lines().next(), Some(header));
    assert_eq!(table.lines().count(), 4, "{table}");
    let pids: Vec<i32> = table.lines().skip(1).map(|line| line[20..40].trim().parse().unwrap()).collect();
    assert!(pids.contains(&runs.container.as_raw()), "{table}");
    assert!(pids.iter().all(|pid| is_alive(nix::unistd::Pid::from_raw(*pid))));

    let chosen = top("-o pid,args");
    assert!(chosen.starts_with("PID                 COMMAND\n") && chosen.contains("sleep 1002"), "{chosen}");
    assert_eq!(chosen.lines().count(), 4, "{chosen}");
    assert!(top("aux").starts_with("USER                PID                 %CPU"));
    boat.coracle("top runs -o args").failed(1, "Couldn't find PID field in ps output");
    boat.coracle("top runs --bogus").failed(1, "ps: error: unknown gnu long option");
    boat.coracle("kill runs other").ok();
    for started in [&mut runs, &mut other] {
        started.end();
    }
    let id = boat.coracle("inspect --format {{.Id}} runs").ok();
    boat.coracle("top runs").failed(1, &format!("Container {id} is not running"));
    boat.coracle("top nobody").failed(1, "No such container: nobody");
    boat.coracle("top").failed(1, "Run 'coracle top --help'");
}

#[test]
fn c14_a_process_may_call_itself_what_it_wants() {
    let Some(image) = Image::usual() else { return };
    if !have(&[("ps", "procps")]) {
        return;
    }
    let boat = Boat::holding(&image);
    // A line of somebody else, for who reads what processes say of themselves.
    let line =
        "exec sh -c 'sleep 1003; true' \"$(printf '\\033[2J\\nroot 1 1 0 00:00 ? 00:00:00 /sbin/init')\"";
    let mut runs = boat.start("--name runs", line);
    let top = || boat.coracle("top runs").ok();
    wait_until("it sleeps under its name", LIMIT, || top().lines().count() == 3);
    let table = top();
    assert!(!table.chars().any(|c| c.is_control() && c != '\n'), "{table:?}");
    assert_eq!(table.lines().nth(1).unwrap()[20..40].trim(), runs.container.to_string());
    boat.coracle("kill runs").ok();
    runs.end();
    Ran::of(&mut boat.command(["top", "\x1b"])).failed(1, "No such container");
}
