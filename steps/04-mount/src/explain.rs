//! One errno, several causes: what can be probed is told.

use std::fs;

use anyhow::{Error, anyhow};
use nix::errno::Errno;

use crate::attach::is;

// ANCHOR: root
/// Why the root cannot be made private or swapped (`man 2 pivot_root`, EINVAL). That the new one
/// is no mount point cannot be with us.
pub(crate) fn root(tried: &str, errno: Errno) -> Error {
    let why = match errno {
        Errno::EINVAL => mount_table().map(why_invalid),
        _ => None,
    };
    anyhow!("{tried}: {errno}{}", why.unwrap_or_default())
}

fn why_invalid(mounts: Vec<Mounted>) -> &'static str {
    match mounts.iter().rfind(|mount| mount.point == "/") {
        None => {
            ": we are in a chroot whose root is no mount point\n\
             mount --bind NEWROOT NEWROOT before the chroot makes it one"
        }
        Some(root) if root.kind == "rootfs" => {
            ": / is the initial file system of the kernel, which nothing can replace\n\
             switch_root to another one first"
        }
        Some(_) => {
            ": the mount above / is shared, as it can be in a chroot\n\
             mount --make-rprivate / before the chroot helps"
        }
    }
}
// ANCHOR_END: root

// ANCHOR: proc
/// Why there can be no new /proc. In a user namespace the kernel gives one only to who can see
/// all of another one: it would lay bare what that one hides.
pub(crate) fn proc(error: Error) -> Error {
    if !is(&error, rustix::io::Errno::PERM) {
        return error;
    }
    // These two lie on directories that are always empty, and hide nothing.
    let harmless = ["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"];
    let covers =
        |mount: &&Mounted| mount.point.starts_with("/proc/") && !harmless.contains(&mount.point.as_str());
    let why = match mount_table().unwrap_or_default().iter().find(covers) {
        Some(cover) => format!(
            "the kernel allows it only where all of /proc can be seen, and {} is covered here\n\
             is this a container? docker run --security-opt systempaths=unconfined shows all of it",
            cover.point
        ),
        None => "the kernel allows it only together with a pid namespace".into(),
    };
    anyhow!("{}: {why}", Errno::EPERM)
}
// ANCHOR_END: proc

// ANCHOR: table
struct Mounted {
    point: String,
    kind: String,
}

fn mount_table() -> Option<Vec<Mounted>> {
    let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounted = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.to_owned();
        Some(Mounted { point, kind: right.split(' ').next()?.to_owned() })
    };
    Some(text.lines().filter_map(mounted).collect())
}
// ANCHOR_END: table
