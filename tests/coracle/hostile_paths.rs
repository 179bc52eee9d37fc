//! Images whose files stand where others are expected: L30, L33.

use std::fs;

use serde_json::json;
use support::{Role, mounts};

use crate::kit::{Boat, Image, Layer};

/// What can stand in a place; the name is for messages.
fn obstacles(path: &str, outside: &str) -> Vec<(&'static str, Layer)> {
    let layer = Layer::new;
    vec![
        ("link to a file outside", layer().link(path, &format!("{outside}/marker"))),
        ("link up and outside", layer().link(path, &format!("{}{outside}/marker", "../".repeat(20)))),
        ("link to a folder outside", layer().link(path, outside)),
        ("link to what is not there", layer().link(path, &format!("{outside}/made"))),
        ("link to itself", layer().link(path, path.rsplit('/').next().unwrap())),
        ("link to a descriptor", layer().link(path, "/proc/self/fd/3")),
        ("link to the root", layer().link(path, "/")),
        ("link to /proc/sys", layer().link(path, "/proc/sys/kernel/hostname")),
        ("file", layer().file(path, "of the image")),
        ("folder", layer().folder(path)),
        ("fifo", layer().fifo(path)),
        ("device", layer().device(path, 1, 5)),
    ]
}

/// Runs busybox with one obstacle after the other in a place, and judges what happened outside.
fn with_obstacles(path: &str, judge: impl Fn(&Boat, &str)) {
    // The image must name the folder that it would reach.
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("marker"), "untouched").unwrap();
    let host = fs::read("/proc/sys/kernel/hostname").unwrap();
    for (what, layer) in obstacles(path, outside.path().to_str().unwrap()) {
        let Some(image) = Image::bare_busybox(json!({})) else { return };
        let boat = Boat::holding(&image.layer(layer));
        // The first run unpacks it, and says what only root may have.
        boat.run("--rm", &["true"]);
        judge(&boat, what);
        assert_eq!(crate::kit::names(outside.path()), ["marker"], "{path} is a {what}");
        assert_eq!(
            fs::read_to_string(outside.path().join("marker")).unwrap(),
            "untouched",
            "{path} is a {what}"
        );
        assert_eq!(fs::read("/proc/sys/kernel/hostname").unwrap(), host);
        boat.assert_no_container();
    }
}

#[test]
fn l30_users_are_looked_up_in_plain_files_inside_only() {
    for path in ["etc/passwd", "etc/group"] {
        with_obstacles(path, |boat, what| {
            // The host's root is no user of this image.
            boat.sh("-u root:root", "true").failed(125, "unable to find");
            assert_eq!(boat.sh("-u 0", "echo good").ok(), "good", "{what}");
        });
    }
}

#[test]
fn l30_enormous_passwd_is_read_in_part() {
    let line = format!("ada:x:{}:0::/:\n", "0".repeat(5_000_000));
    let late = format!("{}\nada:x:0:0::/:\n", "#".repeat(2_000_000));
    for (passwd, text) in [(line, "unable to find user ada"), (late, "unable to find user ada")] {
        let Some(image) = Image::busybox(json!({"User": "ada"})) else { return };
        let boat = Boat::holding(&image.layer(Layer::new().file("etc/passwd", passwd)));
        boat.run("--rm", &["true"]).failed(125, text);
        boat.run("--rm -u 0", &["true"]).ok();
        boat.assert_no_container();
    }
}

#[test]
fn l33_proc_sys_and_dev_are_mounted_on_folders_of_the_root_only() {
    for path in ["proc", "sys", "dev"] {
        with_obstacles(path, |boat, what| {
            let ran =
                boat.sh("", "test -d /proc/self && test -d /sys/class && test -c /dev/null && echo good");
            match what {
                "folder" => assert_eq!(ran.ok(), "good"),
                // Rootless there is no device to stand in the way.
                "device" if Role::here() != Role::Root => assert_eq!(ran.ok(), "good"),
                _ => drop(ran.failed(125, &format!("cannot mount /{path}"))),
            }
        });
    }
}

#[test]
fn l33_what_stands_in_dev_is_covered() {
    for path in ["dev/pts", "dev/null"] {
        with_obstacles(path, |boat, what| {
            let seen =
                boat.sh("-t", "test -c /dev/null && test -c /dev/pts/0 && test -d /dev/shm && echo good");
            assert_eq!((seen.code, &*seen.out), (0, "good\r\n"), "{path} is a {what}: {seen:?}");
        });
    }
}

#[test]
fn l33_files_of_the_network_are_contained() {
    for path in ["etc/hosts", "etc/resolv.conf"] {
        with_obstacles(path, |boat, what| {
            let ran = boat.sh("--hostname box", &format!("/bin/busybox cat /{path} && echo good"));
            match what {
                "folder"
                | "link to the root"
                | "link to itself"
                | "link to a descriptor"
                | "link to /proc/sys" => {
                    ran.failed(125, &format!("cannot mount /{path}"));
                }
                _ => assert!(
                    ran.out.ends_with("good\n") && !ran.out.contains("of the image"),
                    "{what}: {ran:?}"
                ),
            }
        });
    }
}

#[test]
fn l33_volumes_are_contained() {
    with_obstacles("data", |boat, what| {
        let volume = boat.path("volume");
        fs::create_dir(&volume).unwrap();
        let ran = boat.sh(&format!("-v {}:/data/below -v {0}:/data", volume.display()), "echo good");
        if ran.code != 0 {
            ran.failed(125, "cannot mount /data");
        } else {
            assert_eq!(ran.ok(), "good", "{what}");
        }
    });
}

#[test]
fn l33_masks_hold_whatever_the_image_has() {
    let layer =
        Layer::new().file("proc/keys", "of the image").link("proc/sys", "/tmp").file("sys/firmware/x", "");
    let Some(image) = Image::busybox(json!({})) else { return };
    let boat = Boat::holding(&image.layer(layer));
    let runs = boat.start("--rm", "sleep 1000");
    let all = mounts(runs.container).unwrap();
    for path in ["/proc", "/proc/keys", "/proc/sys", "/sys/firmware"] {
        let last = all.iter().rfind(|mount| mount.mount_point == path).unwrap();
        assert!(
            last.fs_type != "overlay" && (path == "/proc" || last.options.contains(&"ro".to_owned())),
            "{last:?}"
        );
    }
}
