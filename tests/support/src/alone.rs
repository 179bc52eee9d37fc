//! A test that judges the whole host needs a host that nobody else changes meanwhile.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::process::Command;
use std::thread;

use crate::{Role, not_run, program};

/// Runs the calling test once more, in a process of its own with no other test beside it, and tells
/// whether this is that inner run: `if !alone() { return; }` stands at the top of such a test.
///
/// Where we are root, of the host or of a user namespace, the inner run has its own mounts, network,
/// processes, names, System V ipc, and folders /dev/shm and /run, so that snapshots of the host see nothing but what the
/// test does; and all its mounts are shared, as systemd leaves them, or a leak of mounts could not be seen. Who is not
/// root of the host has an XDG_RUNTIME_DIR of the test's own.
///
/// # Panics
/// If the inner run fails.
pub fn alone() -> bool {
    if env::var_os("CORACLE_ALONE").is_some() {
        return true;
    }
    let test = thread::current().name().unwrap_or_default().to_owned();
    let Some(mut command) = inner() else {
        not_run("unshare is missing: apt-get install util-linux");
        return false;
    };
    // With a single thread the harness would run the test in its main thread, which has no name.
    command.args(["--exact", &test, "--nocapture", "--test-threads=2"]).env("CORACLE_ALONE", "yes");
    // What a user's containers have beside their state, other tests' containers have there too.
    let own = env::temp_dir().join(format!("coracle-alone-{}-{test}", std::process::id()));
    if Role::here() != Role::Root {
        DirBuilder::new().mode(0o700).create(&own).unwrap();
        command.env("XDG_RUNTIME_DIR", &own);
    }
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let _ = fs::remove_dir_all(&own);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "{}\n{}\n{said}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
    for line in said.lines().filter(|line| line.starts_with("NOT ")) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    false
}

fn inner() -> Option<Command> {
    let tests = env::current_exe().ok()?;
    if Role::here() == Role::User {
        return Some(Command::new(tests));
    }
    let mut unshare = Command::new(program("unshare")?);
    unshare.args(["--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    // Private first, and by unshare itself: what is made shared then is shared with us alone.
    unshare.args(["--propagation", "private", "sh", "-ec", PREPARE, "sh"]).arg(tests);
    Some(unshare)
}

/// What others have mounted below /tmp is theirs to end, at any time: the kernel takes away mounts of a
/// directory that is removed, from all namespaces.
const PREPARE: &str = "
    awk '$5 ~ \"^/tmp/\" {print $5}' /proc/self/mountinfo | while read -r point; do
        case $1 in $point/*) ;; *) umount --lazy $point 2>/dev/null || true ;; esac
    done
    mount -t tmpfs shm /dev/shm
    mount -t tmpfs run /run
    mount --make-rshared /
    ip link set lo up
    exec \"$@\"
";
