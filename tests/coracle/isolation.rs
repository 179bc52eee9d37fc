//! What keeps a container apart, read from outside while it runs: /proc/PID, `man 5 proc`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::{Pid, getpid};
use support::{Role, gid_map, mounts, namespaces, status, uid_map};

use crate::kit::{Boat, Ran, names};

/// The namespaces that are the container's own, by their names in /proc/PID/ns.
fn own(container: Pid) -> BTreeSet<String> {
    let (inside, outside) = (namespaces(container).unwrap(), namespaces(getpid()).unwrap());
    // What is for children to come shows nothing that the others do not.
    let is_own = |(name, inode): &(String, u64)| !name.ends_with("_for_children") && outside[name] != *inode;
    inside.into_iter().filter(is_own).map(|(name, _)| name).collect()
}

#[test]
fn namespaces_are_its_own() {
    let Some(boat) = Boat::new() else { return };
    let runs = boat.start("--rm", "sleep 1000");
    let mut wanted = BTreeSet::from(["ipc", "mnt", "net", "pid", "uts"]);
    if Role::here() != Role::Root {
        wanted.insert("user");
    }
    let found = own(runs.container);
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), wanted);
    // It knows itself as process 1.
    assert_eq!(status(runs.container).unwrap()["NSpid"].split_whitespace().last(), Some("1"));
}

#[test]
fn network_of_the_host_is_shared_when_asked_for() {
    let Some(boat) = Boat::new() else { return };
    let words =
        ["run", "--rm", "--quiet", "--network=host", &boat.image, "sh", "-c", "echo started; sleep 1000"];
    let runs = crate::kit::Started::of(&mut boat.command(words));
    let found = own(runs.container);
    assert!(!found.contains("net") && found.contains("mnt") && found.contains("pid"), "{found:?}");
}

