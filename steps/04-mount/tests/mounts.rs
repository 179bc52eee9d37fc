//! What a container finds mounted, seen from outside.

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use common::{Place, Sleeper};
use nix::sys::stat::{major, minor};
use support::{Mount, Role};

fn has(mount: &Mount, options: &[&str]) -> bool {
    options.iter().all(|option| mount.options.iter().any(|has| has == option))
}

#[test]
fn proc_shows_our_processes_and_no_others() {
    let Some(place) = Place::new() else { return };
    let sleeper = Sleeper::start(&mut place.step04(&["--", "sleep", "60"]));
    let proc = sleeper.mount("/proc");
    assert_eq!((&*proc.fs_type, &*proc.root), ("proc", "/"));
    assert!(has(&proc, &["nosuid", "nodev", "noexec"]), "{proc:?}");
    let processes: Vec<_> =
        sleeper.names("/proc").into_iter().filter(|name| name.parse::<u32>().is_ok()).collect();
    assert_eq!(processes, ["1"]);
}

#[test]
fn sys_cannot_be_changed() {
    let Some(place) = Place::new() else { return };
    let sleeper = Sleeper::start(&mut place.step04(&["--", "sleep", "60"]));
    assert_eq!(sleeper.mount("/sys").fs_type, "sysfs");
    // Where it is the host's, what is mounted below has come with it.
    for mount in sleeper.mounts() {
        let is_sys = mount.mount_point == "/sys" || mount.mount_point.starts_with("/sys/");
        assert!(!is_sys || has(&mount, &["ro"]), "{mount:?}");
    }
}

