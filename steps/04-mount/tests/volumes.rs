//! Volumes, memory, and a root that cannot be changed.

mod common;

use std::fs;

use common::{Place, Sleeper};

#[test]
fn a_volume_is_the_hosts_own_folder() {
    let Some(place) = Place::new() else { return };
    let source = place.folder("source");
    fs::write(source.join("from-host"), "hello\n").unwrap();
    let volume = format!("{}:/made/here", source.display());
    let script = "cat /made/here/from-host; echo back > /made/here/from-container";
    assert_eq!(place.told(&mut place.step04(&["-v", &volume, "--", "sh", "-c", script])), "hello\n=> 0");
    assert_eq!(fs::read_to_string(source.join("from-container")).unwrap(), "back\n");
    assert!(place.root().join("made/here").is_dir(), "the target is made");
}

#[test]
fn a_file_is_mounted_on_a_file() {
    let Some(place) = Place::new() else { return };
    fs::write(place.at("hosts"), "127.0.0.1 box\n").unwrap();
    let volume = format!("{}:/etc/hosts:ro", place.at("hosts").display());
    let script = "cat /etc/hosts; echo x >> /etc/hosts";
    insta::assert_snapshot!(place.told(&mut place.step04(&["-v", &volume, "--", "sh", "-c", script])), @"
    127.0.0.1 box
    sh: can't create /etc/hosts: Read-only file system
    => 1
    ");
    assert_eq!(fs::read_to_string(place.root().join("etc/hosts")).unwrap(), "", "the target is made");
    assert_eq!(fs::read_to_string(place.at("hosts")).unwrap(), "127.0.0.1 box\n");
}

#[test]
fn read_only_is_all_that_is_mounted_below_too() {
    let Some(place) = Place::new() else { return };
    fs::create_dir_all(place.at("source/below")).unwrap();
    let mounted = "mount -t tmpfs below source/below";
    let script = "touch /data/file; touch /data/below/file; ls /data /data/below";
    let read_only = ["-v", "source:/data:ro", "--", "sh", "-c", script];
    insta::assert_snapshot!(place.told(&mut place.step04_after(mounted, &read_only)), @"
    /data:
    below

    /data/below:
    touch: /data/file: Read-only file system
    touch: /data/below/file: Read-only file system
    => 0
    ");
    // Without `ro` both can be written: it is the option that forbids it.
    let writable = ["-v", "source:/data", "--", "sh", "-c", script];
    insta::assert_snapshot!(place.told(&mut place.step04_after(mounted, &writable)), @"
    /data:
    below
    file

    /data/below:
    file
    => 0
    ");
}

#[test]
fn a_volume_that_is_read_only_on_the_host_stays_so() {
    let Some(place) = Place::new() else { return };
    place.folder("source");
    let mounted = "mount -t tmpfs -o ro,nosuid,nodev,noexec locked source";
    let words = ["--map-root-user", "-v", "source:/data", "--", "touch", "/data/file"];
    insta::assert_snapshot!(place.told(&mut place.step04_after(mounted, &words)), @"
    touch: /data/file: Read-only file system
    => 1
    ");
    let words = ["--map-root-user", "-v", "source:/data:ro", "--", "ls", "/data"];
    assert_eq!(place.told(&mut place.step04_after(mounted, &words)), "=> 0");
}

#[test]
fn a_tmpfs_is_seen_inside_only() {
    let Some(place) = Place::new() else { return };
    let script = "touch /scratch/inside && sleep 60";
    let sleeper = Sleeper::start(&mut place.step04(&["--tmpfs", "/scratch", "--", "sh", "-c", script]));
    let memory = sleeper.mount("/scratch");
    assert_eq!(memory.fs_type, "tmpfs");
    assert_eq!(sleeper.names("/scratch"), ["inside"]);
    assert_eq!(common::names(&place.root().join("scratch")), [""; 0]);
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains("/scratch"), "{mounts}");
}

#[test]
fn a_read_only_root_leaves_the_rest_writable() {
    let Some(place) = Place::new() else { return };
    let script = "touch /file; touch /tmp/file /dev/shm/file && echo there";
    let words = ["--read-only", "--tmpfs", "/tmp", "--", "sh", "-c", script];
    insta::assert_snapshot!(place.told(&mut place.step04(&words)), @"
    there
    touch: /file: Read-only file system
    => 0
    ");
    // The host can still write: only the container's view of it changed.
    fs::write(place.root().join("host"), "").unwrap();
}

#[test]
fn a_later_volume_covers_an_earlier_one() {
    let Some(place) = Place::new() else { return };
    for name in ["one", "two"] {
        fs::write(place.folder(name).join(name), "").unwrap();
    }
    let volume = |name: &str, target: &str| format!("-v{}:{target}", place.at(name).display());
    let words = [&*volume("one", "/data"), &*volume("two", "/data/two"), "--", "ls", "/data", "/data/two"];
    insta::assert_snapshot!(place.told(&mut place.step04(&words)), @"
    /data:
    one
    two

    /data/two:
    two
    => 0
    ");
    assert!(place.at("one/two").is_dir(), "the target is made in the volume that is there");
}
