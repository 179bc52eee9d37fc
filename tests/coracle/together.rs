//! Several at once.

use std::process::Stdio;

use serde_json::json;

use crate::kit::{Boat, Image, Ran, names};

/// Starts all commands, and then waits for them.
fn at_once(commands: impl Iterator<Item = std::process::Command>) -> Vec<Ran> {
    let children: Vec<_> = commands
        .map(|mut command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    children.into_iter().map(|child| child.wait_with_output().unwrap().into()).collect()
}

#[test]
fn ten_runs_have_ten_containers() {
    let Some(boat) = Boat::new() else { return };
    // The first of them pulls, and the others wait for it.
    let runs = (0..10).map(|n| boat.run_command("", &["sh", "-c", &format!("echo {n}; hostname")]));
    let ran = at_once(runs);
    let mut hosts = Vec::new();
    for (n, ran) in ran.into_iter().enumerate() {
        let (number, host) = ran.out.trim_end().split_once('\n').unwrap_or_else(|| panic!("{ran:?}"));
        assert_eq!((ran.code, number), (0, &*n.to_string()));
        hosts.push(host.to_owned());
    }
    let mut ids: Vec<_> = boat.coracle("ps --all --quiet").ok().lines().map(str::to_owned).collect();
    hosts.sort();
    ids.sort();
    assert_eq!(hosts, ids);
    assert_eq!(boat.coracle("ps --all").ok().matches("Exited (0)").count(), 10);
}

#[test]
fn h5_of_two_with_one_name_one_wins() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for _ in 0..5 {
        let ran = at_once((0..2).map(|_| boat.run_command("--name one", &["sleep", "0.2"])));
        let (won, lost): (Vec<_>, Vec<_>) = ran.into_iter().partition(|ran| ran.code == 0);
        assert_eq!((won.len(), lost.len()), (1, 1), "{won:?} {lost:?}");
        lost.into_iter()
            .for_each(|ran| drop(ran.failed(125, "Conflict. The container name \"/one\" is already in use")));
        boat.coracle("rm one").ok();
        boat.assert_no_container();
    }
}

#[test]
fn h5_image_is_removed_or_run_but_never_half() {
    let Some(image) = Image::busybox(json!({"Cmd": ["true"]})) else { return };
    let Some(boat) = Boat::with(&image) else { return };
    for _ in 0..4 {
        boat.coracle(&format!("pull --quiet {}", boat.image)).ok();
        let remove = ["rmi", "--force", &boat.image];
        let runs = (0..3).map(|_| boat.run_command("--rm --pull never", &["true"]));
        let ran = at_once(runs.chain([boat.command(remove)]));
        for ran in ran {
            if ran.code != 0 {
                let text = if ran.code == 125 { "No such image" } else { "" };
                ran.failed(125, text);
            }
        }
        boat.assert_no_container();
    }
    // Whatever ran meanwhile has kept its image, which only lost its name.
    boat.coracle("image prune --force").ok();
    for folder in ["layers", "blobs/sha256"] {
        assert_eq!(names(&boat.root().join(folder)), Vec::<String>::new(), "in {folder}");
    }
}

#[test]
fn h5_containers_are_removed_by_several_at_once() {
    let Some(boat) = Boat::new() else { return };
    for name in ["one", "two", "three"] {
        boat.run(&format!("--name {name}"), &["touch", "/made"]).ok();
    }
    let ran = at_once((0..4).map(|_| boat.command(["rm", "--force", "one", "two", "three"])));
    for ran in ran {
        assert!(ran.code == 0 || ran.err.contains("No such container"), "{ran:?}");
    }
    boat.assert_no_container();
}
