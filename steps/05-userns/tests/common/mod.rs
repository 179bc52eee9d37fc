//! What the tests of this step share: an ordinary user who has a root file system.
//!
//! Root of the host, who would prove little here, plays one: user 54321, whose entries in
//! /etc/passwd and /etc/subuid are ours to write, in a mount namespace of our own.
#![allow(dead_code, reason = "each file of tests is a program of its own and uses a part of this")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::{Pid, User, getegid, geteuid};
use support::{Background, Role, command, copy_program, descendants, is_alive, not_run, program, wait_until};
use tempfile::TempDir;

/// Longer than any of this takes, also on an emulated processor.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Who root plays.
pub const TESTER: u32 = 54321;

/// The first id of the tester's range, and how many there are.
pub const RANGE: (u32, u32) = (700_000, 1000);

/// A folder with a root file system that belongs to an ordinary user.
pub struct Place {
    folder: TempDir,
    /// What stands before the program.
    setpriv: Vec<String>,
}

impl Place {
    /// Nothing, and said so, if something is missing.
    pub fn new() -> Option<Self> {
        let folder = TempDir::with_prefix("coracle-step05-").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = Self { folder, setpriv: vec!["--clear-groups".into()] };
        fs::create_dir(place.root()).unwrap();
        if !support::busybox_root(&place.root()).unwrap() {
            not_run("busybox is missing: apt-get install busybox-static");
            return None;
        }
        if Role::here() == Role::Root {
            for file in ["/etc/passwd", "/etc/subuid", "/etc/subgid"] {
                if !Path::new(file).exists() {
                    not_run(&format!("there is no {file}: apt-get install uidmap"));
                    return None;
                }
            }
            let passwd = format!("root:x:0:0::/:/bin/sh\ntester:x:{TESTER}:{TESTER}::/:/bin/sh\n");
            fs::write(place.at("passwd"), passwd).unwrap();
            place.subordinate(&format!("tester:{}:{}\n", RANGE.0, RANGE.1));
            // The folder that it is built in may be closed to the tester.
            copy_program(Path::new(env!("CARGO_BIN_EXE_step05")), &place.at("step05")).unwrap();
            let chown = Command::new("chown").arg("-R").arg(TESTER.to_string()).arg(place.root()).status();
            assert!(chown.unwrap().success());
        }
        Some(place)
    }

    pub fn root(&self) -> PathBuf {
        self.at("root")
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the tester's /etc/subuid and /etc/subgid say.
    pub fn subordinate(&self, lines: &str) {
        fs::write(self.at("subuid"), lines).unwrap();
    }

    /// The tester is started with these options of setpriv.
    pub fn setpriv(&mut self, words: &[&str]) {
        self.setpriv = words.iter().map(|&word| word.to_owned()).collect();
    }

    /// A program, as an ordinary user starts it.
    pub fn run(&self, program: &str) -> Command {
        if Role::here() != Role::Root {
            return command(program);
        }
        let mut setpriv = self.unshare(
            "mount --bind passwd /etc/passwd; mount --bind subuid /etc/subuid; mount --bind subuid /etc/subgid",
        );
        let id = TESTER.to_string();
        setpriv.args(["setpriv", "--reuid", &id, "--regid", &id]).args(&self.setpriv).arg(program);
        setpriv
    }

    /// `unshare --mount` of util-linux, a script, and then the words that are added: for root.
    pub fn unshare(&self, script: &str) -> Command {
        let mut unshare = command(program("unshare").expect("util-linux is part of every system"));
        unshare.args(["--mount", "sh", "-ec", &format!("{script}; exec \"$@\""), "sh"]);
        unshare.current_dir(self.folder.path());
        unshare
    }

    /// Where `step05` is.
    pub fn program(&self) -> String {
        match Role::here() {
            Role::Root => self.at("step05").to_string_lossy().into_owned(),
            _ => env!("CARGO_BIN_EXE_step05").to_owned(),
        }
    }

    /// `step05 --rootfs ROOT WORDS`, as an ordinary user starts it.
    pub fn step05(&self, words: &[&str]) -> Command {
        let mut step05 = self.run(&self.program());
        step05.arg("--rootfs").arg(self.root()).args(words);
        step05
    }

    /// What a command said and its exit code, for a snapshot, without the name of this folder.
    pub fn told(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().or_else(|| Some(128 + output.status.signal()?)).unwrap();
        let told = format!("{}{}=> {code}", text(output.stdout), text(output.stderr));
        told.replace(&*self.folder.path().to_string_lossy(), "[PLACE]")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // With a range, what lies there can belong to ids that are nobody's outside.
        if Role::here() == Role::User && range().is_some() {
            let _ = self.step05(&["--", "sh", "-c", "rm -rf /tmp/*"]).status();
        }
    }
}

/// The ids that an ordinary user has here.
pub fn own_ids() -> (u32, u32) {
    match Role::here() {
        Role::Root => (TESTER, TESTER),
        _ => (geteuid().as_raw(), getegid().as_raw()),
    }
}

/// The range that an ordinary user has here: first id and length. `None` if there is none.
pub fn range() -> Option<(u32, u32)> {
    match Role::here() {
        Role::Root => Some(RANGE),
        Role::RootInUserNamespace => None,
        Role::User => {
            let name = User::from_uid(geteuid()).unwrap()?.name;
            let text = fs::read_to_string("/etc/subuid").ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")))?;
            let (first, length) = line.split_once(':')?;
            Some((first.parse().ok()?, length.parse().ok()?))
        }
    }
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
        let mut found = None;
        wait_until("the container sleeps", LIMIT, || {
            assert!(is_alive(host.pid()), "it ended before the container slept");
            let is_asleep = |pid: &Pid| support::command_name(*pid).as_deref() == Some("sleep");
            found = descendants(host.pid()).into_iter().find(is_asleep);
            found.is_some()
        });
        Self { host, pid: found.unwrap() }
    }

    pub fn status(&self, field: &str) -> String {
        support::status(self.pid).unwrap().remove(field).unwrap()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid)).unwrap().trim_end().to_owned()
    }

    /// Ends the host's side at once, and waits until the container has followed it.
    pub fn kill(mut self) {
        self.host.child().kill().unwrap();
        self.host.child().wait().unwrap();
        wait_until("the container ends", LIMIT, || !is_alive(self.pid));
    }
}
