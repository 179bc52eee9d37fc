//! Each cause that `explain` knows, made on purpose where no step's own error names it: the call fails as it is
//! said, and then the look finds the cause.
//!
//! Where this kernel cannot be brought to fail so, the look is shown a file of ours, and the test says so.

use support::{NotApplicable, Role, not_applicable, not_run, program};

const WORKSHOP: &str = env!("CARGO_BIN_EXE_workshop");

/// What `explain` prints after a script, as root of a user namespace with mounts and a network of its own.
/// `fails TEXT COMMAND…` in it holds that a command fails with this text.
fn explained(script: &str, words: &str) -> String {
    explained_in("-Urmn", script, words)
}

fn explained_in(namespaces: &str, script: &str, words: &str) -> String {
    let script = format!("{FAILS}\n{script}\nexec $before \"$0\" explain {words}");
    let mut unshare = support::command(program("unshare").expect("util-linux is part of every system"));
    let path = std::env::var("PATH").unwrap_or_default();
    unshare.env("PATH", format!("{path}:/usr/sbin:/sbin")).args([namespaces, "sh", "-ec", &script]);
    let output = unshare.arg(WORKSHOP).output().unwrap();
    assert!(output.status.success(), "{output:#?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const FAILS: &str = r#"fails() {
    wanted=$1; shift
    if said=$("$@" 2>&1); then echo "it worked: $*" >&2; exit 9; fi
    case $said in *"$wanted"*) ;; *) echo "$*: $said" >&2; exit 9 ;; esac
}
newborn() {
    unshare --user sleep 60 >/dev/null 2>&1 & child=$!
    until [ "$(readlink /proc/$child/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
}
place() { mount -t tmpfs tmpfs /mnt; cd /mnt; mkdir -p new/old other; }
"#;

/// A shell without capabilities, so that root of the user namespace is like an ordinary user.
const POWERLESS: &str = "setpriv --bounding-set=-all --inh-caps=-all";

#[track_caller]
fn holds(script: &str, words: &str, cause: &str) {
    let said = explained(script, words);
    assert!(said.lines().any(|line| line == format!("  holds    {cause}")), "{cause}\n{said}");
}

/// Nothing else holds, so it is this one.
#[track_caller]
fn remains(script: &str, words: &str, cause: &str) {
    let said = explained(script, words);
    assert!(said.lines().any(|line| line == format!("  remains  {cause}")), "{cause}\n{said}");
    assert!(!said.contains("\n  holds "), "{said}");
}

#[test]
fn pivot_root_einval() {
    let script = |more: &str| format!("place; {more}");
    let (invalid, words) = ("fails 'Invalid argument' pivot_root", "pivot_root EINVAL new new/old");
    let bind = "mount --bind new new; mkdir -p new/old";
    holds(&script(&format!("{invalid} new new/old")), words, "/mnt/new is no mount point");
    let shared = format!("{bind}; mount --make-shared /mnt; {invalid} new new/old");
    holds(&script(&shared), words, "the mount /mnt is shared");
    let beside = format!("{bind}; mount -t tmpfs tmpfs other; {invalid} new other");
    let cause = "/mnt/other is neither the new root nor below it";
    holds(&script(&beside), "pivot_root EINVAL new other", cause);
    // The kernel's first file system is the root of nobody here: the table of mounts is one of ours.
    let first = "echo '1 1 0:2 / / rw - rootfs rootfs rw' >table; mount --bind table /proc/$$/mountinfo";
    let cause = "/ is the initial file system of the kernel, which nothing can replace";
    holds(&script(first), "pivot_root EINVAL", cause);
    // Without a table nothing is known: nobody is said to be in a chroot.
    let said = explained(&script("mount --bind /dev/null /proc/$$/mountinfo"), "pivot_root EINVAL");
    assert!(!said.contains("  holds "), "{said}");
}

#[test]
fn pivot_root_ebusy() {
    let script = "place; mount --bind new new; fails 'resource busy' pivot_root new /";
    holds(script, "pivot_root EBUSY new /", "/, where the old root would go, lies on that root itself");
    if Role::here() != Role::Root {
        // Of the mounts that a user namespace begins with none may be moved: there it says EINVAL.
        return not_applicable(NotApplicable::NeedsRoot);
    }
    let said = explained_in("-m", "fails 'resource busy' pivot_root / /", "pivot_root EBUSY / /");
    assert!(said.contains("\n  holds    / lies on the mount that is the root already\n"), "{said}");
}

#[test]
fn pivot_root_in_a_chroot() {
    let script = "place; touch new/workshop; mount --bind \"$0\" new/workshop
        for name in lib lib64 usr proc; do
            [ ! -d /$name ] || { mkdir new/$name; mount --rbind /$name new/$name; }
        done
        exec chroot new /workshop explain pivot_root EINVAL";
    holds(script, "", "we are in a chroot whose root is no mount point");
}

#[test]
fn mount_proc_eperm() {
    let pid = "fails 'permission denied' mount -t proc proc /mnt";
    let covered = format!("mount --bind /dev/null /proc/version; {pid}");
    let cause = "the kernel allows it only where all of /proc can be seen, and /proc/version is covered here";
    holds(&covered, "mount EPERM", cause);
    remains(pid, "mount EPERM", "the kernel allows it only together with a pid namespace");
    // Root of a user namespace and process 1, among the mounts of the host.
    let said = explained_in("-Urpf", "fails 'permission denied' mount -t proc proc /proc", "mount EPERM");
    assert!(said.contains("\n  holds    only root of the mount namespace may mount\n"), "{said}");
}

#[test]
fn exec_enoent_without_dev_null() {
    let script = "mount -t tmpfs tmpfs /dev; fails 'No such file' sh -c 'true </dev/null'";
    holds(script, "exec ENOENT /bin/sh", "the file is there, but /dev/null is not");
}

#[test]
fn fork_enomem() {
    let ended = "exec unshare --pid sh -ec 'sh -c :; exec \"$0\" explain fork ENOMEM $$' \"$0\"";
    let cause = "process 1 of the namespace that its children go into has ended";
    holds(ended, "", cause);
    let said = explained("", "fork ENOMEM $$");
    assert!(said.contains(&format!("  no       {cause}")), "{said}");
    let lives = "exec unshare --pid sh -ec 'sleep 60 & \"$0\" explain fork ENOMEM $$; kill -KILL $!' \"$0\"";
    let said = explained(lives, "");
    assert!(said.contains(&format!("  no       {cause}")), "{said}");
}

#[test]
fn clone3_enosys() {
    remains("", "clone3 ENOSYS", "a filter of system calls (seccomp) hides it");
}

#[test]
fn setns_eperm() {
    // A process with a name of its own, in a new user namespace or in ours: somebody without power wants to enter.
    let script = |option: &str| {
        format!(
            "unshare {option} --uts {POWERLESS} sleep 60 >/dev/null 2>&1 & child=$!
             until grep -q sleep /proc/$child/comm; do sleep 0.01; done
             fails 'not permitted' {POWERLESS} nsenter --target $child --uts true
             before='{POWERLESS}'; trap 'kill $child' EXIT
             $before \"$0\" explain nsenter EPERM $child; exit"
        )
    };
    let cause = "they belong to another user namespace, in which we are not";
    holds(&script("--user --map-root-user"), "", cause);
    holds(&script(""), "", "only root may do this (CAP_SYS_ADMIN)");
}

#[test]
fn uid_map_eperm() {
    let twice = "fails 'not permitted' sh -c 'echo 0 0 1 | tee /proc/self/uid_map'";
    let cause = "/proc/self/uid_map has been written already, and can be only once";
    holds(twice, "uid_map EPERM /proc/self/uid_map", cause);
    // A file of ours: this kernel may have no AppArmor.
    let apparmor = "mount -t tmpfs tmpfs /proc/sys/kernel
        echo 1 >/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    holds(apparmor, "uid_map EPERM", "AppArmor forbids user namespaces here");
}

#[test]
fn maps_that_an_ordinary_user_may_not_write() {
    if Role::here() == Role::RootInUserNamespace {
        // There setgroups was denied before.
        return not_applicable(NotApplicable::NoSecondId);
    }
    let script = |file: &str, map: &str| {
        let explain = format!("\"$0\" explain {file} EPERM /proc/$child/{file}");
        let script = format!(
            "{FAILS}newborn; fails 'not permitted' sh -c \"echo {map} | tee /proc/$child/{file}\"
            {explain} | sed s,/proc/$child/,/proc/PID/,; kill $child"
        );
        let powerless = if Role::here() == Role::Root { POWERLESS } else { "env" };
        let mut words = powerless.split(' ');
        let mut command = support::command(words.next().unwrap());
        let output = command.args(words).args(["sh", "-ec", &script, WORKSHOP]).output().unwrap();
        assert!(output.status.success(), "{output:#?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = script("gid_map", "0 $(id -g) 1");
    let cause = "/proc/PID/setgroups does not say deny, without which an ordinary user may write no gid_map";
    assert!(said.contains(&format!("\n  holds    {cause}\n")), "{said}");
    let said = script("uid_map", "0 $(id -u) 2");
    let cause = "the map holds more than the writer's own id";
    assert!(said.contains(&format!("\n  remains  {cause}\n")), "{said}");
}

#[test]
fn newuidmap() {
    let missing = "newuidmap or newgidmap is missing";
    holds("before='env PATH=/nowhere'", "newuidmap ENOENT", missing);
    if program("newuidmap").is_none() {
        return not_run("newuidmap is missing: apt-get install uidmap");
    }
    let cause = "/dev/null is missing, which every helper has for its input";
    holds("mount -t tmpfs tmpfs /dev", "newuidmap ENOENT", cause);
    let cause = "a setuid program has no effect here (NoNewPrivs)";
    holds("before='setpriv --no-new-privs'", "newuidmap EPERM", cause);
    if program("strace").is_none() {
        not_run("strace is missing: apt-get install strace");
    } else {
        let cause =
            "a setuid program has no effect where an ordinary user traces who starts it, as by strace";
        holds("before='strace -qqo /dev/null'", "newuidmap EPERM", cause);
    }
    let twice = "fails 'not permitted' newuidmap $$ 0 0 1";
    let cause = "/proc/self/uid_map has been written already, and can be only once";
    holds(twice, "newuidmap EPERM newuidmap /proc/self/uid_map", cause);
    let copied = "place; cp $(command -v newuidmap) .; PATH=/mnt:$PATH";
    holds(copied, "newuidmap EPERM", "it has no setuid bit");
    holds("mount -t tmpfs tmpfs /etc", "newuidmap EPERM", "/etc/subuid has no range for this user");
    let not_ours = "mount -t tmpfs tmpfs /etc; echo root:x:0:0::/:/bin/sh >/etc/passwd
        echo root:1:5 | tee /etc/subuid >/etc/subgid
        newborn; fails 'not allowed' newuidmap $child 0 1 9; kill $child";
    let words = "newuidmap EPERM newuidmap /proc/$child/uid_map";
    remains(not_ours, words, "the range is not all this user's");
}

#[test]
fn mount_eperm() {
    let script =
        format!("fails 'permission denied' {POWERLESS} mount -t tmpfs tmpfs /mnt; before='{POWERLESS}'");
    holds(&script, "mount EPERM", "only root of the mount namespace may mount");
    let cause = "a file system of this kind may not be mounted in a user namespace";
    remains("fails 'permission denied' mount -t debugfs none /mnt", "mount EPERM", cause);
    let locked = "place; mount -t tmpfs tmpfs new/old
        fails 'wrong fs type' unshare --user --map-root-user --mount mount --bind new other";
    let cause = "what is mounted below it is locked to it: without that, it would show what is covered";
    remains(locked, "mount EINVAL", cause);
}

#[test]
fn mounts_that_leak() {
    let cause = "/ is shared, and what is copied from it still tells it of every mount";
    holds("mount --make-shared /", "mount leak", cause);
    remains("mount --make-private /", "mount leak", "there was no new mount namespace");
}

#[test]
fn overlay() {
    let folders =
        "place; mkdir l u w m; mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr m";
    let script = format!(
        "{folders}; mkdir m/u m/w m/m
         fails 'wrong fs type' mount -t overlay overlay -o lowerdir=l,upperdir=m/u,workdir=m/w,userxattr m/m"
    );
    let cause = "the upper directory would lie on overlay, which cannot hold one";
    holds(&script, "overlay EINVAL m/u", cause);
    let two = "place; mkdir l u w m; mount -t tmpfs tmpfs w
        fails 'wrong fs type' mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr m";
    let cause = "upperdir and workdir are on two file systems, or a name has a colon or comma in it";
    remains(two, "overlay EINVAL u", cause);
    // A file of ours: the kernel of who runs the other tests has it.
    let without = "place; grep -vw overlay /proc/filesystems >list; mount --bind list /proc/filesystems";
    holds(without, "overlay ENODEV", "the kernel has no overlay file system loaded");
    let said = explained("", "overlay ENODEV");
    assert!(said.contains("  no "), "{said}");
}

#[test]
fn cgroups() {
    // Tables of ours: a machine has one version or the other.
    let table = |line: &str| format!("place; echo '{line}' >table; mount --bind table /proc/$$/mountinfo");
    let one = table("30 1 0:3 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory");
    let cause = "this machine has cgroup v1, where the files have other names";
    holds(&one, "cgroup ENOENT", cause);
    holds(&table("1 1 0:2 / / rw - ext4 root rw"), "cgroup ENOENT", "no cgroups are mounted");
    let two = table("30 1 0:3 / /sys/fs/cgroup rw - cgroup2 cgroup rw");
    let cause =
        "this is the root of all groups, which has no limits, or the controller is not handed down to it";
    remains(&two, "cgroup ENOENT", cause);
    let read_only = "mount -t tmpfs -o ro tmpfs /sys/fs/cgroup; fails 'Read-only' mkdir /sys/fs/cgroup/group";
    holds(read_only, "cgroup EROFS", "/sys/fs/cgroup is mounted read-only, as in most containers");
    remains("", "cgroup EACCES", "no group was delegated to this user");
}

#[test]
fn a_network_that_reaches_nobody() {
    let forwards = "echo 1 >/proc/sys/net/ipv4/ip_forward";
    let closed = "echo 0 >/proc/sys/net/ipv4/ip_forward";
    holds(closed, "veth timeout", "the host does not forward");
    // A program of ours: not every machine has iptables, or lets us have a table.
    let iptables = |policy: &str| {
        format!(
            "place; printf '#!/bin/sh\\necho -P FORWARD {policy}\\n' >iptables; chmod +x iptables; PATH=/mnt:$PATH"
        )
    };
    let cause = "a firewall drops what is forwarded, as Docker's does (policy drop on FORWARD)";
    holds(&format!("{forwards}; {}", iptables("DROP")), "ping timeout", cause);
    let cause = "the answers find no way back, since nothing rewrites the container's address";
    remains(&format!("{forwards}; {}", iptables("ACCEPT")), "ping timeout", cause);
}

#[test]
fn pasta_and_pull() {
    holds("mount -t tmpfs tmpfs /dev", "pasta ENOENT", "there is no /dev/net/tun");
    let cause = "the registry has counted too many pulls from this network's address in the last hours";
    remains("", "pull 429", cause);
}
