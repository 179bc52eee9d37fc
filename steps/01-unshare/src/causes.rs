//! Why a process does not get new namespaces.

use std::fs;
use std::path::Path;

use nix::errno::Errno;

use crate::Namespaces;
use crate::trouble::{Cause, Look, Trouble, why};

// ANCHOR: why
/// Why `unshare` and `clone3` refuse `namespaces`, or the kernel what a user namespace is for.
pub fn why_no_namespaces(namespaces: Namespaces, errno: Errno) -> Option<String> {
    let user = namespaces.contains(Namespaces::USER);
    why(if user { USER_NAMESPACE } else { UNSHARE }, errno, &[])
}
// ANCHOR_END: why

// ANCHOR: causes
/// Without a user namespace.
pub static UNSHARE: &[Trouble] = &[Trouble {
    call: "unshare",
    errno: "EPERM",
    when: "without a user namespace",
    about: &[],
    causes: &[
        Cause {
            says: "only root may do this (CAP_SYS_ADMIN)",
            way_out: "add --map-root-user, which any user may",
            look: |_| holds_if(!may_administrate()),
        },
        SECCOMP,
    ],
}];

/// With one, which is a matter of the machine's settings.
pub static USER_NAMESPACE: &[Trouble] = &[
    Trouble {
        call: "unshare",
        errno: "EPERM",
        when: "with a user namespace",
        about: &[],
        causes: &[
            APPARMOR,
            Cause {
                says: "user namespaces are switched off here",
                way_out: "sudo sysctl kernel.unprivileged_userns_clone=1",
                look: |_| holds_if(reads("/proc/sys/kernel/unprivileged_userns_clone", "0")),
            },
            Cause {
                says: "there is no way from a chroot into a user namespace",
                way_out: "unshare first and chroot then, or have a new root by pivot_root",
                look: |_| holds_if(!root_is_a_mount()),
            },
            SECCOMP,
        ],
    },
    Trouble {
        call: "unshare",
        errno: "ENOSPC",
        when: "with a user namespace",
        about: &[],
        causes: &[
            Cause {
                says: "user namespaces are switched off here",
                way_out: "sudo sysctl user.max_user_namespaces=15000",
                look: |_| holds_if(reads("/proc/sys/user/max_user_namespaces", "0")),
            },
            Cause {
                says: "there are as many as /proc/sys/user allows, or 32 of them in one another",
                way_out: "lsns shows them; each ends with its last process",
                look: |_| Look::Unseen,
            },
        ],
    },
];

/// Of entering others, without their user namespace.
pub static SETNS: &[Trouble] = &[Trouble {
    call: "setns, nsenter",
    errno: "EPERM",
    when: "",
    about: &["PID"],
    causes: &[
        Cause {
            says: "they belong to another user namespace, in which we are not",
            way_out: "enter that one too: --user, or --all",
            look: |about| about.first().map_or(Look::Unseen, |pid| holds_if(lives_elsewhere(pid))),
        },
        Cause {
            says: "only root may do this (CAP_SYS_ADMIN)",
            way_out: "",
            look: |_| holds_if(!may_administrate()),
        },
        SECCOMP,
    ],
}];

/// On Ubuntu from 23.10 on the namespace is made, and its root can do nothing.
pub const APPARMOR: Cause = Cause {
    says: "AppArmor forbids user namespaces here",
    way_out: "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    look: |_| holds_if(reads("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")),
};

/// What a filter forbids, nobody can ask it.
const SECCOMP: Cause = Cause {
    says: "a filter of system calls (seccomp) stands before the kernel, as in a container",
    way_out: "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined",
    look: |_| if status("Seccomp:") == Some(0) { Look::Not } else { Look::Unseen },
};
// ANCHOR_END: causes

// ANCHOR: looks
/// For a cause of which there is no more to say than that it holds.
pub fn holds_if(holds: bool) -> Look {
    if holds { Look::Holds(String::new()) } else { Look::Not }
}

fn reads(file: impl AsRef<Path>, value: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.trim() == value)
}

/// A chroot mostly leads to a directory within a mount, and the table then has none at `/`. One that leads to
/// a mount looks like any other root.
fn root_is_a_mount() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.is_empty() || mounts.lines().any(|line| line.split(' ').nth(4) == Some("/"))
}

/// Whether the process is in another user namespace than this one.
fn lives_elsewhere(pid: &Path) -> bool {
    let namespace = |process: &Path| fs::read_link(process.join("ns/user")).ok();
    let theirs = namespace(&Path::new("/proc").join(pid));
    theirs.is_some() && theirs != namespace(Path::new("/proc/self"))
}

fn may_administrate() -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    status("CapEff:").is_some_and(|capabilities| capabilities & CAP_SYS_ADMIN != 0)
}

/// A hexadecimal number of /proc/self/status (`man 5 proc_pid_status`).
fn status(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(value.trim(), 16).ok()
}
// ANCHOR_END: looks
