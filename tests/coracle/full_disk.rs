//! H2: no room for an image or a container. It is said what is full and what helps, and the disk is of use again.

use std::process::Command;

use serde_json::json;
use support::Role;

use crate::kit::{Boat, Image, Layer, Ran, noise};

/// Runs lines of a shell in `state`'s parent, where a small file system is mounted that nobody else sees.
fn on_small_disk(boat: &Boat, size: &str, lines: &str) -> Ran {
    let place = boat.path("small");
    std::fs::create_dir(&place).unwrap();
    let line = format!(
        "mount -t tmpfs -o size={size} small {0} && cd {0} && mkdir state && {lines}",
        place.display()
    );
    let mut command = Command::new("unshare");
    if Role::here() == Role::User {
        command.args(["--user", "--map-root-user"]);
    }
    let coracle = format!("{} --root {}/state", env!("CARGO_BIN_EXE_coracle"), place.display());
    command.args(["--mount", "sh", "-c", &line]).env("CORACLE", coracle);
    Ran::of(command.env("IMAGE", &boat.image).env("HOME", boat.path("home")))
}

/// One line with errno and file system, and one with the way out.
#[track_caller]
fn assert_told(ran: &Ran) {
    let lines: Vec<&str> = ran.err.lines().collect();
    let [what, way_out] = lines[..] else { panic!("{ran:?}") };
    assert!(
        what.contains(": ENOSPC: No space left on device: there is not enough room in the file system of ")
    );
    assert!(what.contains("/small/state, which has ") && what.ends_with(" free now"), "{ran:?}");
    assert!(way_out.contains("make room by the command: system prune; or let --root name"), "{ran:?}");
    assert!(!ran.err.contains("ENOENT"), "{ran:?}");
}

/// What does not compress, of 4 MB.
fn large() -> Image {
    Image::small(json!({})).layer(Layer::new().file("noise", noise(4_000_000)))
}

#[test]
fn h2_pull_says_that_the_disk_is_full_and_leaves_it_usable() {
    // Not even the blob has room; and the blob has, but not what is in it.
    for fill in ["9m", "6m"] {
        let Some(boat) = Boat::with(&large()) else { return };
        let ran = on_small_disk(
            &boat,
            "12m",
            &format!(
                "head -c {fill} /dev/zero >fill; $CORACLE pull --quiet $IMAGE; echo $?; rm fill; \
                 df --output=used -k . | tail -1; \
                 find state/tmp state/blobs/sha256 state/layers state/pulls -mindepth 1; \
                 $CORACLE pull --quiet $IMAGE"
            ),
        );
        assert_told(&ran);
        let lines: Vec<&str> = ran.out.split_whitespace().collect();
        let [code, used, name] = lines[..] else { panic!("{fill}: {ran:?}") };
        assert_eq!((code, name), ("1", &*boat.image), "{fill}: {ran:?}");
        assert!(used.parse::<u64>().unwrap() < 100, "{fill}: {used} kB are used");
    }
}

#[test]
fn h2_create_on_a_full_disk_names_what_is_full_and_prune_makes_room() {
    let Some(boat) = Boat::with(&large()) else { return };
    let ran = on_small_disk(
        &boat,
        "10m",
        "$CORACLE pull --quiet $IMAGE && yes >fill 2>errors; \
         $CORACLE create --network none $IMAGE true; echo $?; $CORACLE ps --all --quiet; \
         find state/containers -mindepth 1; $CORACLE system prune --all --force | tail -1; rm fill; \
         $CORACLE images --quiet; df --output=used -k . | tail -1",
    );
    assert_told(&ran);
    let lines: Vec<&str> = ran.out.lines().collect();
    let [_, code, freed, used] = lines[..] else { panic!("{ran:?}") };
    assert_eq!(code, "125", "{ran:?}");
    assert!(freed.starts_with("Total reclaimed space: 8"), "{ran:?}");
    assert!(used.trim().parse::<u64>().unwrap() < 100, "{ran:?}");
}

#[test]
fn h2_host_tools_leave_nothing_on_a_disk_that_is_too_small() {
    let boat = Boat::empty();
    let ran = on_small_disk(
        &boat,
        "1m",
        "$CORACLE create --network none host-tools true; echo $?; df --output=used -k . | tail -1",
    );
    assert_told(&ran);
    let lines: Vec<&str> = ran.out.split_whitespace().collect();
    let [code, used] = lines[..] else { panic!("{ran:?}") };
    assert!(code == "125" && used.parse::<u64>().unwrap() < 100, "{ran:?}");
}
