//! Becoming the command, and telling why not.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, access, execve, geteuid};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use step01_unshare::why;

use crate::Failed;
use crate::causes::{EXEC, script_interpreter};

// ANCHOR: environment
/// Gives the command an environment that is built from nothing: a path to find programs in, and
/// the name of the terminal. What else the host has in its own stays outside.
pub fn environment(command: &mut Command) {
    command.env_clear().env("PATH", DEFAULT_PATH);
    if let Some(term) = std::env::var_os("TERM") {
        command.env("TERM", term);
    }
}

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// ANCHOR_END: environment

// ANCHOR: exec
/// Replaces this program by the command (`man 2 execve`), and so returns only errors. Of the
/// command its words and the environment that was set in it count.
///
/// The C library's `execvp` is not used: it hands files that it does not understand to a shell.
pub(crate) fn exec(command: &Command) -> Result<Infallible, Failed> {
    let name = command.get_program();
    let program = find(name, path_of(command))?;
    let words = std::iter::once(name).chain(command.get_args()).map(to_c).collect::<Result<Vec<_>, _>>()?;
    let mut variables: Vec<_> = command.get_envs().filter_map(variable).collect();
    if !command.get_envs().any(|(name, _)| name == "HOME") {
        variables.push(format!("HOME={}", home()).into());
    }
    let variables = variables.iter().map(|text| to_c(text)).collect::<Result<Vec<_>, _>>()?;
    refuse_ourselves(&program)?;
    execve(&to_c(program.as_os_str())?, &words, &variables).map_err(|errno| explain(&program, errno))
}

fn variable((name, value): (&OsStr, Option<&OsStr>)) -> Option<OsString> {
    let mut text = name.to_owned();
    text.push("=");
    text.push(value?);
    Some(text)
}

fn to_c(text: &OsStr) -> Result<CString, Failed> {
    CString::new(text.as_bytes()).map_err(|_| failed(126, text, "this word or variable holds a NUL byte"))
}
// ANCHOR_END: exec

// ANCHOR: ourselves
/// Until the exec /proc/self/exe leads to the host's own program. Whoever got it run in here, with
/// libraries of the image, could open that file and write into it (CVE-2019-5736). It may be
/// named by a link, or as the interpreter of a script, or of its interpreter.
///
/// Somebody who is in there already and swaps the file between this look and the exec is not kept
/// from it, nor is root with CAP_SYS_PTRACE, who may look at the links of others.
fn refuse_ourselves(program: &Path) -> Result<(), Failed> {
    let number = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let ours = number(Path::new("/proc/self/exe"));
    let mut file = program.to_owned();
    // The kernel follows four of them.
    for _ in 0..5 {
        // The same program by its own path is a container in a container, and no trick.
        let flags = (OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let by_proc = openat2(CWD, &file, flags.0, flags.1, ResolveFlags::NO_MAGICLINKS);
        if ours.is_some() && number(&file) == ours && by_proc.is_err() {
            return Err(failed(
                126,
                program.as_os_str(),
                "it leads to the program of the host that starts it",
            ));
        }
        match script_interpreter(&file) {
            Some(next) => file = next,
            None => break,
        }
    }
    Ok(())
}
// ANCHOR_END: ourselves

// ANCHOR: home
/// The home directory of whoever this process is by now, as the container's own /etc/passwd
/// has it: seven fields with colons between them, the third the uid, the sixth the directory
/// (`man 5 passwd`). The file may be a stranger's, so not more than a part of it is read.
fn home() -> String {
    let mut text = Vec::new();
    // A device in its place is not even opened, which alone may do something; a pipe would wait for ever.
    let open = || OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open("/etc/passwd");
    if std::fs::metadata("/etc/passwd").is_ok_and(|found| found.is_file())
        && let Ok(file) = open()
    {
        let _ = file.take(1 << 20).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text);
    let uid = geteuid().to_string();
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let home =
        fields.filter(|fields| fields.get(2) == Some(&&*uid)).find_map(|fields| fields.get(5).copied());
    home.filter(|home| !home.is_empty()).unwrap_or("/").to_owned()
}

fn path_of(command: &Command) -> &OsStr {
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
    path.unwrap_or(OsStr::new(DEFAULT_PATH))
}
// ANCHOR_END: home

// ANCHOR: explain
/// Looks for a program in the directories of PATH, unless its name has a slash. As shells do it, a
/// file that may not be run is passed over, but remembered as the reason.
fn find(name: &OsStr, path: &OsStr) -> Result<PathBuf, Failed> {
    if name.is_empty() {
        return Err(failed(127, name, "the name is empty"));
    }
    if name.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(name));
    }
    let mut refused = None;
    for directory in std::env::split_paths(path) {
        let file = directory.join(name);
        match (file.is_file(), access(&file, AccessFlags::X_OK)) {
            (true, Ok(())) => return Ok(file),
            (true, Err(Errno::EACCES)) => refused = Some(file),
            _ => {}
        }
    }
    match refused {
        Some(file) => Err(explain(&file, Errno::EACCES)),
        None => Err(failed(127, name, &format!("not found in PATH ({})", path.to_string_lossy()))),
    }
}

/// One errno has several causes: the one that holds is told.
fn explain(program: &Path, errno: Errno) -> Failed {
    let code = if matches!(errno, Errno::ENOENT | Errno::ENOTDIR) { 127 } else { 126 };
    let why = match (why(EXEC, errno, &[program]), errno) {
        // Here the cause says more than the errno, whose meaning misleads.
        (Some(why), Errno::ENOENT) => why,
        (Some(why), _) => format!("{errno:?}: {why}"),
        (None, _) => errno.to_string(),
    };
    failed(code, program.as_os_str(), &why)
}

fn failed(code: u8, program: &OsStr, why: &str) -> Failed {
    Failed { code, text: format!("cannot run {}: {why}", program.to_string_lossy().escape_debug()) }
}
// ANCHOR_END: explain
