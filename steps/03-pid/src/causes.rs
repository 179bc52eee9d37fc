//! Why there is no process, or it does not become the command.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access};
use step01_unshare::{Cause, Look, Trouble, holds_if};

// ANCHOR: exec
/// Of `execve`, about the program.
pub static EXEC: &[Trouble] = &[
    Trouble {
        call: "exec",
        errno: "ENOENT",
        when: "",
        about: &["PROGRAM"],
        causes: &[
            Cause {
                says: "there is no such file",
                way_out: "",
                look: |about| at(about, |program| (!program.exists()).then(String::new)),
            },
            Cause {
                says: "its interpreter {} is not there",
                way_out: "install it, or mend the line with #! (a \\r at its end comes from Windows)",
                look: |about| at(about, |program| absent(loaded_by(program).skip(1))),
            },
            Cause {
                says: "its loader {} is not there",
                way_out: "bring along what `ldd` lists, or link the program statically",
                look: |about| at(about, |program| absent(loader(program).into_iter())),
            },
            // Who starts a program with nothing on stdin opens this first, and reports one error for both.
            Cause {
                says: "the file is there, but /dev/null is not",
                way_out: "mount --bind the host's /dev/null, or give the container a /dev",
                look: |_| holds_if(!Path::new("/dev/null").exists()),
            },
        ],
    },
    Trouble {
        call: "exec",
        errno: "EACCES",
        when: "",
        about: &["PROGRAM"],
        causes: &[
            Cause {
                says: "it is a directory",
                way_out: "",
                look: |about| at(about, |program| program.is_dir().then(String::new)),
            },
            Cause {
                says: "it lies on a file system that is mounted noexec",
                way_out: "move it to another one, or: mount -o remount,exec",
                look: |about| at(about, |program| is_noexec(program)?.then(String::new)),
            },
            Cause {
                says: "it has no x bit for this user",
                way_out: "chmod +x makes a file a program",
                look: |about| at(about, |program| lacks_x_bit(program)?.then(String::new)),
            },
            Cause {
                says: "a directory above it, or what would load it, may not be entered or run",
                way_out: "namei -l shows the rights of each part of the path",
                look: |_| Look::Unseen,
            },
        ],
    },
    Trouble {
        call: "exec",
        errno: "ENOEXEC",
        when: "",
        about: &["PROGRAM"],
        causes: &[
            Cause {
                says: "it is a program for another machine",
                way_out: "take the one for this machine: uname -m",
                look: |about| at(about, |program| is_foreign(program)?.then(String::new)),
            },
            Cause {
                says: "neither a program for this machine nor a script with #!",
                way_out: "",
                look: |_| Look::Unseen,
            },
        ],
    },
    Trouble {
        call: "exec",
        errno: "E2BIG",
        when: "",
        about: &[],
        causes: &[Cause {
            says: "the arguments and the environment are too long",
            way_out: "",
            look: |_| Look::Unseen,
        }],
    },
    Trouble {
        call: "exec",
        errno: "ENOTDIR",
        when: "",
        about: &[],
        causes: &[Cause {
            says: "a part of its path is not a directory",
            way_out: "",
            look: |_| Look::Unseen,
        }],
    },
];
// ANCHOR_END: exec

// ANCHOR: clone
/// Of `clone3` and `fork`.
pub static CLONE: &[Trouble] = &[
    Trouble {
        call: "clone3",
        errno: "ENOSYS",
        when: "",
        about: &[],
        causes: &[Cause {
            says: "a filter of system calls (seccomp) hides it",
            way_out: "inside of a container: start that one with --security-opt seccomp=unconfined",
            look: |_| Look::Unseen,
        }],
    },
    Trouble {
        call: "fork",
        errno: "ENOMEM",
        when: "after unshare --pid",
        about: &["PID"],
        causes: &[Cause {
            says: "process 1 of the namespace that its children go into has ended",
            way_out: "unshare --pid --fork: what is process 1 must live as long as the others",
            look: |about| at(about, |pid| lost_process_one(pid)?.then(String::new)),
        }],
    },
];
// ANCHOR_END: clone

// ANCHOR: looks
/// A look at the first of what a trouble is about; nothing is seen if nobody said what that is.
fn at(about: &[&Path], look: impl Fn(&Path) -> Option<String>) -> Look {
    let Some(first) = about.first() else { return Look::Unseen };
    look(first).map_or(Look::Not, Look::Holds)
}

fn absent(mut files: impl Iterator<Item = PathBuf>) -> Option<String> {
    let file = files.find(|file| !file.exists())?;
    Some(file.to_string_lossy().escape_debug().to_string())
}

/// A program, its interpreter, and the interpreter's own: the kernel follows five of them.
fn loaded_by(program: &Path) -> impl Iterator<Item = PathBuf> {
    iter::successors(Some(program.to_owned()), |file| script_interpreter(file)).take(6)
}

/// The program after `#!` (`man 2 execve`). The kernel ends its name at a space or a tab, and not at
/// the \r of a line that was written on Windows: that is a part of the name, which is then not found.
pub(crate) fn script_interpreter(program: &Path) -> Option<PathBuf> {
    let head = head(program)?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let name = line.split(|byte| b" \t".contains(byte)).find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(name)))
}

/// The dynamic loader that an ELF file names (`man 5 elf`), be it a script's interpreter: the first text
/// in the file that looks like a path, which is good enough for a message.
fn loader(program: &Path) -> Option<PathBuf> {
    let head = head(&loaded_by(program).last()?).filter(|head| head.starts_with(ELF))?;
    let text = head.split(|byte| *byte == 0).find(|text| text.starts_with(b"/") && text.len() > 4)?;
    Some(PathBuf::from(OsStr::from_bytes(text)))
}

const ELF: &[u8] = b"\x7fELF";

/// The number of the machine is at 18. It is compared with that of a program which runs here.
fn is_foreign(program: &Path) -> Option<bool> {
    let (head, ours) = (head(program)?, head(Path::new("/proc/self/exe"))?);
    Some(head.starts_with(ELF) && head.get(18..20) != ours.get(18..20))
}

fn head(file: &Path) -> Option<Vec<u8>> {
    // A device is not even opened, which alone may do something; a pipe would wait for ever.
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut head = Vec::new();
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(file).ok()?;
    file.take(4096).read_to_end(&mut head).ok()?;
    Some(head)
}

/// Of the file itself: where a directory above it is closed, nothing is known.
fn lacks_x_bit(program: &Path) -> Option<bool> {
    fs::metadata(program).ok()?;
    Some(access(program, AccessFlags::X_OK) == Err(Errno::EACCES))
}

fn is_noexec(program: &Path) -> Option<bool> {
    Some(statvfs(program).ok()?.flags().contains(FsFlags::ST_NOEXEC))
}

/// Whether the namespace into which its children are born is another than its own, and nobody lives there.
fn lost_process_one(pid: &Path) -> Option<bool> {
    let namespace = |process: &Path, name: &str| fs::read_link(process.join("ns").join(name)).ok();
    let process = Path::new("/proc").join(pid);
    let (own, theirs) = (namespace(&process, "pid")?, namespace(&process, "pid_for_children")?);
    let mut all = fs::read_dir("/proc").ok()?.flatten();
    Some(own != theirs && !all.any(|other| namespace(&other.path(), "pid").as_ref() == Some(&theirs)))
}
// ANCHOR_END: looks
