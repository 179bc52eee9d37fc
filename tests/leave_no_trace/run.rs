//! How the tests start a step, and what they look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::getpid;
use support::{Background, Host, Role, binary, busybox_root, command, descendants, not_run, wait_until};
use tempfile::TempDir;

/// What is left after this time is left.
pub const LIMIT: Duration = Duration::from_secs(5);

/// One step with the options that it needs here.
pub struct Run {
    pub then: Then,
    binary: PathBuf,
    options: Vec<String>,
    folder: TempDir,
}

/// What removes what a killed host left.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    /// The kernel, at once: everything was bound to a process or a namespace.
    KernelSweeps,
    /// The next command, which removes what belongs to no living container.
    NextCommandSweeps,
}

impl Run {
    /// Nothing if it cannot run here, which has then been said.
    pub fn new(step: &str) -> Option<Self> {
        let Some(binary) = binary(step) else {
            not_run(&format!("{step} is not built: cargo build --workspace"));
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "root", "run", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        if !busybox_root(&folder.path().join("root")).unwrap() {
            not_run("busybox is missing: apt-get install busybox-static");
            return None;
        }
        // From step 06 on these are mounted: without a place for them, an empty file is made.
        for name in ["hostname", "hosts", "resolv.conf"] {
            fs::write(folder.path().join("root/etc").join(name), "").unwrap();
        }
        let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let mut options = match step {
            "step03" => vec![],
            "step04" | "step05" | "step06" => vec!["--rootfs".to_owned(), place("root")],
            _ => ["--root", &place("state"), "run", "--rm", "host-tools"].map(str::to_owned).into(),
        };
        if matches!(step, "step03" | "step04") && Role::here() == Role::User {
            options.push("--map-root-user".to_owned());
        }
        let then = if matches!(step, "step03" | "step04" | "step05") {
            Then::KernelSweeps
        } else {
            Then::NextCommandSweeps
        };
        // Orphans come to us, so that none is overlooked.
        set_child_subreaper(true).unwrap();
        let run = Self { then, binary, options, folder };
        if matches!(step, "step07" | "coracle") {
            // The image stays, as it should: from here on it is there before and after.
            let host = run.snapshot().without(&["file"]);
            let first = run.command(&["true"]).output().unwrap();
            assert!(first.status.success(), "{first:?}");
            run.assert_no_process();
            host.wait_until_same(LIMIT).unwrap_or_else(|left| panic!("the first run left:\n{left}"));
        }
        Some(run)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The words of the command line: the step, its options, and the command inside.
    pub fn words(&self, inside: &[&str]) -> Vec<String> {
        let step = self.binary.to_str().unwrap().to_owned();
        let inside = inside.iter().map(|&word| word.to_owned());
        // After an image all words are the command's.
        let end_of_options = (!self.options.contains(&"run".to_owned())).then(|| "--".to_owned());
        [step].into_iter().chain(self.options.clone()).chain(end_of_options).chain(inside).collect()
    }

    pub fn command(&self, inside: &[&str]) -> Command {
        self.prepared(&self.words(inside))
    }

    /// A command line with a home and folders for temporary files, all of which are looked at.
    pub fn prepared(&self, words: &[String]) -> Command {
        let mut command = command(&words[0]);
        let folder = |name: &str| self.folder().join(name);
        command.args(&words[1..]).current_dir(self.folder()).stdin(Stdio::null());
        command
            .env("HOME", folder("home"))
            .env("TMPDIR", folder("tmp"))
            .env("XDG_RUNTIME_DIR", folder("run"));
        command.env_remove("XDG_DATA_HOME");
        command
    }

    /// A run that gets SIGTERM when its command runs.
    pub fn interrupted(&self) -> ExitStatus {
        // Process 1 of a pid namespace does not get a signal that it has no handler for.
        let inside = ["sh", "-c", "trap 'exit 143' TERM; sleep 1000 & wait"];
        let mut host = Background::spawn(&mut self.command(&inside)).unwrap();
        wait_until("the command runs", LIMIT, || {
            descendants(host.pid()).iter().any(|pid| command_line(*pid) == ["sleep", "1000"])
        });
        let _ = kill(host.pid(), Signal::SIGTERM);
        host.child().wait().unwrap()
    }

    pub fn snapshot(&self) -> Host {
        let own = ["home", "root", "run", "state", "tmp"].map(|name| self.folder().join(name));
        let shared = ["/dev/shm", "/run/coracle", "/var/lib/coracle"].map(PathBuf::from);
        if Role::here() == Role::User {
            // It is not alone on its host, and cannot change there what it has no rights to.
            let theirs =
                ["process", "namespace", "link", "address", "route", "firewall", "cgroup", "ipc", "sysctl"];
            return Host::snapshot(&own.each_ref().map(PathBuf::as_path)).without(&theirs);
        }
        let folders: Vec<&Path> = own.iter().chain(&shared).map(PathBuf::as_path).collect();
        Host::snapshot(&folders)
    }

    /// Waits until no process that we started is left, nor any that those started.
    pub fn assert_no_process(&self) {
        wait_until("all processes are gone", LIMIT, || {
            reap();
            descendants(getpid()).is_empty()
        });
    }
}

fn command_line(pid: nix::unistd::Pid) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split_terminator('\0').map(str::to_owned).collect()
}

fn reap() {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
            other => other.unwrap(),
        };
    }
}
