//! Each cause of a refused namespace, made on purpose: the error names the one that holds, and the way out.

use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use step01_unshare::{Cause, Look, Trouble};
use support::{command, not_run, program};

const STEP01: &str = env!("CARGO_BIN_EXE_step01");

/// What `unshare --map-root-user` says after a script, in a user namespace with its own mounts, so that files of
/// /proc can be replaced.
fn told_after(script: &str) -> String {
    let mut unshare = command(program("unshare").expect("util-linux is part of every system"));
    // chroot is in a folder that an ordinary user of Debian does not have in PATH.
    let script = format!(
        "PATH=$PATH:/usr/sbin:/sbin\n{script}\nexec $before \"$0\" unshare --map-root-user --uts true"
    );
    told(unshare.args(["--user", "--map-root-user", "--mount", "sh", "-ec", &script, STEP01]))
}

fn told(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// This kernel may have neither of these files, and so never refuses for their sake: the refusal is injected, and
/// the look finds a file of ours.
fn refused_beside(file: &str, value: &str) -> Option<String> {
    if program("strace").is_none() {
        not_run("strace is missing: apt-get install strace");
        return None;
    }
    Some(told_after(&format!(
        "mount -t tmpfs tmpfs /proc/sys/kernel; echo {value} >/proc/sys/kernel/{file}
         before='strace -qq -o /dev/null -e inject=unshare:error=EPERM'"
    )))
}

#[test]
fn apparmor_is_named() {
    let Some(said) = refused_beside("apparmor_restrict_unprivileged_userns", "1") else { return };
    insta::assert_snapshot!(said, @"
    step01: cannot unshare user, uts: EPERM: Operation not permitted: AppArmor forbids user namespaces here
    sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
    ");
    let Some(said) = refused_beside("apparmor_restrict_unprivileged_userns", "0") else { return };
    insta::assert_snapshot!(said, @"step01: cannot unshare user, uts: EPERM: Operation not permitted");
}

#[test]
fn debians_switch_is_named() {
    let Some(said) = refused_beside("unprivileged_userns_clone", "0") else { return };
    insta::assert_snapshot!(said, @"
    step01: cannot unshare user, uts: EPERM: Operation not permitted: user namespaces are switched off here
    sudo sysctl kernel.unprivileged_userns_clone=1
    ");
}

#[test]
fn a_chroot_is_named() {
    let said = told_after(
        "mount -t tmpfs tmpfs /mnt; cd /mnt; mkdir jail; touch jail/step01; mount --bind \"$0\" jail/step01
         for name in lib lib64 usr proc; do
             [ ! -d /$name ] || { mkdir jail/$name; mount --rbind /$name jail/$name; }
         done
         exec chroot jail /step01 unshare --map-root-user --uts true",
    );
    insta::assert_snapshot!(said, @"
    step01: cannot unshare user, uts: EPERM: Operation not permitted: there is no way from a chroot into a user namespace
    unshare first and chroot then, or have a new root by pivot_root
    ");
}

#[test]
fn a_filter_of_system_calls_is_named() {
    let Some(python) = program("python3") else {
        return not_run("python3 is missing: apt-get install python3");
    };
    let filtered =
        |words: &[&str]| told(command(&python).args(["-c", FILTER, STEP01, "unshare"]).args(words));
    insta::assert_snapshot!(filtered(&["--map-root-user", "--uts", "true"]), @"
    step01: cannot unshare user, uts: EPERM: Operation not permitted: a filter of system calls (seccomp) stands before the kernel, as in a container
    docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined
    ");
}

/// A filter by which the call `unshare` answers EPERM (`man 2 seccomp`), and then the command.
const FILTER: &str = "
import ctypes, os, struct, sys
number = {'x86_64': 272}.get(os.uname().machine, 97)
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, struct.pack('HP', len(steps), ctypes.addressof(code)), 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn a_limit_of_none_and_one_that_is_reached_are_told_apart() {
    insta::assert_snapshot!(told_after("echo 0 >/proc/sys/user/max_user_namespaces"), @"
    step01: cannot unshare user, uts: ENOSPC: No space left on device: user namespaces are switched off here
    sudo sysctl user.max_user_namespaces=15000
    ");
    // The second one is counted where the first one is, and there the limit is one.
    let said =
        told_after("echo 1 >/proc/sys/user/max_user_namespaces\nbefore=\"$0 unshare --map-root-user\"");
    insta::assert_snapshot!(said, @"
    step01: cannot unshare user, uts: ENOSPC: No space left on device: there are as many as /proc/sys/user allows, or 32 of them in one another
    lsns shows them; each ends with its last process
    ");
}

/// A cause by its name, and what a look at it finds.
const fn cause(says: &'static str, look: fn(&[&Path]) -> Look) -> Cause {
    Cause { says, way_out: "away from {}", look }
}

/// Why EPERM, if these are its causes.
fn why(causes: &'static [Cause]) -> Option<String> {
    let trouble = Trouble { call: "call", errno: "EPERM", when: "", about: &[], causes };
    assert_eq!(step01_unshare::why(&[trouble], Errno::EIO, &[]), None, "another errno");
    let trouble = Trouble { call: "call", errno: "EPERM", when: "", about: &[], causes };
    step01_unshare::why(&[trouble], Errno::EPERM, &[])
}

#[test]
fn the_first_cause_that_holds_is_told_with_what_was_found() {
    static CAUSES: &[Cause] = &[
        cause("not {}", |_| Look::Not),
        cause("unseen {}", |_| Look::Unseen),
        cause("first {}", |_| Look::Holds("this".into())),
        cause("second {}", |_| Look::Holds("that".into())),
    ];
    assert_eq!(why(CAUSES).as_deref(), Some("first this\naway from this"));
}

#[test]
fn of_two_causes_that_cannot_be_seen_none_is_told() {
    static CAUSES: &[Cause] = &[cause("one", |_| Look::Unseen), cause("other", |_| Look::Unseen)];
    assert_eq!(why(CAUSES), None);
}

#[test]
fn the_only_cause_that_cannot_be_seen_remains() {
    static CAUSES: &[Cause] = &[cause("one", |_| Look::Not), cause("other", |_| Look::Unseen)];
    assert_eq!(why(CAUSES).as_deref(), Some("other\naway from"));
    static NOT: &[Cause] = &[cause("one", |_| Look::Not)];
    assert_eq!(why(NOT), None);
}
