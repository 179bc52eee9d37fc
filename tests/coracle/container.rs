//! `container`: the same commands once more, and `prune`.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::kit::{Boat, Image, Ran};

#[test]
fn commands_can_be_said_below_container() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    let mut words = vec!["container", "run", "--name", "one", "--network", "none"];
    words.extend([&*boat.image, "echo", "container", "run"]);
    assert_eq!(Ran::of(&mut boat.command(words)).ok(), "container run");
    let expected = boat.coracle("ps --all --quiet").ok();
    for list in ["ls", "list", "ps"] {
        assert_eq!(boat.coracle(&format!("container {list} --all --quiet")).ok(), expected);
    }
    assert_eq!(boat.coracle("container rename one two").ok(), "");
    assert_eq!(boat.coracle("container rm two").ok(), "two");
    boat.assert_no_container();
    // The word may also be somebody's command.
    let mut words = vec!["run", "--rm", "--network", "none"];
    words.extend([&*boat.image, "echo", "container", "ls"]);
    assert_eq!(Ran::of(&mut boat.command(words)).ok(), "container ls");
}

#[test]
fn i1_commands_that_are_not_there_are_refused_with_dockers_codes() {
    let boat = Boat::empty();
    boat.coracle("container nonsense").failed(1, "Run 'coracle container --help' for more information");
    boat.coracle("container rm").failed(1, "Run 'coracle container rm --help' for more information");
    boat.coracle("container rm --bogus")
        .failed(125, "Run 'coracle container rm --help' for more information");
    boat.coracle("container prune --filter until").failed(125, "bad format of filter (expected name=value)");
    boat.coracle("container prune -f --filter foo=bar").failed(1, "Invalid filter 'foo'");
    boat.coracle("container prune -f --filter until=1h --filter until=2h")
        .failed(1, "more than one until filter specified");
    boat.coracle("container prune -f --filter until=abc")
        .failed(1, "failed to parse value as time or duration: \"abc\"");
    let help = boat.coracle("container").ok();
    assert!(help.contains("prune") && help.contains("rename"), "{help}");
}

#[test]
fn prune_asks_and_removes_what_does_not_run() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one", &["sh", "-c", "dd if=/dev/zero of=/x bs=1000 count=100 2>/dev/null"]).ok();
    boat.run("--name two", &["true"]).ok();
    let mut runs = boat.start("--name runs", "read line; sleep 1000");
    let ids = |options: &str| boat.coracle(&format!("ps {options} --quiet --no-trunc")).ok();
    let (all, running) = (ids("--all"), ids(""));

    let question =
        "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ";
    for answer in ["", "n\n", "yes\n", "no\n"] {
        assert_eq!(answered(&boat, answer).out, question, "{answer:?}");
    }
    assert_eq!(ids("--all"), all);
    assert_eq!(boat.coracle("container prune -f --filter until=1h").ok(), "Total reclaimed space: 0B");
    assert_eq!(ids("--all"), all);

    let stopped: Vec<_> = all.lines().filter(|id| *id != running).collect();
    let expected = format!("Deleted Containers:\n{}\n\nTotal reclaimed space: 100kB\n", stopped.join("\n"));
    assert_eq!(answered(&boat, "y\n").out, format!("{question}{expected}"));
    assert_eq!(ids("--all"), running);
    assert_eq!(boat.coracle("container prune --force").ok(), "Total reclaimed space: 0B");
    assert!(runs.lives());
    runs.signal(Signal::SIGKILL);
    runs.end();
}

#[test]
fn prune_spares_what_its_filters_do_not_name() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    for (name, labels) in [("plain", ""), ("red", "-l colour=red"), ("keep", "-l colour=red -l keep")] {
        boat.run(&format!("--name {name} {labels}"), &["true"]).ok();
    }
    let names = || boat.coracle("ps --all --format {{.Names}}").ok().replace('\n', " ");
    let prune = |filters: &str| boat.coracle(&format!("container prune -f {filters}")).ok();
    assert_eq!(prune("--filter label=colour=blue"), "Total reclaimed space: 0B");
    assert_eq!(prune("--filter label=colour=red --filter until=1h"), "Total reclaimed space: 0B");
    assert!(prune("--filter label=colour --filter label!=keep").starts_with("Deleted Containers:\n"));
    assert_eq!(names(), "keep plain");
    boat.coracle("system prune -f --filter label=keep").ok();
    assert_eq!(names(), "plain");
    prune("--filter until=0s");
    boat.assert_no_container();
}

fn answered(boat: &Boat, line: &str) -> Ran {
    use std::io::Write;
    let mut prune = boat.command(["container", "prune"]);
    let mut prune =
        prune.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = prune.stdin.take().unwrap().write_all(line.as_bytes());
    let ran: Ran = prune.wait_with_output().unwrap().into();
    assert_eq!((ran.code, &*ran.err), (0, ""));
    ran
}
