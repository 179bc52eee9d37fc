//! Programs that tests start.

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::{env, fs, io};

use nix::unistd::{AccessFlags, Pid, access};

/// Where a program of the machine is, or nothing if it is missing: the folders of PATH, and those
/// of the administrator, which an ordinary user's PATH lacks on Debian.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file() && access(file, AccessFlags::X_OK).is_ok())
}

/// Where a binary of this workspace is, of any package: `binary("step04")`. Nothing if it has not
/// been built; `cargo build --workspace` does. In the package's own tests prefer
/// `env!("CARGO_BIN_EXE_step04")`, which Cargo builds itself.
pub fn binary(name: &str) -> Option<PathBuf> {
    // A test program is target/debug/deps/NAME-HASH.
    let tests = env::current_exe().ok()?;
    let file = tests.parent()?.parent()?.join(name);
    file.is_file().then_some(file)
}

/// A command as a learner types it: without the variables that Cargo and a test run set, and with
/// messages in English.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    command
}

/// A process beside the test, killed and waited for when it is dropped, also if the test fails.
#[derive(Debug)]
pub struct Background(Child);

impl Background {
    /// Starts it.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    /// The process itself, for its pipes or its end.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Copies a program so that it can be run at once. `cp` does it: what this process has open for
/// writing, a child that another test's thread forks has open too until it calls exec, and a
/// program that is open for writing cannot be run (ETXTBSY).
///
/// # Errors
/// If it cannot be copied.
pub fn copy_program(from: &Path, to: &Path) -> io::Result<()> {
    match command("cp").arg("--").args([from, to]).status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("cannot copy {}", from.display()))),
    }
}

/// Makes the smallest root file system that has a shell in an existing, empty folder: busybox under
/// all its names, and the folders that mounts need. False if busybox is missing or needs libraries:
/// `apt-get install busybox-static`.
///
/// # Errors
/// If a file or folder cannot be made.
pub fn busybox_root(folder: &Path) -> io::Result<bool> {
    let Some(busybox) = program("busybox") else { return Ok(false) };
    for name in ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"] {
        fs::create_dir(folder.join(name))?;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(folder.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    copy_program(&busybox, &folder.join("bin/busybox"))?;
    fs::write(folder.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::write(folder.join("etc/group"), "root:x:0:\n")?;
    let list = Command::new(busybox).arg("--list").output()?;
    for name in String::from_utf8_lossy(&list.stdout).split_whitespace() {
        if name != "busybox" {
            symlink("busybox", folder.join("bin").join(name))?;
        }
    }
    is_static(&folder.join("bin/busybox"))
}

/// Without an interpreter in its program headers (`man 5 elf`) a program needs no libraries.
fn is_static(program: &Path) -> io::Result<bool> {
    let bytes = fs::read(program)?;
    let number = |at: usize, size: usize| -> Option<usize> {
        let bytes = bytes.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
    };
    let header = || -> Option<bool> {
        let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        const PT_INTERP: usize = 3;
        let mut kinds = (0..count).map(|index| number(start + index * size, 4));
        Some(kinds.all(|kind| kind != Some(PT_INTERP)))
    };
    Ok(header().unwrap_or(false))
}
