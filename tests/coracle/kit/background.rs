//! A container that runs while the test looks at it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};
use support::{Background, children, is_alive, namespaces, wait_until};

use super::{LIMIT, Ran};

pub struct Started {
    /// `coracle` itself.
    pub host: Background,
    /// The container's first process, by the host's number.
    pub container: Pid,
    output: BufReader<ChildStdout>,
}

impl Started {
    /// Starts it and waits until it has said "started".
    #[track_caller]
    pub fn of(run: &mut Command) -> Self {
        let mut host = Background::spawn(run.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
        let mut output = BufReader::new(host.child().stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        if line.trim_end() != "started" {
            let mut error = String::new();
            host.child().stderr.take().unwrap().read_to_string(&mut error).unwrap();
            panic!("it did not start: {line}{error}");
        }
        // A helper that connects it shares our names, and one that has just ended has none.
        let name = |pid| namespaces(pid).ok().and_then(|all| all.get("uts").copied());
        let ours = name(getpid());
        let child =
            children(host.pid()).into_iter().find(|child| name(*child).is_some_and(|its| Some(its) != ours));
        // With a monitor it is no child of the one that was started.
        let container = child.or_else(|| first_process(&root_of(run)));
        Self { container: container.expect("the container is not on record"), host, output }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends a signal to `coracle`.
    pub fn signal(&self, signal: Signal) {
        kill(self.host.pid(), signal).unwrap();
    }

    /// Waits for the end of `coracle`.
    pub fn end(&mut self) -> Ran {
        wait_until("coracle ends", 3 * LIMIT, || self.host.child().try_wait().unwrap().is_some());
        let mut ran: Ran = std::process::Output {
            status: self.host.child().wait().unwrap(),
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
        .into();
        self.output.read_to_string(&mut ran.out).unwrap();
        self.host.child().stderr.take().unwrap().read_to_string(&mut ran.err).unwrap();
        ran
    }

    pub fn lives(&self) -> bool {
        is_alive(self.container)
    }
}

/// The state directory that a command names.
fn root_of(command: &Command) -> PathBuf {
    let words: Vec<_> = command.get_args().collect();
    let at = words.iter().position(|word| *word == "--root").unwrap();
    words[at + 1].into()
}

/// The first process of the container that was started last.
pub fn first_process(root: &Path) -> Option<Pid> {
    let running = std::fs::read_dir(root.join("containers")).ok()?.flatten().filter_map(|entry| {
        let text = std::fs::read(entry.path().join("state.json")).ok()?;
        let state: serde_json::Value = serde_json::from_slice(&text).ok()?;
        Some((state["started"].as_f64()?, Pid::from_raw(state["pid"].as_i64()? as i32)))
    });
    running.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, pid)| pid)
}
