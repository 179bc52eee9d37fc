//! A mount inside must not show outside, also where `/` is shared, as it is under systemd.

use std::process::Command;
use std::time::Duration;

use nix::unistd::Pid;
use support::{Background, Role, command, not_run, program, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// `unshare` of util-linux, about to run a command as its child, where all mounts are shared.
fn where_mounts_are_shared() -> Option<Command> {
    let Some(unshare) = program("unshare") else {
        not_run("unshare is missing: apt-get install util-linux");
        return None;
    };
    let mut unshare = command(unshare);
    if Role::here() == Role::User {
        unshare.arg("--map-root-user");
    }
    // It stays there and waits for its child: a slave whose master is gone looks like a private mount.
    unshare.args(["--mount", "--propagation", "shared", "--kill-child"]);
    Some(unshare)
}

/// The propagation of each mount that `command` sees, once it has become `sleep`.
fn propagation(command: &mut Command) -> Vec<(String, Vec<String>)> {
    let sleeper = Background::spawn(command.args(["sleep", "60"])).unwrap();
    let is_sleep = |pid: &Pid| support::command_name(*pid).as_deref() == Some("sleep");
    let mut found = None;
    wait_until("it sleeps", LIMIT, || {
        found = support::descendants(sleeper.pid()).into_iter().find(is_sleep);
        found.is_some()
    });
    let mounts = support::mounts(found.unwrap()).unwrap();
    mounts.into_iter().map(|mount| (mount.mount_point, mount.propagation)).collect()
}

#[test]
fn mounts_are_private_as_with_util_linux() {
    let (Some(mut shared), Some(mut theirs), Some(mut ours)) =
        (where_mounts_are_shared(), where_mounts_are_shared(), where_mounts_are_shared())
    else {
        return;
    };
    let shared = propagation(&mut shared);
    assert!(shared.iter().all(|(_, propagation)| propagation[0].starts_with("shared:")), "{shared:?}");

    let ours = propagation(ours.args([env!("CARGO_BIN_EXE_step01"), "unshare", "--mount"]));
    let theirs = propagation(theirs.args(["unshare", "--mount"]));
    assert_eq!(ours, theirs);
    assert!(ours.iter().all(|(_, propagation)| propagation.is_empty()), "{ours:?}");
    assert_eq!(ours.len(), shared.len());
}
