//! `image prune`, `system prune`, `system df`: what takes room, and what can go.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::kit::{Boat, Image, Ran};

/// An image with a name, and an older one that has lost its name to it.
fn boat() -> Boat {
    let boat = Boat::holding(&Image::small(json!({"Labels": {"keep": "yes"}})).built("2020-01-01T00:00:00Z"));
    Image::small(json!({})).write(&boat.root(), "docker.io/library/other:1");
    boat.coracle("tag other:1 box:1").ok();
    boat.coracle("rmi other:1").ok();
    boat
}

fn list(boat: &Boat) -> String {
    Ran::of(&mut boat.command(["images", "--format", "{{.Repository}}:{{.Tag}}"])).ok().replace('\n', " ")
}

#[test]
fn images_without_a_name_go_and_with_all_those_that_no_container_needs() {
    let boat = boat();
    assert_eq!(list(&boat), "box:1 <none>:<none>");
    let id = boat.coracle("images --quiet --no-trunc --filter dangling=true").ok();
    let done = boat.coracle("image prune --force").ok();
    assert!(
        done.starts_with(&format!("Deleted Images:\ndeleted: {id}\n\nTotal reclaimed space: ")),
        "{done}"
    );
    assert!(!done.ends_with(": 0B"), "{done}");
    assert_eq!(list(&boat), "box:1");
    assert_eq!(boat.coracle("image prune -f").ok(), "Total reclaimed space: 0B");
    let done = boat.coracle("image prune --all --force").ok();
    assert!(done.starts_with("Deleted Images:\nuntagged: box:1\ndeleted: sha256:"), "{done}");
    assert_eq!(list(&boat), "");
}

