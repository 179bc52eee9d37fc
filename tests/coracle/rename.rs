//! `rename`.

use nix::sys::signal::Signal;

use crate::kit::{Boat, Image};

#[test]
fn i3_container_gets_another_name_while_it_runs_and_afterwards() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    let mut runs = boat.start("--name one", "read line; sleep 1000");
    assert_eq!(boat.coracle("rename one two").ok(), "");
    let names = || {
        boat.coracle("ps --all --no-trunc")
            .ok()
            .lines()
            .nth(1)
            .unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(names(), "two");
    runs.signal(Signal::SIGKILL);
    runs.end();
    // Whoever writes down the end knows nothing of the new name, and keeps it.
    assert_eq!(names(), "two");
    let id = boat.coracle("ps --all --quiet").ok();
    assert_eq!(boat.coracle(&format!("rename {} /three", &id[..6])).ok(), "");
    assert_eq!(names(), "three");
    boat.coracle("rm two").failed(1, "No such container: two");
    boat.run("--name one", &["true"]).ok();
}

#[test]
fn i3_names_that_cannot_be_are_refused_in_dockers_words() {
    let Some(image) = Image::usual() else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one", &["true"]).ok();
    boat.run("--name two", &["true"]).ok();
    let before = boat.coracle("ps --all --no-trunc").ok();
    let id = before.lines().find(|line| line.ends_with("two")).unwrap()[..64].to_owned();
    let taken = format!("Conflict. The container name \"/two\" is already in use by container \"{id}\"");
    for (old, new, text) in [
        ("one", "two", &*taken),
        ("one", "one", "Renaming a container with the same name as its current name"),
        ("one", "x", "Invalid container name (x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        ("one", "a b", "Invalid container name (a b)"),
        ("one", "../x", "Invalid container name (../x)"),
        ("one", "a\x1b[2J\n", "Invalid container name (a\\u{1b}[2J\\n)"),
        ("one", "", "Neither old nor new names may be empty"),
        ("", "three", "Neither old nor new names may be empty"),
        ("nobody", "three", "No such container: nobody"),
    ] {
        crate::kit::Ran::of(&mut boat.command(["rename", old, new])).failed(1, text);
    }
    boat.coracle("rename one").failed(1, "Run 'coracle rename --help' for more information");
    assert_eq!(
        boat.coracle("ps --all --no-trunc --quiet").ok(),
        before.lines().skip(1).map(|line| &line[..64]).collect::<Vec<_>>().join("\n")
    );
    assert!(boat.coracle("ps --all").ok().contains("one"));
}
