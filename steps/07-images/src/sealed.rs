//! This program as a file that nobody can write.
//!
//! Whoever is about to be in a container still runs the host's program, and /proc/PID/exe leads to its file. A
//! process in there that opened it could wait until nobody runs it any more, and then write into it (CVE-2019-5736).
//! So what goes into walls runs from a copy that nobody can write:
//!
//! - root makes a copy of the *mount*, read-only and at no place: no byte is copied;
//! - who may not mount copies the file into memory, and seals it (`man 2 memfd_create`, `man 2 F_ADD_SEALS`).

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::prctl;
use rustix::fs::{MemfdFlags, SealFlags, StatVfsMountFlags};
use rustix::fs::{fcntl_add_seals, fcntl_get_seals, fstatvfs, memfd_create};
use rustix::io::Errno;
use step04_mount::read_only_copy;

// ANCHOR: sealed
/// Goes on in a program that nobody can write, with the same words: nothing happens if this one is such a program, and
/// otherwise it begins anew. So it comes before everything that should not be done twice.
///
/// # Errors
/// No such file can be made, or not started.
pub(crate) fn seal() -> Result<()> {
    let ours = File::open(OURS).context("cannot open this program")?;
    if is_sealed(&ours) {
        return Ok(());
    }
    let (mut program, _open) = sealed(ours)?;
    Err(program.args(std::env::args_os().skip(1)).exec()).context("cannot start this program again")
}

/// This program as a command. The descriptor has to be open until it is started, and not longer: a mount at no place can
/// be made writable again by whoever may mount and finds the file, as long as somebody has that mount open.
///
/// # Errors
/// No file that nobody can write can be made.
pub(crate) fn program() -> Result<(Command, OwnedFd)> {
    sealed(File::open(OURS).context("cannot open this program")?)
}

fn sealed(ours: File) -> Result<(Command, OwnedFd)> {
    let file = match is_sealed(&ours) {
        true => ours.into(),
        false => read_only_copy(OURS.as_ref()).or_else(|_| copy_in_memory(ours))?,
    };
    let mut program = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // Of a file at no place the kernel cannot say where it was.
    program.arg0(path());
    Ok((program, file))
}

fn is_sealed(file: &File) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::WRITE))
        || fstatvfs(file).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn copy_in_memory(mut ours: File) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Linux before 6.3 does not know that there are files in memory which must not be run.
    let memory = match memfd_create("coracle", flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create("coracle", flags),
        other => other,
    };
    let mut memory = File::from(memory.context("cannot make a file in memory")?);
    std::io::copy(&mut ours, &mut memory).context("cannot copy this program into memory")?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    let mut tries = 0;
    while let Err(errno) = fcntl_add_seals(&memory, seals) {
        // The kernel itself may hold a page for a moment, and then does not know who will write to it.
        ensure!(errno == Errno::BUSY && tries < 20, "cannot seal the copy of this program: {errno}");
        std::thread::sleep(Duration::from_millis(1 << tries.min(6)));
        tries += 1;
    }
    // The kernel runs nothing that is open for writing.
    Ok(File::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).context("cannot open the copy")?.into())
}
// ANCHOR_END: sealed

const OURS: &str = "/proc/self/exe";

/// Where this program's file is on the host. The kernel knows it of the first one; those after it have it as their name.
pub(crate) fn path() -> PathBuf {
    let name = || std::env::args_os().next().unwrap_or_default().into();
    std::env::current_exe().ok().filter(|path| path.is_file()).unwrap_or_else(name)
}

/// What `ps` calls us: a program that was started by the number of a descriptor would be called by it.
pub(crate) fn take_name() {
    let name = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if let Some(name) = name.file_name().and_then(|name| CString::new(name.as_bytes()).ok()) {
        let _ = prctl::set_name(&name);
    }
}
