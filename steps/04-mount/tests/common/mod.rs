//! What the tests of this step share: a root file system, how `step04` is started, and how a
//! container is looked at from outside.
#![allow(dead_code, reason = "each file of tests is a program of its own and uses a part of this")]

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::unistd::Pid;
use support::{Background, Mount, Role, command, descendants, is_alive, not_run, program, wait_until};
use tempfile::TempDir;

/// Longer than any of this takes, also on an emulated processor.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A folder of our own: `root` in it is a root file system with busybox, and there is room for
/// what lies beside it, on the host.
pub struct Place(TempDir);

impl Place {
    /// Nothing, and said so, if busybox is missing.
    pub fn new() -> Option<Self> {
        let place = Self(TempDir::with_prefix("coracle-step04-").unwrap());
        std::fs::create_dir(place.root()).unwrap();
        if !support::busybox_root(&place.root()).unwrap() {
            not_run("busybox is missing: apt-get install busybox-static");
            return None;
        }
        Some(place)
    }

    pub fn root(&self) -> PathBuf {
        self.at("root")
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new folder beside the root.
    pub fn folder(&self, name: &str) -> PathBuf {
        std::fs::create_dir(self.at(name)).unwrap();
        self.at(name)
    }

    /// `step04 --rootfs ROOT WORDS`, as a learner starts it: an ordinary user asks to be mapped.
    pub fn step04<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut step04 = command(env!("CARGO_BIN_EXE_step04"));
        if Role::here() == Role::User {
            step04.arg("--map-root-user");
        }
        step04.arg("--rootfs").arg(self.root()).args(words);
        step04
    }

    /// The same where a script has prepared the host's mounts, in a mount namespace of its own.
    pub fn step04_after<S: AsRef<OsStr>>(&self, script: &str, words: &[S]) -> Command {
        let mut unshare = after(script);
        unshare.arg(env!("CARGO_BIN_EXE_step04")).arg("--rootfs").arg(self.root()).args(words);
        unshare.current_dir(self.0.path());
        unshare
    }

    /// What a command said and its exit code, for a snapshot, without the name of this folder.
    pub fn told(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().or_else(|| Some(128 + output.status.signal()?)).unwrap();
        let told = format!("{}{}=> {code}", text(output.stdout), text(output.stderr));
        told.replace(&*self.0.path().to_string_lossy(), "[PLACE]")
    }
}

/// `unshare --mount` of util-linux, a script, and then the words that are added.
pub fn after(script: &str) -> Command {
    let mut unshare = command(program("unshare").expect("util-linux is part of every system"));
    if Role::here() == Role::User {
        unshare.arg("--map-root-user");
    }
    // chroot is in a folder that an ordinary user of Debian does not have in PATH.
    let script = format!("PATH=$PATH:/usr/sbin:/sbin\n{script}\nexec \"$@\"");
    unshare.args(["--mount", "sh", "-ec", &script, "sh"]);
    unshare
}

/// A container that sleeps.
pub struct Sleeper {
    host: Background,
    pub pid: Pid,
}

impl Sleeper {
    /// Starts a command whose last words are `sleep` and a time, and waits until it sleeps.
    pub fn start(command: &mut Command) -> Self {
        let host = Background::spawn(command).unwrap();
        let pid = sleeping_below(host.pid());
        Self { host, pid }
    }

    pub fn mounts(&self) -> Vec<Mount> {
        support::mounts(self.pid).unwrap()
    }

    /// The mount that is seen at a path: the last one of those that lie over each other.
    pub fn mount(&self, point: &str) -> Mount {
        let mounts = self.mounts();
        let found = mounts.iter().rfind(|mount| mount.mount_point == point);
        found.unwrap_or_else(|| panic!("nothing is mounted at {point}: {mounts:#?}")).clone()
    }

    /// A path as the container sees it, to be looked at from here.
    pub fn path(&self, path: &str) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.pid)).join(path.trim_start_matches('/'))
    }

    pub fn stat(&self, path: &str) -> Metadata {
        let path = self.path(path);
        std::fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn names(&self, path: &str) -> Vec<String> {
        names(&self.path(path))
    }

    /// Ends the host's side at once, and waits until the container has followed it.
    pub fn kill(mut self) {
        self.host.child().kill().unwrap();
        self.host.child().wait().unwrap();
        wait_until("the container ends", LIMIT, || !is_alive(self.pid));
    }
}

pub fn sleeping_below(host: Pid) -> Pid {
    let mut found = None;
    wait_until("the container sleeps", LIMIT, || {
        assert!(is_alive(host), "it ended before the container slept");
        let is_asleep = |pid: &Pid| support::command_name(*pid).as_deref() == Some("sleep");
        found = descendants(host).into_iter().find(is_asleep);
        found.is_some()
    });
    found.unwrap()
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A host whose mounts are all shared, as systemd leaves them: a shell in a mount namespace of its
/// own, which does what it is told.
pub struct SharedHost {
    shell: Background,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl SharedHost {
    pub fn new() -> Self {
        let mut unshare = command(program("unshare").expect("util-linux is part of every system"));
        if Role::here() == Role::User {
            unshare.arg("--map-root-user");
        }
        // Private first: what is made shared then is shared with nobody but this shell's children.
        unshare.args(["--mount", "--propagation", "private", "sh"]);
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = Background::spawn(&mut unshare).unwrap();
        let input = shell.child().stdin.take().unwrap();
        let output = BufReader::new(shell.child().stdout.take().unwrap());
        let mut host = Self { shell, input, output };
        host.run("mount --make-rshared /");
        host
    }

    /// Has the shell run a line, and waits until it has.
    pub fn run(&mut self, line: &str) {
        writeln!(self.input, "{line}\necho \"=> $?\"").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        assert_eq!(answer, "=> 0\n", "{line}");
    }

    pub fn pid(&self) -> Pid {
        self.shell.pid()
    }

    pub fn mounts(&self) -> Vec<Mount> {
        support::mounts(self.pid()).unwrap()
    }
}