#[test]
fn nobody_is_taken_for_a_yes() {
    let boat = boat();
    let question = "Are you sure you want to continue? [y/N] ";
    let asked = boat.coracle("image prune");
    assert_eq!(asked.out, format!("WARNING! This will remove all dangling images.\n{question}"));
    let asked = boat.coracle("system prune");
    assert!(
        asked.code == 0 && asked.out.contains("- all stopped containers\n  - all dangling images\n"),
        "{asked:?}"
    );
    assert_eq!(list(&boat), "box:1 <none>:<none>");
    let mut command = boat.command(["image", "prune", "-a"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"y\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(list(&boat), "");
}

#[test]
fn filters_spare_what_they_do_not_name() {
    let boat = boat();
    for spared in ["label=nothing", "label!=keep", "until=2019-01-01"] {
        assert_eq!(
            boat.coracle(&format!("image prune -f --filter {spared}")).ok(),
            "Total reclaimed space: 0B"
        );
    }
    boat.coracle("image prune -f --filter foo=bar").failed(1, "Invalid filter 'foo'");
    boat.coracle("image prune -f --filter foo").failed(125, "bad format of filter");
    boat.coracle("image prune -f --filter until=soon").failed(1, "failed to parse value as time or duration");
    assert_eq!(list(&boat), "box:1 <none>:<none>");
    boat.coracle("image prune -f --filter label=keep=yes --filter until=24h").ok();
    assert_eq!(list(&boat), "box:1");
}

#[test]
fn system_counts_what_there_is_and_removes_what_nobody_needs() {
    let Some(image) = Image::busybox(json!({"Cmd": ["true"]})) else { return };
    let boat = Boat::holding(&image);
    Image::small(json!({})).write(&boat.root(), "docker.io/library/unused:1");
    boat.run("--name kept -v kept:/kept", &["sh", "-c", "echo 12345 > /written; echo 1 > /kept/one"]).ok();
    let df = || -> Vec<Value> {
        let lines = boat.coracle("system df --format json").ok();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let [images, containers, volumes] = &df()[..] else { panic!("{:?}", df()) };
    assert_eq!(
        (&images["Type"], &images["TotalCount"], &images["Active"]),
        (&json!("Images"), &json!("2"), &json!("1"))
    );
    assert!(images["Reclaimable"].as_str().unwrap().ends_with("(0%)"), "{images}");
    assert_eq!((&containers["TotalCount"], &containers["Active"]), (&json!("1"), &json!("0")));
    assert_eq!((&containers["Size"], &containers["Reclaimable"]), (&json!("6B"), &json!("6B (100%)")));
    assert_eq!((&volumes["Type"], &volumes["TotalCount"]), (&json!("Local Volumes"), &json!("1")));
    assert_eq!((&volumes["Active"], &volumes["Reclaimable"]), (&json!("1"), &json!("0B (0%)")));
    let table = boat.coracle("system df").ok();
    let header = "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE";
    assert_eq!(table.lines().next(), Some(header), "{table}");

    let done = boat.coracle("system prune --force").ok();
    assert!(
        done.starts_with("Deleted Containers:\n") && done.ends_with("Total reclaimed space: 6B"),
        "{done}"
    );
    assert_eq!(df()[1]["TotalCount"], "0");
    assert_eq!((&df()[2]["Active"], &df()[2]["Reclaimable"]), (&json!("0"), &json!("2B (100%)")));
    assert_eq!(df()[0]["Active"], "0");
    let done = boat.coracle("system prune --all --force --filter until=2019-01-01").ok();
    assert_eq!(done, "Total reclaimed space: 0B");
    let done = boat.coracle("system prune --all --force").ok();
    assert!(done.contains("untagged: box:1") && done.contains("untagged: unused:1"), "{done}");
    assert_eq!((&df()[0]["Size"], &df()[0]["TotalCount"]), (&json!("0B"), &json!("0")));
}

#[test]
fn volumes_go_with_the_system_only_if_they_are_meant() {
    let Some(image) = Image::busybox(json!({"Cmd": ["true"], "Volumes": {"/data": {}}})) else { return };
    let boat = Boat::holding(&image);
    boat.run("--name one -v named:/named", &["sh", "-c", "echo 12345 > /data/x"]).ok();
    let count = || boat.coracle("volume ls --quiet").ok().lines().count();
    let asked = boat.coracle("system prune --volumes");
    assert!(
        asked.out.contains("\n  - all anonymous volumes not used by at least one container\n"),
        "{asked:?}"
    );
    boat.coracle("system prune --volumes -f --filter until=1h")
        .failed(1, "The \"until\" filter is not supported with \"--volumes\"");
    assert_eq!(count(), 2);
    boat.coracle("system prune -f").ok();
    assert_eq!((count(), boat.coracle("ps -aq").ok().as_str()), (2, ""));
    boat.run("--name two", &["true"]).ok();
    assert_eq!(count(), 3);
    let done = boat.coracle("system prune --volumes -f").ok();
    assert!(done.contains("Deleted Volumes:\n") && done.ends_with("Total reclaimed space: 6B"), "{done}");
    assert_eq!(boat.coracle("volume ls --quiet").ok(), "named");
}

#[test]
fn system_shows_each_with_its_room() {
    let Some(image) = Image::busybox(json!({"Cmd": ["true"]})) else { return };
    let boat = Boat::holding(&image);
    image
        .layer(crate::kit::Layer::new().file("more", "12345"))
        .write(&boat.root(), "docker.io/library/more:1");
    boat.run("--name one -v kept:/kept", &["sh", "-c", "echo 12345 > /written; echo 1 > /kept/one"]).ok();
    boat.coracle("create --name two more:1").ok();
    let shown = boat.coracle("system df -v").ok();
    let parts: Vec<Vec<Vec<&str>>> = shown
        .split(" space usage:\n\n")
        .map(|part| {
            part.lines()
                .map(|line| line.split("  ").map(str::trim).filter(|w| !w.is_empty()).collect())
                .collect()
        })
        .collect();
    let [_, images, containers, volumes] = &parts[..] else { panic!("{shown}") };
    let header =
        ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"];
    assert_eq!(images[0], header);
    let row = |name: &str| images.iter().find(|row| row.first() == Some(&name)).unwrap();
    let (below, above) = (row("box"), row("more"));
    // The one layer of the one is the lower layer of the other.
    assert_eq!((below[5], below[6], below[7]), (below[4], "0B", "1"), "{shown}");
    assert_eq!((above[5], above[6], above[7]), (below[4], "5B", "1"), "{shown}");
    let header = ["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"];
    assert_eq!(containers[0], header);
    let one = containers.iter().find(|row| row.last() == Some(&"one")).unwrap();
    assert_eq!((one[1], one[3], one[4]), ("box:1", "1", "6B"), "{shown}");
    assert_eq!(
        (&volumes[0][..], &volumes[1][..]),
        (&["VOLUME NAME", "LINKS", "SIZE"][..], &["kept", "1", "2B"][..])
    );
    assert!(shown.contains("Build cache usage: 0B\n\nCACHE ID "), "{shown}");
    boat.coracle("system df -v --format json").failed(1, "no --format");
}
