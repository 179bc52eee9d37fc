//! A test once more, as root of a user namespace.

use std::process::Command;

use support::{not_run, program};

/// For an ordinary user: the same test with all subordinate ids of this user.
pub fn once_more_with_all_ids() {
    let arguments = ["--user", "--map-root-user", "--map-auto"];
    let Some(unshare) = program("unshare") else {
        return not_run("unshare is missing: apt-get install util-linux");
    };
    if !Command::new(unshare).args(arguments).arg("true").output().unwrap().status.success() {
        return not_run("this user has no subordinate ids, or newuidmap is missing: apt-get install uidmap");
    }
    once_more(&arguments);
}

/// The same test as root of a user namespace that `unshare` makes with these arguments.
pub fn once_more(arguments: &[&str]) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let program = std::env::current_exe().unwrap();
    let run = Command::new("unshare").args(arguments).arg(program).args(["--exact", &test]).output().unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("test result: ok. 1 passed"), "{text}");
}
