//! The answers to the exercises of chapter 01 that are code: they compile, and they hold.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use support::{Background, command, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

// ANCHOR: owner
/// The inode number of the user namespace that owns a namespace (`man 2 ioctl_nsfs`).
#[expect(unsafe_code, reason = "no library has this call")]
fn owner(namespace: &File) -> io::Result<u64> {
    const NS_GET_USERNS: u32 = 0xb701;
    // SAFETY: the call takes no pointer.
    let owner = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS as _) };
    if owner < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, so nobody else closes it.
    let owner = unsafe { File::from_raw_fd(owner) };
    Ok(owner.metadata()?.ino())
}
// ANCHOR_END: owner

#[test]
fn a_namespace_belongs_to_the_user_namespace_that_it_was_made_in() {
    let mut unshare = command(env!("CARGO_BIN_EXE_step01"));
    unshare.args(["unshare", "--map-root-user", "--uts", "sleep", "60"]);
    let sleeper = Background::spawn(&mut unshare).unwrap();
    wait_until("it sleeps", LIMIT, || support::command_name(sleeper.pid()).as_deref() == Some("sleep"));

    let open = |kind: &str| File::open(format!("/proc/{}/ns/{kind}", sleeper.pid())).unwrap();
    let user = open("user").metadata().unwrap().ino();
    assert_eq!(owner(&open("uts")).unwrap(), user);
    // Its network is still that of the host.
    assert_ne!(owner(&open("net")).ok(), Some(user));
}
