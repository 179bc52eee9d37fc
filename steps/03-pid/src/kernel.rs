//! The few system calls for which no library has a safe name: all of this step's `unsafe` code is
//! in this file.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::unistd::{ForkResult, Pid};
use step01_unshare::Namespaces;

// ANCHOR: clone3
/// Makes a child that is born in new namespaces (`man 2 clone3`). The parent gets its process id
/// and a descriptor that stands for it, the child gets `None`.
pub(crate) fn clone3(namespaces: Namespaces) -> Result<Option<(Pid, OwnedFd)>, Errno> {
    clone3_with(namespaces.bits(), libc::SIGCHLD as u64)
}

/// The same for a child of one's own parent: a sister. It ends with the same signal as we do
/// (CLONE_PARENT of `man 2 clone`).
pub(crate) fn clone_sister() -> Result<Option<(Pid, OwnedFd)>, Errno> {
    clone3_with(libc::CLONE_PARENT as u64, 0)
}

#[expect(unsafe_code, reason = "neither nix nor the C library has clone3")]
fn clone3_with(flags: u64, exit_signal: u64) -> Result<Option<(Pid, OwnedFd)>, Errno> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all fields are integers for which zero means "not asked for".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = exit_signal;
    // SAFETY: without CLONE_VM this is a fork: the child has a copy of all memory, and since
    // there is one thread only (`refuse_threads`), no lock in it is held by anybody else.
    // `args` and `pidfd` outlive the call; the kernel fills `pidfd` with a new descriptor.
    unsafe {
        match Errno::result(libc::syscall(libc::SYS_clone3, &raw mut args, size_of_val(&args)))? {
            0 => Ok(None),
            pid => Ok(Some((Pid::from_raw(pid as i32), OwnedFd::from_raw_fd(pidfd)))),
        }
    }
}
// ANCHOR_END: clone3

// ANCHOR: fork
/// The plain fork of `init` and of a `Companion` (`man 2 fork`).
#[expect(unsafe_code, reason = "fork copies a process in which other threads might hold locks")]
pub(crate) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: there is one thread only: the container's side was cloned from one and has started none, and elsewhere
    // `refuse_threads` has looked.
    unsafe { nix::unistd::fork() }
}
// ANCHOR_END: fork

// ANCHOR: leave
/// Ends this process without running the destructors, which are the host's to run
/// (`man 2 _exit`).
#[expect(unsafe_code, reason = "exit handlers and destructors belong to the host's copy")]
pub(crate) fn leave(code: u8) -> ! {
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(code.into()) }
}
// ANCHOR_END: leave

// ANCHOR: close
/// Closes all descriptors from 3 on but those (`man 2 close_range`).
#[expect(unsafe_code, reason = "nix has no close_range; what owned a descriptor does not know of it")]
pub(crate) fn close_all_but(kept: &[RawFd]) -> Result<(), Errno> {
    let mut kept: Vec<u32> =
        kept.iter().map(|number| number.unsigned_abs()).filter(|number| *number > 2).collect();
    kept.sort_unstable();
    let mut first = 3;
    for end in kept.into_iter().chain([u32::MAX]) {
        if first < end {
            // SAFETY: the caller is about to exec or to `leave`: nothing uses or drops what
            // owned these descriptors. The call itself takes integers.
            Errno::result(unsafe { libc::close_range(first, end - 1, 0) })?;
        }
        first = end.saturating_add(1);
    }
    Ok(())
}
// ANCHOR_END: close

// ANCHOR: keys
/// Leaves the session keyring that this process was born with for a new one, which is empty
/// (`man 7 session-keyring`, `man 2 keyctl`).
#[expect(unsafe_code, reason = "neither nix nor rustix has keyctl")]
pub(crate) fn leave_keys() -> Result<()> {
    let without_a_name: *const libc::c_char = std::ptr::null();
    // SAFETY: the call takes integers, and no name is what a null pointer means.
    let joined =
        unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, without_a_name) };
    match Errno::result(joined).map(drop) {
        // A kernel without keys; or a filter of system calls stands before it, for the command too.
        Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        Err(Errno::EDQUOT) => bail!(
            "cannot make a session keyring: {}: this user has as many keys as are allowed\n\
             sudo sysctl kernel.keys.maxkeys=2000 kernel.keys.maxbytes=200000",
            Errno::EDQUOT
        ),
        other => other.context("cannot make a session keyring"),
    }
}
// ANCHOR_END: keys