#[test]
fn sys_is_a_new_one_where_the_network_is_ours() {
    let Some(place) = Place::new() else { return };
    let script = "ls /sys/class/net > /tmp/links; sed -n 's/^ *\\(.*\\):.*/\\1/p' /proc/net/dev | sort | \
                  cmp - /tmp/links && echo our links; grep -c ' /sys/fs/cgroup' /proc/self/mountinfo";
    let words =
        ["unshare", "--net", env!("CARGO_BIN_EXE_step04"), "--rootfs", "root", "--", "sh", "-c", script];
    let told = place.told(common::after("true").args(words).current_dir(place.at("")));
    insta::assert_snapshot!(told, @"
    our links
    0
    => 1
    ");
}

#[test]
fn dev_has_six_harmless_devices() {
    let Some(place) = Place::new() else { return };
    let sleeper = Sleeper::start(&mut place.step04(&["--", "sleep", "60"]));
    let dev = sleeper.mount("/dev");
    assert_eq!(dev.fs_type, "tmpfs");
    assert!(has(&dev, &["nosuid", "noexec"]), "{dev:?}");
    let mut devices = Vec::new();
    for name in sleeper.names("/dev") {
        let found = sleeper.stat(&format!("/dev/{name}"));
        if found.file_type().is_char_device() {
            devices.push(format!("{name} {}:{}", major(found.rdev()), minor(found.rdev())));
        } else {
            assert!(found.is_dir() || found.is_symlink(), "{name}");
        }
    }
    assert_eq!(devices, ["full 1:7", "null 1:3", "random 1:8", "tty 5:0", "urandom 1:9", "zero 1:5"]);
    let link = |name: &str| fs::read_link(sleeper.path(name)).unwrap();
    assert_eq!(link("/dev/fd"), Path::new("/proc/self/fd"));
    assert_eq!(link("/dev/stderr"), Path::new("/proc/self/fd/2"));
    assert_eq!(link("/dev/ptmx"), Path::new("pts/ptmx"));
}

#[test]
fn dev_null_takes_what_is_written() {
    let Some(place) = Place::new() else { return };
    let script = "find / -xdev > /dev/null; wc -c < /dev/null; head -c 3 /dev/zero | wc -c";
    assert_eq!(place.told(&mut place.step04(&["--", "sh", "-c", script])), "0\n3\n=> 0");
}

#[test]
fn terminals_are_our_own() {
    let Some(place) = Place::new() else { return };
    let script = "exec 3<>/dev/ptmx; sleep 60";
    let sleeper = Sleeper::start(&mut place.step04(&["--", "sh", "-c", script]));
    let pts = sleeper.mount("/dev/pts");
    assert_eq!(pts.fs_type, "devpts");
    assert!(has(&pts, &["nosuid", "noexec"]), "{pts:?}");
    assert_eq!(sleeper.names("/dev/pts"), ["0", "ptmx"]);
    if let Ok(host) = fs::metadata("/dev/pts") {
        assert_ne!(sleeper.stat("/dev/pts").dev(), host.dev());
    }
    assert_eq!(sleeper.stat("/dev/pts/ptmx").mode() & 0o777, 0o666);
    if Role::here() == Role::Root {
        assert_eq!(sleeper.stat("/dev/pts/0").gid(), 5, "of the group tty");
    }
}

#[test]
fn shared_memory_and_message_queues_are_our_own() {
    let Some(place) = Place::new() else { return };
    let sleeper = Sleeper::start(&mut place.step04(&["--", "sleep", "60"]));
    let shm = sleeper.mount("/dev/shm");
    assert_eq!(shm.fs_type, "tmpfs");
    assert!(has(&shm, &["nosuid", "nodev", "noexec"]), "{shm:?}");
    assert!(shm.super_options.contains(&"size=65536k".to_owned()), "{shm:?}");
    assert_eq!(sleeper.stat("/dev/shm").mode() & 0o7777, 0o1777);
    assert_eq!(sleeper.names("/dev/shm"), [""; 0]);
    let mqueue = sleeper.mount("/dev/mqueue");
    assert_eq!(mqueue.fs_type, "mqueue");
    if let Ok(host) = fs::metadata("/dev/mqueue") {
        assert_ne!(sleeper.stat("/dev/mqueue").dev(), host.dev());
    }
}

#[test]
fn what_shows_the_machine_is_hidden() {
    let Some(place) = Place::new() else { return };
    let sleeper = Sleeper::start(&mut place.step04(&["--", "sleep", "60"]));
    let mut hidden = Vec::new();
    for path in [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ] {
        let Ok(host) = fs::symlink_metadata(path) else { continue };
        hidden.push(path);
        assert!(has(&sleeper.mount(path), &["ro"]), "{path}");
        let found = sleeper.stat(path);
        if host.is_dir() {
            assert_eq!(sleeper.names(path), [""; 0], "{path}");
        } else {
            assert!(found.file_type().is_char_device(), "{path}");
            assert_eq!((major(found.rdev()), minor(found.rdev())), (1, 3), "{path}");
        }
    }
    assert!(hidden.len() > 2, "this kernel has next to nothing to hide: {hidden:?}");
}

#[test]
fn what_changes_the_machine_is_read_only() {
    let Some(place) = Place::new() else { return };
    let sleeper = Sleeper::start(&mut place.step04(&["--", "sleep", "60"]));
    for path in ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"] {
        if Path::new(path).exists() {
            let mount = sleeper.mount(path);
            assert!(has(&mount, &["ro", "nosuid", "nodev", "noexec"]), "{mount:?}");
            assert_eq!(mount.root, path.trim_start_matches("/proc"));
        }
    }
    // This one would let whoever reaches it run a program on the host.
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let script = "echo '|/tmp/x' > /proc/sys/kernel/core_pattern";
    let told = place.told(&mut place.step04(&["--", "sh", "-c", script]));
    assert!(told.ends_with("=> 1"), "{told}");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), pattern);
}

#[test]
fn a_device_that_is_called_null_and_is_none_is_refused() {
    let Some(place) = Place::new() else { return };
    fs::write(place.at("null"), "").unwrap();
    let mut step04 = place.step04_after("mount --bind null /dev/null", &["--", "true"]);
    insta::assert_snapshot!(place.told(&mut step04), @"
    step04: cannot mount /dev: cannot bind null: the host's one is not the character device 1:3
    => 125
    ");
}
