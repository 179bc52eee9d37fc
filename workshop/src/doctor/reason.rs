//! Why a try failed, and what helps. The kernel's files are asked in the order in which they may forbid.

use std::fs;
use std::path::Path;

use nix::sys::utsname::uname;

use super::Advice;
use super::surroundings::in_container;

/// The oldest kernel: 5.15.
const FLOOR: (u32, u32) = (5, 15);

/// The kernel is older than what the steps use.
pub fn too_old() -> Option<Advice> {
    let release = uname().ok()?.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    let version = (numbers.next()?, numbers.next()?);
    let fix = "a distribution of 2022 or later has a newer one".to_owned();
    (version < FLOOR)
        .then(|| Advice { problem: format!("Linux {release} is older than {}.{}", FLOOR.0, FLOOR.1), fix })
}

/// Namespaces cannot be made.
pub fn no_namespaces(text: &str) -> Advice {
    for (file, forbids, fix) in [
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ] {
        let value = fs::read_to_string(format!("/proc/sys/{file}")).unwrap_or_default();
        if value.trim() == forbids {
            let name = file.replace('/', ".");
            return Advice { problem: format!("{name} is {forbids}: {text}"), fix: fix.into() };
        }
    }
    if text.contains("is missing") {
        return Advice { problem: text.into(), fix: "sudo apt install util-linux".into() };
    }
    if text.contains("unrecognized option") || text.contains("invalid option") {
        return Advice {
            problem: format!("unshare is too old to try it: {text}"),
            fix: "util-linux 2.36 or later".into(),
        };
    }
    let fix = if in_container() {
        "in a container: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    } else {
        "try by hand: unshare --user --map-root-user id"
    };
    Advice { problem: format!("no namespaces: {text}"), fix: fix.into() }
}

/// A /proc of one's own can not be mounted.
pub fn no_proc(text: &str) -> Advice {
    if !text.contains("/proc") {
        return no_namespaces(text);
    }
    // The kernel allows a new /proc only where all of an old one is seen (`man 7 mount_namespaces`).
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let over =
        mounts.lines().filter_map(|line| line.split(' ').nth(4)).find(|point| point.starts_with("/proc/"));
    match over {
        Some(point) => Advice {
            problem: format!("{point} is mounted over, so no other /proc can be mounted: {text}"),
            fix: "in a container: docker run --security-opt systempaths=unconfined".into(),
        },
        None => no_namespaces(text),
    }
}

/// Layers cannot be put over one another in this folder.
pub fn no_overlay(folder: &Path, text: &str) -> Advice {
    let filesystem = filesystem_of(folder);
    let problem =
        format!("no overlay on the {filesystem} of {}: {text}", folder.parent().unwrap_or(folder).display());
    let fix = match filesystem.as_str() {
        "overlay" => "overlay cannot lie on overlay: use --root DIR on a volume or a tmpfs",
        "nfs" | "nfs4" | "zfs" | "fuse" | "9p" | "virtiofs" => {
            "use --root DIR on ext4, xfs, btrfs or a tmpfs"
        }
        _ => "sudo modprobe overlay",
    };
    Advice { problem, fix: fix.into() }
}

/// The first range that `file` gives to a user, by name or number (`man 5 subuid`).
pub fn range(file: &str, name: &str) -> Option<(u32, u32)> {
    let text = fs::read_to_string(file).ok()?;
    let uid = nix::unistd::getuid().to_string();
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let range = (fields.next()?.trim().parse().ok()?, fields.next()?.trim().parse().ok()?);
        (owner == name || owner == uid).then_some(range)
    })
}

/// Which cgroups there are: nothing before step 08 needs them.
pub fn cgroups() -> &'static str {
    match (has_mount("cgroup2"), has_mount("cgroup")) {
        (true, false) => "cgroup v2",
        (true, true) => "cgroup v1 and v2",
        (false, true) => "cgroup v1",
        (false, false) => "no cgroups",
    }
}

/// Whether a file system of this kind is mounted anywhere.
pub fn has_mount(kind: &str) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.lines().any(|line| line.contains(&format!(" - {kind} ")))
}

/// The file system on which a folder lies: the last mount that is above it.
pub fn filesystem_of(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let above = mounts.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?;
        folder
            .starts_with(point)
            .then(|| (point.len(), right.split(' ').next().unwrap_or_default().to_owned()))
    });
    above.max_by_key(|(length, _)| *length).map_or_else(|| "unknown".into(), |(_, kind)| kind)
}
