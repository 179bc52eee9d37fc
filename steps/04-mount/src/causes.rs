//! Why a root cannot be swapped, and why there is no /proc.

use std::io::ErrorKind;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use step01_unshare::{Cause, Look, Trouble, holds_if};

use crate::explain::{Mounted, mounts, over};

// ANCHOR: pivot_root
/// Of the call that takes hold of the directory which is to be the root.
pub static ROOT: &[Trouble] = &[Trouble {
    call: "open_tree",
    errno: "EACCES",
    when: "",
    about: &["DIRECTORY"],
    causes: &[Cause {
        says: "{} may not be entered by root of the container, who is somebody else outside",
        way_out: "chmod o+x {}, or keep the root file system elsewhere, such as in /tmp",
        look: |about| at(about, 1, |about| closed(about[0])),
    }],
}];

/// Of `pivot_root`, in the order in which the kernel looks for them (`man 2 pivot_root`).
pub static PIVOT_ROOT: &[Trouble] = &[
    Trouble {
        call: "pivot_root",
        errno: "EINVAL",
        when: "",
        about: &["NEW_ROOT", "PUT_OLD"],
        causes: &[
            Cause {
                says: "the mount {} is shared",
                way_out: "mount --make-rprivate / first, in the new mount namespace",
                look: |about| at(about, 2, |about| shared(about[0], about[1])),
            },
            CHROOT,
            Cause {
                says: "/ is the initial file system of the kernel, which nothing can replace",
                way_out: "switch_root to another one first",
                look: |_| holds_if(over(Path::new("/")).is_some_and(|root| root.kind == "rootfs")),
            },
            Cause {
                says: "{} is no mount point",
                way_out: "mount --bind {} {} makes it one",
                look: |about| at(about, 1, |about| no_mount_point(about[0])),
            },
            Cause {
                says: "{} is neither the new root nor below it",
                way_out: "put the old root at a directory of the new one, or take . for both",
                look: |about| at(about, 2, |about| beside(about[0], about[1])),
            },
            Cause {
                says: "the mount above / is shared, as it can be in a chroot",
                way_out: "mount --make-rprivate / before the chroot helps",
                look: |_| Look::Unseen,
            },
        ],
    },
    Trouble {
        call: "pivot_root",
        errno: "EBUSY",
        when: "",
        about: &["NEW_ROOT", "PUT_OLD"],
        causes: &[
            Cause {
                says: "{} lies on the mount that is the root already",
                way_out: "mount --bind {} {} makes it a mount of its own",
                look: |about| at(about, 1, |about| on_root(about[0])),
            },
            Cause {
                says: "{}, where the old root would go, lies on that root itself",
                way_out: "put the old root at a directory of the new one, or take . for both",
                look: |about| at(about, 2, |about| on_root(about[1])),
            },
        ],
    },
];

/// Of the call that keeps mounts to oneself.
pub static PROPAGATION: &[Trouble] =
    &[Trouble { call: "mount --make-rprivate", errno: "EINVAL", when: "", about: &[], causes: &[CHROOT] }];

const CHROOT: Cause = Cause {
    says: "we are in a chroot whose root is no mount point",
    way_out: "mount --bind NEWROOT NEWROOT before the chroot makes it one",
    look: |_| holds_if(is_chroot(&mounts())),
};
// ANCHOR_END: pivot_root

// ANCHOR: proc
/// Of a new /proc. In a user namespace the kernel gives one only to who can see all of another
/// one: it would lay bare what that one hides.
pub static PROC: &[Trouble] = &[Trouble {
    call: "mount -t proc",
    errno: "EPERM",
    when: "",
    about: &[],
    causes: &[
        MAY_NOT_MOUNT,
        Cause {
            says: "the kernel allows it only where all of /proc can be seen, and {} is covered here",
            way_out: "is this a container? docker run --security-opt systempaths=unconfined shows all of it",
            look: |_| mounts().into_iter().find(covers_proc).map_or(Look::Not, |it| Look::Holds(it.point)),
        },
        Cause {
            says: "the kernel allows it only together with a pid namespace",
            way_out: "unshare --pid --fork --mount-proc",
            look: |_| Look::Unseen,
        },
    ],
}];

/// Who is root, but of another user namespace than that of this table of mounts, may not either.
pub const MAY_NOT_MOUNT: Cause = Cause {
    says: "only root of the mount namespace may mount",
    way_out: "unshare --user --map-root-user --mount",
    look: |_| holds_if(!may_mount()),
};

fn covers_proc(mount: &Mounted) -> bool {
    // These two lie on directories that are always empty, and hide nothing.
    let harmless = ["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"];
    mount.point.starts_with("/proc/") && !harmless.contains(&&*mount.point)
}
// ANCHOR_END: proc

// ANCHOR: looks
/// A look at the first `count` paths of the call; nothing is seen if nobody said which they are.
fn at(about: &[&Path], count: usize, look: impl Fn(&[&Path]) -> Option<String>) -> Look {
    if about.len() < count { Look::Unseen } else { look(about).map_or(Look::Not, Look::Holds) }
}

fn closed(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let above: Vec<_> = path.ancestors().collect();
    let shut = |folder: &&&Path| {
        std::fs::metadata(folder.join(".")).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    above.iter().rev().find(shut).map(|folder| folder.display().to_string())
}

fn no_mount_point(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    (Path::new(&over(&path)?.point) != path).then(|| path.display().to_string())
}

fn on_root(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    (over(&path)?.point == "/").then(|| path.display().to_string())
}

fn beside(new_root: &Path, put_old: &Path) -> Option<String> {
    let (new_root, put_old) = (new_root.canonicalize().ok()?, put_old.canonicalize().ok()?);
    (!put_old.starts_with(new_root)).then(|| put_old.display().to_string())
}

/// The mount above the new root, and the one on which the old root would be put.
fn shared(new_root: &Path, put_old: &Path) -> Option<String> {
    let (new, old) = (over(&new_root.canonicalize().ok()?)?, over(&put_old.canonicalize().ok()?)?);
    let above = mounts().into_iter().find(|mount| mount.id == new.parent);
    above.into_iter().chain([old]).find(|mount| mount.shared).map(|mount| mount.point)
}

/// A mount cannot be both shared and private: who may mount at all is told so, and who may not that (`man 2 mount`).
fn may_mount() -> bool {
    let nonsense = MsFlags::MS_SHARED | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, nonsense, None::<&str>) != Err(Errno::EPERM)
}

/// Without a /proc there is no table, and nothing is known.
fn is_chroot(table: &[Mounted]) -> bool {
    !table.is_empty() && table.iter().all(|mount| mount.point != "/")
}
// ANCHOR_END: looks
