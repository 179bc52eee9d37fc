//! Which programs, and what must stand around them.

use std::path::Path;

use anyhow::{Result, bail};

use super::tree::Tree;

/// What a learner types in a container. What the machine has not, the image has not.
pub const NAMES: &[&str] = &[
    // Shells, and what shells lean on.
    "sh",
    "bash",
    "[",
    "awk",
    "basename",
    "cut",
    "date",
    "dirname",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "grep",
    "head",
    "ls",
    "od",
    "printenv",
    "printf",
    "pwd",
    "readlink",
    "realpath",
    "rev",
    "sed",
    "seq",
    "sleep",
    "sort",
    "stty",
    "tac",
    "tail",
    "tee",
    "test",
    "timeout",
    "tr",
    "true",
    "tty",
    "uniq",
    "wc",
    "which",
    "xargs",
    "yes",
    // Files.
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "chroot",
    "cmp",
    "cp",
    "dd",
    "df",
    "diff",
    "du",
    "getfattr",
    "gzip",
    "ln",
    "mkdir",
    "mkfifo",
    "mknod",
    "mktemp",
    "mv",
    "rm",
    "rmdir",
    "setfattr",
    "sha256sum",
    "stat",
    "sync",
    "tar",
    "touch",
    "truncate",
    // Processes and users.
    "free",
    "getent",
    "groups",
    "id",
    "kill",
    "nice",
    "nproc",
    "pgrep",
    "pkill",
    "ps",
    "pstree",
    "setpriv",
    "setsid",
    "top",
    "uptime",
    "whoami",
    // Namespaces, mounts, names, limits.
    "capsh",
    "dmesg",
    "domainname",
    "findmnt",
    "getcap",
    "hostname",
    "ipcmk",
    "ipcrm",
    "ipcs",
    "losetup",
    "lsblk",
    "lsns",
    "mount",
    "mountpoint",
    "nsenter",
    "pivot_root",
    "prlimit",
    "setcap",
    "swapon",
    "sysctl",
    "umount",
    "uname",
    "unshare",
    // Network. Busybox brings a small web server, and much else.
    "busybox",
    "ip",
    "nc",
    "ping",
    "ss",
];

/// Where the system's programs are. `/usr` comes first: elsewhere the same files appear through a link.
const FOLDERS: [&str; 5] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/run/current-system/sw/bin"];

/// What terminals can do (terminfo(5)), so that line editing and `clear` work on the usual ones.
const TERMINALS: [&str; 9] = [
    "x/xterm",
    "x/xterm-256color",
    "l/linux",
    "s/screen",
    "s/screen-256color",
    "t/tmux",
    "t/tmux-256color",
    "v/vt100",
    "d/dumb",
];

/// Adds the programs.
///
/// # Errors
/// If there is no shell.
pub fn add(tree: &mut Tree) -> Result<()> {
    for name in NAMES {
        FOLDERS.iter().any(|folder| tree.add_program(&Path::new(folder).join(name)));
    }
    let shell = FOLDERS.iter().any(|folder| tree.has(&Path::new(folder).join("sh")));
    if !shell {
        bail!("there is no readable shell: none of {} has sh", FOLDERS.join(", "));
    }
    Ok(())
}

/// Adds folders, accounts and the like: the same on every machine.
pub fn add_surroundings(tree: &mut Tree) {
    // Programs and libraries are looked for under these names too, by scripts and by the loader.
    for link in ["/bin", "/sbin", "/lib", "/lib64"] {
        tree.add(Path::new(link));
    }
    for name in TERMINALS {
        ["/usr/share/terminfo", "/lib/terminfo", "/usr/lib/terminfo"]
            .iter()
            .any(|folder| tree.add(&Path::new(folder).join(name)));
    }
    for name in ["/dev", "/etc", "/proc", "/run", "/sys", "/usr/local/bin", "/var"] {
        tree.folder(name, 0o755);
    }
    tree.folder("/root", 0o700);
    tree.folder("/tmp", 0o1777);
    tree.folder("/var/tmp", 0o1777);
    tree.text(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    );
    tree.text("/etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n");
    tree.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
}
