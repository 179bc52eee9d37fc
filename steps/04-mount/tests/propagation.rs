//! Mounts stay where they were made.

mod common;

use common::{LIMIT, Place, SharedHost, sleeping_below};
use nix::sys::signal::{Signal, kill};
use support::{Mount, children, is_alive, wait_until};

/// What a mount table says, but for the numbers.
fn points(mounts: &[Mount]) -> Vec<(String, String)> {
    mounts.iter().map(|mount| (mount.mount_point.clone(), mount.fs_type.clone())).collect()
}

#[test]
fn mounts_pass_in_neither_direction() {
    let Some(place) = Place::new() else { return };
    std::fs::create_dir_all(place.at("source/late")).unwrap();
    let at = |name: &str| place.at(name).display().to_string();
    let mut host = SharedHost::new();
    let before = host.mounts();
    let shared = |mount: &Mount| mount.propagation.iter().any(|word| word.starts_with("shared:"));
    assert!(before.iter().all(shared), "where nothing is shared this test could not fail");

    let step04 = env!("CARGO_BIN_EXE_step04");
    host.run(&format!("{step04} --rootfs {} -v {}:/data -- sleep 60 >/dev/null &", at("root"), at("source")));
    let pid = sleeping_below(host.pid());
    assert_eq!(points(&host.mounts()), points(&before), "nothing of the container's is seen outside");
    let inside = support::mounts(pid).unwrap();
    assert!(inside.iter().all(|mount| mount.propagation.is_empty()), "{inside:#?}");

    host.run(&format!("mount -t tmpfs late {}", at("source/late")));
    assert_eq!(host.mounts().len(), before.len() + 1);
    assert_eq!(points(&support::mounts(pid).unwrap()), points(&inside), "and nothing comes in later");
    host.run(&format!("umount {}", at("source/late")));

    // Nobody is left to take anything down, and nothing has to be.
    let its_host = children(host.pid())[0];
    kill(its_host, Signal::SIGKILL).unwrap();
    wait_until("the container ends", LIMIT, || !is_alive(pid));
    assert_eq!(host.mounts(), before);
}