#[test]
fn root_is_an_overlay_and_nothing_of_the_hosts_is_mounted() {
    let Some(boat) = Boat::new() else { return };
    let runs = boat.start("--rm", "sleep 1000");
    let all = mounts(runs.container).unwrap();
    let root = &all[0];
    assert_eq!((&*root.mount_point, &*root.fs_type), ("/", "overlay"));
    let known = [
        ("/", "overlay"),
        ("/proc", "proc"),
        ("/sys", "sysfs"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"),
        ("/dev/mqueue", "mqueue"),
    ];
    let below = |mount: &support::Mount, folder: &str| mount.mount_point.starts_with(folder);
    for mount in &all {
        let is_known = known.contains(&(&*mount.mount_point, &*mount.fs_type));
        let is_node = below(mount, "/dev/")
            && ["/null", "/zero", "/full", "/random", "/urandom", "/tty"].contains(&&*mount.root);
        let is_mask = below(mount, "/proc/") || below(mount, "/sys/");
        let is_file = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"].contains(&&*mount.mount_point)
            && mount.root.ends_with(&mount.mount_point["/etc".len()..]);
        assert!(is_known || is_node || is_mask || is_file, "{mount:?}");
        // Nothing that is mounted on either side shows on the other.
        assert!(mount.propagation.is_empty(), "{mount:?}");
    }
    for mount in all.iter().filter(|mount| is_for_devices(mount)) {
        assert!(mount.options.contains(&"nosuid".to_owned()), "{mount:?}");
    }
}

fn is_for_devices(mount: &support::Mount) -> bool {
    ["proc", "sysfs", "mqueue", "devpts"].contains(&&*mount.fs_type)
}

#[test]
fn root_and_work_directory_are_inside() {
    let Some(boat) = Boat::new() else { return };
    let runs = boat.start("--rm", "sleep 1000");
    let at = |name: &str| {
        let found = fs::metadata(format!("/proc/{}/{name}", runs.container)).unwrap();
        (found.dev(), found.ino())
    };
    assert_eq!(at("root"), at("cwd"));
    let host = fs::metadata("/").unwrap();
    assert_ne!(at("root"), (host.dev(), host.ino()));
    let root = format!("/proc/{}/root", runs.container);
    assert_eq!(fs::read_to_string(format!("{root}/greeting")).unwrap(), "hello from above\n");
    assert_eq!(
        names(root.as_ref()),
        ["bin", "dev", "etc", "greeting", "hidden", "proc", "root", "run", "sys", "tmp"]
    );
}

#[test]
fn process_one_has_forgotten_the_words_and_the_environment_of_the_caller() {
    let Some(boat) = Boat::new() else { return };
    let one_id = support::Role::here() == support::Role::RootInUserNamespace;
    for (name, user) in [("root", ""), ("other", if one_id { "" } else { "-u ada" })] {
        let mut command = boat.run_command(&format!("-d --init {user} --name {name}"), &["sleep", "1000"]);
        crate::kit::Ran::of(command.env("SECRET", "s3cret")).ok();
        // Root in there may look at all of them, unless the kernel forbids it.
        let line = "cat /proc/1/environ /proc/1/cmdline 2>/dev/null; echo asked";
        let told = crate::kit::Ran::of(&mut boat.command(["exec", "-u", "0", name, "sh", "-c", line])).ok();
        let told = told.replace('\0', "");
        assert!(matches!(&*told, "asked" | "initasked"), "{told:?}");
    }
}

#[test]
fn c2_nothing_is_open_but_the_three() {
    let Some(boat) = Boat::new() else { return };
    boat.sh("", "true").ok();
    for options in ["", "-i", "--init", "-t"] {
        // What the caller has open leaks through a runtime that does not look: the host's root, for one.
        let command = boat.run_command(&format!("--rm {options}"), &["sh", "-c", "echo started; sleep 1000"]);
        let mut shell = support::command("sh");
        shell
            .args(["-c", "exec \"$@\" 9</ 7<>/dev/null", "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        shell.env("HOME", boat.path("")).stdin(std::process::Stdio::null());
        let runs = crate::kit::Started::of(&mut shell);
        let mut inside = support::descendants(runs.container);
        inside.push(runs.container);
        for process in inside {
            let open = names(format!("/proc/{process}/fd").as_ref());
            // Who has become another user, or an init, is nobody's to look into but root's.
            let is_hidden = open.is_empty() && fs::read_dir(format!("/proc/{process}/fd")).is_err();
            let is_init = options == "--init" && process == runs.container;
            match is_init {
                true => assert!(is_hidden || open.len() <= 4, "the init has {open:?}"),
                false => assert_eq!(open, ["0", "1", "2"], "{options}"),
            }
        }
    }
}

#[test]
fn umask_of_the_caller_stays_outside() {
    let Some(boat) = Boat::new() else { return };
    let script = "umask; cat /etc/resolv.conf /etc/hosts /etc/hostname >/dev/null && ls /srv && echo read";
    let command = boat.run_command("--rm -v srv:/srv -u 1000:1000", &["sh", "-c", script]);
    let mut shell = support::command("sh");
    shell.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    let ran = Ran::of(shell.env("HOME", boat.path("")));
    if Role::here() == Role::RootInUserNamespace {
        // There is no second user.
        ran.failed(125, "");
        return;
    }
    assert_eq!((ran.code, ran.out.as_str()), (0, "0022\nread\n"), "{ran:?}");
}

#[test]
fn environment_is_not_the_callers() {
    let Some(boat) = Boat::new() else { return };
    // Were sleep the last word, the shell would become it.
    let mut command = boat.run_command("--rm", &["sh", "-c", "echo started; sleep 1000; true"]);
    let runs = crate::kit::Started::of(command.env("CORACLE_SECRET", "of the host"));
    let environment = fs::read(format!("/proc/{}/environ", runs.container)).unwrap();
    let text = String::from_utf8(environment).unwrap();
    let mut found: Vec<&str> =
        text.split_terminator('\0').map(|line| line.split('=').next().unwrap()).collect();
    found.sort();
    assert_eq!(found, ["GREETING", "HOME", "HOSTNAME", "PATH"]);
}

#[test]
fn ids_are_mapped_for_ordinary_users_and_the_hosts_for_root() {
    let Some(boat) = Boat::new() else { return };
    let runs = boat.start("--rm", "sleep 1000");
    let (uids, gids) = (uid_map(runs.container).unwrap(), gid_map(runs.container).unwrap());
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    match Role::here() {
        Role::Root => assert_eq!((uids, gids), (vec![[0, 0, u32::MAX]], vec![[0, 0, u32::MAX]])),
        Role::RootInUserNamespace => assert_eq!((uids, gids), (vec![[0, 0, 1]], vec![[0, 0, 1]])),
        Role::User => {
            // Root is the caller, the others are his subordinate ids.
            assert_eq!((uids[0], gids[0]), ([0, uid, 1], [0, gid, 1]));
            assert!(uids.len() == 2 && uids[1][0] == 1 && uids[1][2] >= 65_536, "{uids:?}");
            assert!(gids.len() == 2 && gids[1][0] == 1 && gids[1][2] >= 65_536, "{gids:?}");
        }
    }
    let status = status(runs.container).unwrap();
    assert_eq!(status["Uid"], [uid; 4].map(|id| id.to_string()).join("\t"));
}

#[test]
fn host_name_is_its_own() {
    let Some(boat) = Boat::new() else { return };
    let before = nix::unistd::gethostname().unwrap();
    assert_eq!(
        boat.sh("--hostname box", "hostname; cat /etc/hostname; hostname inside; hostname").ok(),
        "box\nbox\ninside"
    );
    assert_eq!(nix::unistd::gethostname().unwrap(), before);
}

#[test]
fn host_name_is_the_beginning_of_the_id() {
    let Some(boat) = Boat::new() else { return };
    let name = boat.run("", &["hostname"]).ok();
    assert_eq!(name, boat.coracle("ps --all --quiet").ok());
}

#[test]
fn kernel_of_the_host_cannot_be_changed() {
    let Some(boat) = Boat::new() else { return };
    let script = "for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/kernel/hostname \
                  /sys/kernel/uevent_helper /proc/sys/vm/drop_caches; do (echo x >$file) 2>/dev/null && echo $file; done; \
                  cat /proc/keys /proc/timer_list 2>/dev/null | wc -c";
    let pattern = fs::read("/proc/sys/kernel/core_pattern").unwrap();
    assert_eq!(boat.sh("", script).ok(), "0");
    assert_eq!(fs::read("/proc/sys/kernel/core_pattern").unwrap(), pattern);
}

#[test]
fn l11_c10_no_device_can_be_opened_but_those_of_dev() {
    let Some(boat) = Boat::new() else { return };
    // Root may still make one, and so may have whoever made the image.
    let line =
        "mknod -m 666 /zero c 1 5 || echo not made; head -c1 /zero | wc -c; head -c1 /dev/zero | wc -c";
    let seen = boat.sh("", line);
    let made = if Role::here() == Role::Root { "" } else { "not made\n" };
    assert_eq!((seen.code, seen.out.trim_end()), (0, &*format!("{made}0\n1")), "{seen:?}");
}
