//! Root file systems made by somebody who wants out (ATTACKS L33, C4).

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Place, names};
use nix::fcntl::{RenameFlags, renameat2};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// What a root file system may have in the place of a folder of ours.
fn traps(outside: &Path) -> Vec<(&'static str, Trap)> {
    vec![
        ("an absolute link out", Trap::Link(outside.to_owned())),
        (
            "a relative link out",
            Trap::Link(Path::new("../../../../../../../../..").join(&outside.to_str().unwrap()[1..])),
        ),
        ("a link to the root", Trap::Link("/".into())),
        ("a link to nothing", Trap::Link("/nowhere/at/all".into())),
        ("a link to itself", Trap::Link("proc".into())),
        ("a file", Trap::File),
        ("a fifo", Trap::Fifo),
    ]
}

enum Trap {
    Link(PathBuf),
    File,
    Fifo,
}

impl Trap {
    fn set(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_dir(path);
        let _ = fs::remove_file(path);
        match self {
            Self::Link(to) => symlink(to, path).unwrap(),
            Self::File => fs::write(path, "untouched").unwrap(),
            Self::Fifo => mkfifo(path, Mode::from_bits_truncate(0o644)).unwrap(),
        }
    }
}

/// A folder that no container has any business in.
fn outside(place: &Place) -> PathBuf {
    let outside = place.folder("outside");
    fs::write(outside.join("marker"), "untouched").unwrap();
    outside
}

fn assert_untouched(outside: &Path, when: &str) {
    assert_eq!(names(outside), ["marker"], "{when}");
    assert_eq!(fs::read_to_string(outside.join("marker")).unwrap(), "untouched", "{when}");
}

#[test]
fn l33_our_folders_are_never_mounted_through_a_link() {
    let Some(place) = Place::new() else { return };
    let outside = outside(&place);
    for folder in ["proc", "sys", "dev"] {
        for (name, trap) in traps(&outside) {
            let when = format!("/{folder} is {name}");
            trap.set(&place.root().join(folder));
            let told = place.told(&mut place.step04(&["--", "true"]));
            let what = if matches!(trap, Trap::Link(_)) { "a symbolic link" } else { "something else" };
            let wanted = format!(
                "step04: cannot mount /{folder}: the root file system has {what} there, not a directory\n=> 125"
            );
            assert_eq!(told, wanted, "{when}");
            assert_untouched(&outside, &when);
        }
        fs::remove_file(place.root().join(folder)).unwrap();
        assert_eq!(place.told(&mut place.step04(&["--", "true"])), "=> 0", "it is well again");
    }
}

#[test]
fn l33_what_lies_below_dev_is_covered() {
    let Some(place) = Place::new() else { return };
    let outside = outside(&place);
    for folder in ["dev/pts", "dev/shm", "dev/mqueue", "dev/null", "dev/ptmx"] {
        for (name, trap) in traps(&outside) {
            let when = format!("/{folder} is {name}");
            trap.set(&place.root().join(folder));
            let script = "echo x > /dev/null; echo y > /dev/shm/y; ls /dev/pts";
            assert_eq!(place.told(&mut place.step04(&["--", "sh", "-c", script])), "ptmx\n=> 0", "{when}");
            assert_untouched(&outside, &when);
        }
        fs::remove_file(place.root().join(folder)).unwrap();
    }
}

#[test]
fn l33_a_volume_follows_links_but_stays_inside() {
    let Some(place) = Place::new() else { return };
    let outside = outside(&place);
    fs::write(place.at("hosts"), "127.0.0.1 box\n").unwrap();
    let volume = format!("{}:/etc/hosts", place.at("hosts").display());
    for (name, trap) in traps(&outside) {
        let when = format!("/etc/hosts is {name}");
        trap.set(&place.root().join("etc/hosts"));
        let told = place.told(&mut place.step04(&["-v", &volume, "--", "cat", "/etc/hosts"]));
        let wanted = match name {
            "a link to the root" => {
                "step04: cannot mount /etc/hosts: it leads to '/', which cannot be covered\n=> 125"
            }
            _ => "127.0.0.1 box\n=> 0",
        };
        assert_eq!(told, wanted, "{when}");
        assert_untouched(&outside, &when);
    }
    let volume = format!("{}:/..", outside.display());
    insta::assert_snapshot!(place.told(&mut place.step04(&["-v", &volume, "--", "true"])), @"
    step04: cannot mount /..: it leads to '/', which cannot be covered
    => 125
    ");
    // The kernel's own kind of link leads to another root, without any `..`.
    symlink("/proc/1/root/etc/group", place.root().join("etc/magic")).unwrap();
    let volume = format!("{}:/etc/magic", place.at("hosts").display());
    insta::assert_snapshot!(place.told(&mut place.step04(&["-v", &volume, "--", "true"])), @"
    step04: cannot mount /etc/magic: ELOOP: Too many symbolic links encountered
    => 125
    ");
}

#[test]
fn l33_nothing_is_mounted_inside_proc() {
    let Some(place) = Place::new() else { return };
    fs::write(place.at("fake"), "0").unwrap();
    symlink("/proc/sys/kernel/core_pattern", place.root().join("etc/resolv.conf")).unwrap();
    let volume = |target: &str| format!("-v{}:{target}", place.at("fake").display());
    insta::assert_snapshot!(place.told(&mut place.step04(&[&*volume("/etc/resolv.conf"), "--", "true"])), @"
    step04: cannot mount /etc/resolv.conf: it is inside /proc, where only the kernel shall speak
    => 125
    ");
    insta::assert_snapshot!(place.told(&mut place.step04(&[&*volume("/proc/1/comm"), "--", "true"])), @"
    step04: cannot mount /proc/1/comm: it is inside /proc, where only the kernel shall speak
    => 125
    ");
    let words = ["--tmpfs", "/proc", "--", "true"];
    insta::assert_snapshot!(place.told(&mut place.step04(&words)), @"
    step04: cannot mount /proc: it is inside /proc, where only the kernel shall speak
    => 125
    ");
}

#[test]
fn c4_a_target_that_is_swapped_while_we_start_stays_inside() {
    let Some(place) = Place::new() else { return };
    let outside = outside(&place);
    let (folder, link) = (place.root().join("data"), place.root().join("swapped"));
    fs::create_dir(&folder).unwrap();
    symlink(&outside, &link).unwrap();
    let volume = format!("-v{}:/data/deep/target", place.folder("source").display());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let here = nix::fcntl::AT_FDCWD;
                renameat2(here, &folder, here, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        for _ in 0..100 {
            // It succeeds or not, as it happens to find things; it is never outside.
            let _ = place.told(&mut place.step04(&[&volume, "--", "true"]));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_untouched(&outside, "after 100 starts");
}
