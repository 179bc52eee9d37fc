//! What the tests of this step share: how the programs are started, and what came of them.
#![allow(dead_code, reason = "each file of tests is a program of its own and uses a part of this")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{env, process};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Background, Role, children, command, is_alive, wait_until};

/// Longer than any of this takes, also on an emulated processor.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The binary, as a learner starts it: an ordinary user asks to be mapped.
pub fn step03<S: AsRef<OsStr>>(words: &[S]) -> Command {
    let mut step03 = command(env!("CARGO_BIN_EXE_step03"));
    if Role::here() == Role::User {
        step03.arg("--map-root-user");
    }
    step03.args(words);
    step03
}

/// A container with walls that misbehave, see walls.rs beside this file.
pub fn walls(words: &[&str]) -> Command {
    let mut walls = command(env!("CARGO_BIN_EXE_step03-walls"));
    if Role::here() == Role::User {
        walls.arg("map-root-user");
    }
    walls.args(words);
    walls
}

/// What came of a program: the exit code as a shell has it, and what it said.
#[derive(Debug, PartialEq, Eq)]
pub struct End {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs it to its end.
pub fn end(command: &mut Command) -> End {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    End { code: code(output.status), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| Some(128 + status.signal()?)).unwrap()
}

/// The exit code and everything that was said, for a snapshot.
pub fn told(command: &mut Command) -> String {
    let End { code, stdout, stderr } = end(command);
    format!("{stdout}{stderr}=> {code}")
}

/// A host that runs beside the test, with pipes to speak to it.
pub struct Host {
    process: Background,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Host {
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Background::spawn(command).unwrap();
        let input = process.child().stdin.take().unwrap();
        let output = BufReader::new(process.child().stdout.take().unwrap());
        Self { process, input, output }
    }

    /// Waits for exactly this line.
    pub fn says(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Lets a paused wall go on.
    pub fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }

    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// The container's process 1, as it is seen from outside.
    pub fn container(&self) -> Pid {
        let all = children(self.pid());
        assert_eq!(all.len(), 1, "the host has one child: {all:?}");
        all[0]
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Ends it at once: no destructor runs.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.process.child().wait().unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> End {
        drop(self.input);
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.output.read_to_string(&mut stdout).unwrap();
        self.process.child().stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        End { code: code(self.process.child().wait().unwrap()), stdout, stderr }
    }
}

/// The process ends, and soon.
pub fn ends(pid: Pid) {
    wait_until(&format!("process {pid} ends"), LIMIT, || !is_alive(pid));
}

/// A folder for the files of one test, gone when it ends.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("coracle-exit-{}-{name}", process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// Makes a file that may be run, and tells what comes of it, with a fixed name for the folder.
    pub fn told(&self, name: &str, content: &[u8], mode: u32) -> String {
        let file = self.0.join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        self.told_of(&file)
    }

    pub fn told_of(&self, program: &Path) -> String {
        told(&mut step03(&[program])).replace(&*self.0.to_string_lossy(), "FOLDER")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
