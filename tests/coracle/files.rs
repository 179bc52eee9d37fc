//! The container's file system: what can be changed, and what of the host's is in it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use support::mounts;

use crate::kit::{Boat, names};

#[test]
fn read_only_root_cannot_be_changed() {
    let Some(boat) = Boat::new() else { return };
    let script =
        "touch /x 2>&1; echo y >/greeting; mkdir /etc/z; rm /greeting; touch /dev/shm/ok /tmp/ok; echo $?";
    let ran = boat.run("--name kept --read-only --tmpfs /tmp", &["sh", "-c", script]);
    assert_eq!((ran.code, ran.out.lines().last()), (0, Some("0")), "{ran:?}");
    assert_eq!(
        ran.out.matches("Read-only file system").count() + ran.err.matches("Read-only file system").count(),
        4,
        "{ran:?}"
    );
    let id = boat.coracle("ps --all --quiet --no-trunc").ok();
    let upper = boat.root().join("containers").join(id).join("upper");
    assert!(!upper.join("x").exists() && !upper.join("greeting").exists());
}

#[test]
fn volume_is_the_hosts_folder_itself() {
    let Some(boat) = Boat::new() else { return };
    let volume = boat.path("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("from-outside"), "outside\n").unwrap();
    let options = format!("-v {}:/new/place", volume.display());
    assert_eq!(
        boat.sh(&options, "cat /new/place/from-outside; echo inside >/new/place/from-inside").ok(),
        "outside"
    );
    let made = volume.join("from-inside");
    assert_eq!(fs::read_to_string(&made).unwrap(), "inside\n");
    // Root inside is whoever called, outside.
    let ours = fs::metadata(&volume).unwrap();
    let found = fs::metadata(made).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (ours.uid(), ours.gid(), 0o644));
}

#[test]
fn read_only_volume_and_a_single_file() {
    let Some(boat) = Boat::new() else { return };
    let file = boat.path("file");
    fs::write(&file, "outside\n").unwrap();
    let options = format!("-v {0}:/mnt:ro -v {1}:/etc/motd:ro", boat.path("").display(), file.display());
    let ran = boat
        .sh(&options, "cat /mnt/file /etc/motd; echo x >/mnt/file; echo x >/etc/motd; rm /mnt/file; true");
    assert_eq!((ran.code, &*ran.out), (0, "outside\noutside\n"));
    assert_eq!(ran.err.matches("Read-only file system").count(), 3, "{ran:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "outside\n");
}

#[test]
fn tmpfs_is_empty_and_forgotten() {
    let Some(boat) = Boat::new() else { return };
    let script = "ls -A /hidden; stat -c %a /hidden; touch /hidden/x; grep -c ' /hidden tmpfs ' /proc/mounts";
    assert_eq!(boat.run("--name kept --tmpfs /hidden", &["sh", "-c", script]).ok(), "1777\n1");
    let id = boat.coracle("ps --all --quiet --no-trunc").ok();
    let upper = boat.root().join("containers").join(id).join("upper");
    assert!(!upper.join("hidden/x").exists());
    boat.sh("--tmpfs relative", "true").failed(125, "mount path must be absolute");
    boat.sh("--tmpfs /", "true").failed(125, "");
    boat.sh("-v /tmp:/", "true").failed(125, "destination can't be '/'");
    boat.sh("-v /tmp:relative", "true").failed(125, "mount path must be absolute");
}

#[test]
fn containers_share_the_layers_and_nothing_else() {
    let Some(boat) = Boat::new() else { return };
    let one = boat.start("--rm", "echo one >/greeting; sleep 1000");
    support::wait_until("it is written", crate::kit::LIMIT, || {
        fs::read_to_string(format!("/proc/{}/root/greeting", one.container)).is_ok_and(|text| text == "one\n")
    });
    assert_eq!(boat.sh("", "cat /greeting").ok(), "hello from above");
}

#[test]
fn mounts_are_the_containers_own() {
    let Some(boat) = Boat::new() else { return };
    let before = mounts(nix::unistd::getpid()).unwrap();
    let runs = boat.start(
        "--rm -v /tmp:/mnt",
        "mount -t tmpfs inside /mnt/ 2>/dev/null; mount -t tmpfs inside /tmp; sleep 1000",
    );
    support::wait_until("it has mounted", crate::kit::LIMIT, || {
        mounts(runs.container).unwrap().iter().any(|mount| mount.source == "inside")
    });
    let now = mounts(nix::unistd::getpid()).unwrap();
    assert!(
        !now.iter().any(|mount| mount.source == "inside" || mount.mount_point.contains("merged")),
        "{now:?}"
    );
    assert_eq!(before.len(), now.len());
}

#[test]
fn modes_and_links_of_the_image_arrive() {
    let Some(boat) = Boat::new() else { return };
    assert_eq!(
        boat.sh("", "stat -c %a /tmp /bin/busybox; readlink /bin/sh; stat -c %u:%g /etc/passwd").ok(),
        "1777\n755\nbusybox\n0:0"
    );
    // Nobody of the host can get at them: there may be setuid programs among them.
    let mode = |path: &str| fs::metadata(boat.root().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("containers")), (0o700, 0o700));
    assert!(!names(&boat.root().join("layers")).is_empty());
}
