//! The outside reader and the snapshots, tried on what util-linux and coreutils make.

use std::path::Path;
use std::time::Duration;
use std::{env, fs, process};

use nix::unistd::{Pid, getegid, geteuid, getpid};
use support::{Background, Host, NotApplicable, Role, command, not_applicable, not_run, program, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

/// A `sleep` in a user and a uts namespace of its own, or why there is none.
fn sleeper() -> Result<Background, String> {
    let unshare = program("unshare").ok_or("unshare is missing: apt-get install util-linux")?;
    let mut unshare = command(unshare);
    unshare.args(["--user", "--map-root-user", "--uts", "sleep", "60"]);
    let sleeper = Background::spawn(&mut unshare).map_err(|error| error.to_string())?;
    wait_until("unshare becomes sleep", LIMIT, || {
        support::command_name(sleeper.pid()).as_deref() == Some("sleep")
    });
    Ok(sleeper)
}

#[test]
fn new_namespaces_have_other_inodes() {
    let sleeper = match sleeper() {
        Ok(sleeper) => sleeper,
        Err(why) => return not_run(&why),
    };
    let ours = support::namespaces(getpid()).unwrap();
    let theirs = support::namespaces(sleeper.pid()).unwrap();
    let new: Vec<&String> = ours.keys().filter(|&kind| ours[kind] != theirs[kind]).collect();
    assert_eq!(new, ["user", "uts"]);
    assert_eq!(support::uid_map(sleeper.pid()).unwrap(), [[0, geteuid().as_raw(), 1]]);
    assert_eq!(support::gid_map(sleeper.pid()).unwrap(), [[0, getegid().as_raw(), 1]]);
}

#[test]
fn a_killed_child_is_no_longer_alive_and_no_longer_a_child() {
    let mut sleeper = Background::spawn(command("sleep").arg("60")).unwrap();
    let pid = sleeper.pid();
    assert!(support::is_alive(pid));
    assert!(support::children(getpid()).contains(&pid));
    assert!(support::descendants(getpid()).contains(&pid));
    sleeper.child().kill().unwrap();
    wait_until("a zombie", LIMIT, || !support::is_alive(pid));
    assert!(support::children(getpid()).contains(&pid));
    drop(sleeper);
    assert!(!support::children(getpid()).contains(&pid));
}

#[test]
fn mounts_name_the_root_and_proc() {
    let mounts = support::mounts(getpid()).unwrap();
    let fs_type = |point: &str| {
        // The last one mounted there is the one that is seen.
        mounts.iter().rfind(|mount| mount.mount_point == point).map(|mount| &mount.fs_type)
    };
    assert!(fs_type("/").is_some());
    assert_eq!(fs_type("/proc").unwrap(), "proc");
}

#[test]
fn status_tells_who_we_are() {
    let status = support::status(Pid::from_raw(process::id().cast_signed())).unwrap();
    let uid = geteuid().to_string();
    assert!(status["Uid"].split_whitespace().all(|id| id == uid));
    assert_eq!(Role::here() == Role::User, !geteuid().is_root());
}

#[test]
fn difference_names_what_is_new_and_what_is_gone() {
    let folder = env::temp_dir().join(format!("coracle-support-{}", process::id()));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("one"), "1").unwrap();
    let before = Host::snapshot(&[&folder]);
    fs::rename(folder.join("one"), folder.join("two")).unwrap();
    let after = Host::snapshot(&[&folder]);
    // Other tests change the host at the same time: only our folder is ours to judge.
    let mut lines = before.difference(&after);
    lines.retain(|line| line.contains(&*folder.to_string_lossy()));
    fs::remove_dir_all(&folder).unwrap();
    let name = |line: &String| {
        let path = line.split(' ').nth(2).unwrap();
        (line.as_bytes()[0], Path::new(path).file_name().unwrap().to_owned())
    };
    let names: Vec<_> = lines.iter().map(name).collect();
    assert_eq!(names, [(b'-', "one".into()), (b'+', "two".into())]);
}

#[test]
fn busybox_root_has_a_shell() {
    let folder = env::temp_dir().join(format!("coracle-root-{}", process::id()));
    fs::create_dir(&folder).unwrap();
    let made = support::busybox_root(&folder).unwrap();
    let shell = fs::read_link(folder.join("bin/sh"));
    fs::remove_dir_all(&folder).unwrap();
    if !made {
        return not_run("busybox is missing: apt-get install busybox-static");
    }
    assert_eq!(shell.unwrap(), Path::new("busybox"));
}

#[test]
fn a_test_alone_has_a_host_of_its_own() {
    if !support::alone() {
        return;
    }
    if Role::here() == Role::User {
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let all = support::processes().into_iter().map(|(pid, _)| pid);
    let ours: Vec<Pid> = all.filter(|pid| pid.as_raw() != 1).collect();
    assert_eq!(ours, [], "process 1 is this test");
    let before = Host::snapshot(&[]);
    let link = command("ip").args(["link", "add", "one", "type", "bridge"]).status().unwrap();
    let mount = command("mount").args(["-t", "tmpfs", "one", "/tmp"]).status().unwrap();
    assert!(link.success() && mount.success());
    let lines = before.difference(&Host::snapshot(&[]));
    assert!(lines.iter().any(|line| line.starts_with("+ mount /tmp tmpfs")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("+ link") && line.contains(" one:")), "{lines:?}");
    assert!(before.wait_until_same(Duration::from_millis(100)).is_err());
}
