//! Why there is no user namespace, or no meaning for its ids.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{getegid, geteuid};
use step01_unshare::{APPARMOR, Cause, Look, Trouble, holds_if};

use crate::rights::{find, without_meaning};
use crate::subordinate;

// ANCHOR: causes
/// Of a user namespace in another one.
pub static NESTED: &[Trouble] = &[Trouble {
    call: "unshare",
    errno: "EPERM",
    when: "in a user namespace",
    about: &[],
    causes: &[NO_MEANING],
}];

pub(crate) const NO_MEANING: Cause = Cause {
    says: "our own id {} has no meaning in the user namespace that we are in",
    way_out: "who made that one must write its map: unshare --map-root-user",
    look: |_| found(without_meaning(geteuid(), getegid()).map(|id| id.to_string())),
};

/// Of the files that give ids a meaning, such as /proc/1234/uid_map (`man 7 user_namespaces`).
pub static ID_MAP: &[Trouble] = &[Trouble {
    call: "uid_map, gid_map",
    errno: "EPERM",
    when: "",
    about: &["FILE"],
    causes: &[
        APPARMOR,
        Cause { says: WRITTEN, way_out: "make another user namespace", look: |about| at(about, written) },
        Cause {
            says: "{} does not say deny, without which an ordinary user may write no gid_map",
            way_out: "write deny to it first",
            look: |about| at(about, allows_setgroups),
        },
        Cause {
            says: "the map holds more than the writer's own id",
            way_out: "newuidmap and newgidmap write such maps, as /etc/subuid and /etc/subgid allow them",
            look: |_| Look::Unseen,
        },
    ],
}];

/// Of newuidmap and newgidmap, which write a whole range.
pub static HELPERS: &[Trouble] = &[
    Trouble {
        call: "newuidmap, newgidmap",
        errno: "ENOENT",
        when: "",
        about: &[],
        causes: &[
            Cause {
                says: "/dev/null is missing, which every helper has for its input",
                way_out: "mknod -m 666 /dev/null c 1 3, or bind the host's",
                look: |_| holds_if(!Path::new("/dev/null").exists()),
            },
            MISSING,
        ],
    },
    Trouble {
        call: "newuidmap, newgidmap, uid_map",
        errno: "EPERM",
        when: "for a range of ids",
        about: &["HELPER", "FILE"],
        causes: &[
            Cause {
                says: "a setuid program has no effect here (NoNewPrivs)",
                way_out: "start it from a shell of your own, not from a confined service",
                look: |_| holds_if(status("NoNewPrivs:").is_some_and(|value| value != "0")),
            },
            Cause {
                says: "a setuid program has no effect where an ordinary user traces who starts it, as by strace",
                way_out: "let root trace it, or map one id only",
                look: |_| holds_if(status("TracerPid:").is_some_and(|value| value != "0")),
            },
            Cause {
                says: "it has no setuid bit",
                way_out: "sudo chmod u+s {}",
                look: |about| found(without_rights(about).map(|helper| helper.display().to_string())),
            },
            Cause {
                says: "{} has no range for this user",
                way_out: "sudo usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST NAME (the numbers: cargo workshop doctor)",
                look: |_| found(file_without_range()),
            },
            Cause {
                says: WRITTEN,
                way_out: "make another user namespace",
                look: |about| at(about.get(1..).unwrap_or_default(), written),
            },
            Cause {
                says: "the range is not all this user's",
                way_out: "grep $USER /etc/subuid /etc/subgid",
                look: |_| Look::Unseen,
            },
        ],
    },
];

const WRITTEN: &str = "{} has been written already, and can be only once";

pub(crate) const MISSING: Cause = Cause {
    says: "newuidmap or newgidmap is missing",
    way_out: "sudo apt install uidmap",
    look: |_| holds_if(find("newuidmap").is_none() || find("newgidmap").is_none()),
};
// ANCHOR_END: causes

// ANCHOR: looks
fn found(what: Option<String>) -> Look {
    what.map_or(Look::Not, Look::Holds)
}

/// A look at a file; nothing is seen if nobody said which one.
fn at(about: &[&Path], look: impl Fn(&Path) -> Option<String>) -> Look {
    let Some(file) = about.first() else { return Look::Unseen };
    found(look(file))
}

/// `setgroups`, beside the maps, is never empty.
fn written(file: &Path) -> Option<String> {
    let is_map = file.ends_with("uid_map") || file.ends_with("gid_map");
    let is_written = is_map && fs::read_to_string(file).is_ok_and(|text| !text.is_empty());
    is_written.then(|| file.display().to_string())
}

fn allows_setgroups(file: &Path) -> Option<String> {
    let setgroups = file.with_file_name("setgroups");
    let allows = file.ends_with("gid_map") && fs::read_to_string(&setgroups).ok()?.trim() == "allow";
    allows.then(|| setgroups.display().to_string())
}

/// A number that the kernel tells of this process (`man 5 proc_pid_status`).
fn status(name: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
}

/// The helper that is asked about, or else both.
fn without_rights(about: &[&Path]) -> Option<PathBuf> {
    let both = [Path::new("newuidmap"), Path::new("newgidmap")];
    let asked = if about.is_empty() { &both[..] } else { &about[..1] };
    asked.iter().filter_map(find).find(|helper| !has_rights(helper))
}

/// Some systems give it a file capability in place of the setuid bit.
fn has_rights(helper: &Path) -> bool {
    let has_bit = fs::metadata(helper).is_ok_and(|found| found.permissions().mode() & 0o4000 != 0);
    has_bit || rustix::fs::getxattr(helper, "security.capability", &mut [0_u8; 64][..]).is_ok()
}

fn file_without_range() -> Option<String> {
    let mut files = ["/etc/subuid", "/etc/subgid"].into_iter();
    files.find(|file| matches!(subordinate(file, geteuid()), Ok(None))).map(str::to_owned)
}
// ANCHOR_END: looks
