//! Troubles that no step's error tells, as they are met with other tools, or much later.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use step01_unshare::{Cause, Look, Trouble, holds_if};

use crate::doctor::reason::{filesystem_of, has_mount};

pub static ELSEWHERE: &[Trouble] = &[
    Trouble {
        call: "mount",
        errno: "EPERM",
        when: "",
        about: &[],
        causes: &[
            step04_mount::MAY_NOT_MOUNT,
            Cause {
                says: "a file system of this kind may not be mounted in a user namespace",
                way_out: "mount it on the host, and bind it",
                look: |_| Look::Unseen,
            },
        ],
    },
    Trouble {
        call: "mount --bind",
        errno: "EINVAL",
        when: "in a user namespace",
        about: &[],
        causes: &[Cause {
            says: "what is mounted below it is locked to it: without that, it would show what is covered",
            way_out: "bind the whole tree: mount --rbind",
            look: |_| Look::Unseen,
        }],
    },
    Trouble {
        call: "mount",
        errno: "leak",
        when: "what is mounted in a container shows on the host",
        about: &[],
        causes: &[
            Cause {
                says: "/ is shared, and what is copied from it still tells it of every mount",
                way_out: "mount --make-rprivate / in the new namespace, as a call of its own: beside MS_BIND the kernel ignores MS_PRIVATE",
                look: |_| holds_if(is_shared("/")),
            },
            Cause {
                says: "there was no new mount namespace",
                way_out: "unshare --mount; compare the links /proc/PID/ns/mnt",
                look: |_| Look::Unseen,
            },
        ],
    },
    Trouble {
        call: "overlay",
        errno: "EINVAL",
        when: "mount -t overlay",
        about: &["DIRECTORY"],
        causes: &[
            Cause {
                says: "the upper directory would lie on {}, which cannot hold one",
                way_out: "put it on ext4, xfs, btrfs or a tmpfs: in a container on a volume (coracle --root DIR)",
                look: |about| {
                    let Some(folder) = about.first() else { return Look::Unseen };
                    let kind = filesystem_of(&folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()));
                    if cannot_hold_upper(&kind) { Look::Holds(kind) } else { Look::Not }
                },
            },
            Cause {
                says: "upperdir and workdir are on two file systems, or a name has a colon or comma in it",
                way_out: "make both below one directory, and name it shortly",
                look: |_| Look::Unseen,
            },
        ],
    },
    Trouble {
        call: "overlay",
        errno: "ENODEV",
        when: "mount -t overlay",
        about: &[],
        causes: &[Cause {
            says: "the kernel has no overlay file system loaded",
            way_out: "sudo modprobe overlay",
            look: |_| {
                let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
                holds_if(!known.split_whitespace().any(|word| word == "overlay"))
            },
        }],
    },
    Trouble {
        call: "cgroup",
        errno: "ENOENT",
        when: "a file such as memory.max is not there",
        about: &[],
        causes: &[
            Cause {
                says: "this machine has cgroup v1, where the files have other names",
                way_out: "boot with systemd.unified_cgroup_hierarchy=1, or take a distribution of 2022 or later",
                look: |_| holds_if(has_mount("cgroup") && !has_mount("cgroup2")),
            },
            Cause {
                says: "no cgroups are mounted",
                way_out: "sudo mount -t cgroup2 none /sys/fs/cgroup",
                look: |_| holds_if(!has_mount("cgroup") && !has_mount("cgroup2")),
            },
            Cause {
                says: "this is the root of all groups, which has no limits, or the controller is not handed down to it",
                way_out: "make a group below; write +memory to cgroup.subtree_control of the group above",
                look: |_| Look::Unseen,
            },
        ],
    },
    Trouble {
        call: "cgroup",
        errno: "EROFS",
        when: "a group cannot be made",
        about: &[],
        causes: &[Cause {
            says: "/sys/fs/cgroup is mounted read-only, as in most containers",
            way_out: "docker run --privileged --cgroupns=private, or use the host",
            look: |_| holds_if(is_read_only("/sys/fs/cgroup")),
        }],
    },
    Trouble {
        call: "cgroup",
        errno: "EACCES",
        when: "a group cannot be made",
        about: &[],
        causes: &[Cause {
            says: "no group was delegated to this user",
            way_out: "systemd-run --user --scope -p Delegate=yes COMMAND",
            look: |_| Look::Unseen,
        }],
    },
    Trouble {
        call: "ping, veth",
        errno: "timeout",
        when: "a container of root's reaches nobody",
        about: &[],
        causes: &[
            Cause {
                says: "a firewall drops what is forwarded, as Docker's does (policy drop on FORWARD)",
                way_out: "allow the bridge: sudo iptables -I FORWARD -i BRIDGE -j ACCEPT, and the same with -o; take both away (-D) in the end",
                look: |_| forward_policy(),
            },
            Cause {
                says: "the host does not forward",
                way_out: "sudo sysctl net.ipv4.ip_forward=1",
                look: |_| {
                    let file = fs::read_to_string("/proc/sys/net/ipv4/ip_forward");
                    holds_if(file.is_ok_and(|text| text.trim() == "0"))
                },
            },
            Cause {
                says: "the answers find no way back, since nothing rewrites the container's address",
                way_out: "a rule with masquerade in a chain of postrouting",
                look: |_| Look::Unseen,
            },
        ],
    },
    Trouble {
        call: "pasta, /dev/net/tun",
        errno: "ENOENT",
        when: "an ordinary user's network",
        about: &[],
        causes: &[Cause {
            says: "there is no /dev/net/tun",
            way_out: "sudo modprobe tun; in a container: docker run --device /dev/net/tun",
            look: |_| holds_if(!Path::new("/dev/net/tun").exists()),
        }],
    },
    Trouble {
        call: "pull",
        errno: "429",
        when: "Too Many Requests",
        about: &[],
        causes: &[Cause {
            says: "the registry has counted too many pulls from this network's address in the last hours",
            way_out: "coracle login, or pull once and pass it on: coracle save IMAGE | ssh OTHER coracle load",
            look: |_| Look::Unseen,
        }],
    },
];

/// The optional fields stand between the sixth field and a lone dash (`man 5 proc_pid_mountinfo`).
fn is_shared(point: &str) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let at = |line: &&str| line.split(' ').nth(4) == Some(point);
    let last = mounts.lines().rfind(at).and_then(|line| line.split_once(" - "));
    last.is_some_and(|(left, _)| left.split(' ').skip(6).any(|field| field.starts_with("shared:")))
}

fn cannot_hold_upper(kind: &str) -> bool {
    ["overlay", "nfs", "nfs4", "9p", "virtiofs", "vfat", "squashfs"].contains(&kind)
        || kind.starts_with("fuse")
}

fn is_read_only(path: &str) -> bool {
    use nix::sys::statvfs::{FsFlags, statvfs};
    statvfs(path).is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY))
}

/// Only root may ask for the rules.
fn forward_policy() -> Look {
    let asked =
        Command::new("iptables").args(["-S", "FORWARD"]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    match asked {
        Ok(said) if said.status.success() => {
            holds_if(String::from_utf8_lossy(&said.stdout).lines().any(|line| line == "-P FORWARD DROP"))
        }
        _ => Look::Unseen,
    }
}
