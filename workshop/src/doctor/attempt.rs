//! A try: a command of the machine, run quietly, with a limit.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::book::interrupt::{self, Interrupt};

/// No try takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(10);

/// A command that tells by its exit status whether something works.
pub struct Attempt(Vec<String>);

impl Attempt {
    pub fn new(words: &[&str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// Runs it: what it said last is the error. `^C` ends it, and is an error of ours, so that whoever has made
    /// something for this try takes it away again.
    pub fn run(&self) -> Result<Result<(), String>> {
        let interrupt = Interrupt::new()?;
        let program = &self.0[0];
        let Some(path) = find(program) else {
            return Ok(Err(format!("{program} is missing")));
        };
        let mut command = Command::new(path);
        command.args(&self.0[1..]).env("LC_ALL", "C").env("PATH", search_path()).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        interrupt.check()?;
        // A group of its own: `^C` is for us alone, and what the command has started ends with it.
        let mut child = interrupt::spawn(command.process_group(0))?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for {program}"))? {
                break status;
            }
            if let Err(interrupted) = interrupt.check() {
                end(&mut child);
                return Err(interrupted);
            }
            if start.elapsed() > LIMIT {
                end(&mut child);
                return Ok(Err(format!("{program} hangs")));
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if status.success() {
            return Ok(Ok(()));
        }
        // What a program says when it fails fits into the pipe; whoever still holds it is not waited for.
        let mut said = vec![0; 4096];
        let length = child.stderr.take().and_then(|mut pipe| pipe.read(&mut said).ok()).unwrap_or(0);
        let said = String::from_utf8_lossy(&said[..length]).into_owned();
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        Ok(Err(last.map_or_else(|| format!("{program} fails: {status}"), |line| line.trim().to_owned())))
    }
}

fn end(child: &mut Child) {
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.wait();
}

/// Where a program is, also in the folders of the administrator.
pub fn find(program: &str) -> Option<PathBuf> {
    if program.starts_with('/') {
        return Some(PathBuf::from(program));
    }
    let path = search_path();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into()))
}