// ANCHOR: keep
/// Lets all descriptors from 3 on stay open in the program that this process becomes.
#[expect(unsafe_code, reason = "nix takes owned descriptors, and these belong to values of all kinds")]
pub(crate) fn keep_all_at_exec() -> std::io::Result<()> {
    let numbers: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for descriptor in numbers.into_iter().filter(|descriptor| *descriptor > 2) {
        // The folder that was just read is among them, and closed.
        // SAFETY: only a flag of the descriptor is changed, which nobody else looks at.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
    }
    Ok(())
}

/// Takes over a descriptor that this process was started with, and of which it was told the
/// number. Its own children do not inherit it.
///
/// # Errors
/// EBADF: nothing is open there. EINVAL: it is one of the first three, which are everybody's.
#[expect(unsafe_code, reason = "a number becomes an owner")]
pub fn inherited(number: RawFd) -> Result<OwnedFd, Errno> {
    if number < 3 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the call takes integers.
    Errno::result(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and whoever started us says that it is meant for us: this program has
    // opened nothing of that number itself.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
// ANCHOR_END: keep

// ANCHOR: send
/// Sends a signal to exactly this process, also when its number has been given to another one
/// meanwhile (`man 2 pidfd_send_signal`).
///
/// # Errors
/// ESRCH: it has gone. EPERM: it is somebody else's. EINVAL: there is no such signal.
#[expect(
    unsafe_code,
    reason = "the libraries have it for signals with names only, and not for the real-time ones"
)]
pub fn send_signal(process: impl AsFd, signal: i32) -> Result<(), Errno> {
    let none: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: the descriptor is borrowed for the time of the call, and a null pointer is allowed.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_fd().as_raw_fd(), signal, none, 0) };
    Errno::result(sent).map(drop)
}
// ANCHOR_END: send

// ANCHOR: by_default
/// Whether this process was started with the signal ignored, as `nohup` does with SIGHUP
/// (`man 2 sigaction`).
#[expect(unsafe_code, reason = "nix can ask for a signal's handler only by setting another")]
pub(crate) fn is_ignored(signal: Signal) -> bool {
    // SAFETY: a sigaction is made of integers and an optional function, for which zero is valid;
    // with a null second argument the call only writes the third.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal as i32, std::ptr::null(), &raw mut now) == 0
            && now.sa_sigaction == libc::SIG_IGN
    }
}

/// Lets a signal do what it does by default (`man 7 signal`).
#[expect(unsafe_code, reason = "a signal handler could do anything; the default one does not")]
pub(crate) fn by_default(which: Signal) {
    // SAFETY: SIG_DFL is no function of ours. The only error is EINVAL, for SIGKILL and SIGSTOP.
    let _ = unsafe { signal(which, SigHandler::SigDfl) };
}

/// For a process that stays when its caller has gone (`man 7 daemon`), as step 07's monitor: no signal is blocked or
/// ignored any more, whatever the caller did not want to hear. But for SIGPIPE, on whose being ignored Rust's own programs
/// rely.
pub fn hear_all_signals() {
    Signal::iterator().filter(|signal| *signal != Signal::SIGPIPE).for_each(by_default);
    // The only error is EINVAL, for a wrong first argument.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// For a command that has a session of its own, as step 07's: no signal is ignored any more. `nohup` and a shell's `&` are
/// about whoever started us.
pub fn ignore_nothing() {
    Signal::iterator().filter(|signal| is_ignored(*signal)).for_each(by_default);
}
// ANCHOR_END: by_default
