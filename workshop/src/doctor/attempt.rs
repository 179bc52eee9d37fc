//! A try: a command of the machine, run quietly, with a limit.

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

use super::Role;

/// No try takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(10);

/// A command that tells by its exit status whether something works.
pub struct Attempt(Vec<String>);

impl Attempt {
    pub fn new(words: &[&str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// Runs it: what it said last is the error.
    pub fn run(&self) -> Result<Result<(), String>> {
        let program = &self.0[0];
        let Some(path) = find(program) else {
            return Ok(Err(format!("{program} is missing")));
        };
        let mut command = Command::new(path);
        command.args(&self.0[1..]).env("LC_ALL", "C").env("PATH", search_path()).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for {program}"))? {
                break status;
            }
            if start.elapsed() > LIMIT {
                let _ = child.kill();
                let _ = child.wait();
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

/// A throw-away folder on the file system where coracle keeps its images.
pub fn folder_of_store(role: Role) -> Result<TempDir> {
    let place = match role {
        Role::Root => PathBuf::from("/var/lib"),
        Role::User => {
            let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
            std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or(home).unwrap_or_else(|| "/tmp".into())
        }
    };
    // The folder may not be there yet: the nearest one above it is on the same file system.
    let nearest = place.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".coracle-doctor-").permissions(Permissions::from_mode(0o755));
    // tempfile's own error ends with the whole path, which nobody asked for.
    let made = builder.tempdir_in(nearest);
    made.map_err(|error| anyhow!("cannot write to {}: {}", nearest.display(), error.kind()))
}
