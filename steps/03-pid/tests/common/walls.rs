//! Containers with walls that misbehave, for the tests, and to play with:
//!
//! ```text
//! cargo run --quiet --bin step03-walls -- map-root-user inside:panic -- echo hello
//! ```
//!
//! Each word before the `--` is a wall that does one thing in one of its parts. In order: what the
//! host does (`host`), what the container does (`inside`), and the same for what belongs to the
//! process alone (`process-host`, `process`). `ready` is no wall but the moment between the two
//! gates, and `drop` is the end of a wall. `nice:19` is the answer to an exercise of chapter 03.

use std::fs::{self, File};
use std::io::{Read, Write, stderr, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid, setuid};
use rustix::process::setpriority_process;
use step01_unshare::{MapRootArgs, Namespaces};
use step03_pid::{Container, Isolation, Last, Pids, Serve, environment, report};

fn main() -> ExitCode {
    report(run(std::env::args().skip(1).collect()))
}

fn run(words: Vec<String>) -> Result<u8> {
    let mut parts = words.splitn(2, |word| word == "--");
    let (walls, command) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());

    let mut container = Container::new().with(Pids);
    let mut last: fn(Command) -> Last = Last::Exec;
    let mut at_ready = Wall::default();
    let (mut thread, mut served) = (None, None);
    // The kernel takes less (`man 2 execve`, "Limits on size of arguments").
    let (mut many_words, mut path) = (None, None);
    for word in walls {
        match word.as_str() {
            "map-root-user" => MapRootArgs { map_root_user: true }.unshare(Namespaces::empty())?,
            "init" => last = Last::Init,
            "return" => last = |_| Last::Return,
            "many-words" => many_words = Some(vec!["word"; 1 << 20]),
            "thread" => thread = Some(thread::spawn(thread::park)),
            "joined-thread" => drop(thread::spawn(|| {}).join()),
            _ => {
                let wall = Wall::from(word.as_str());
                match wall.part.as_str() {
                    "path" => path = Some(wall.action.clone()),
                    "serve" => served = Some(Copy::from(&wall.action)?),
                    "ready" => at_ready = wall,
                    "nice" => container = container.with_process(Nice(wall.action.parse()?)),
                    "process" | "process-host" => container = container.with_process(wall),
                    "host" | "inside" | "each" => container = container.with(wall),
                    other => bail!("a wall has no part {other:?}"),
                }
            }
        }
    }
    let mut command_line = Command::new(command.first().map_or("true", String::as_str));
    environment(command_line.args(command.iter().skip(1)).args(many_words.unwrap_or_default()));
    if let Some(path) = path {
        command_line.env("PATH", path);
    }

    let created = container.create(last(command_line))?;
    if at_ready.action == "leave" {
        return Ok(0);
    }
    at_ready.act("ready")?;
    let mut running = created.start()?;
    if at_ready.action == "tell" {
        say("started");
    }
    let code = match served {
        Some(mut served) => running.wait_and_serve(Some(&mut served)),
        None => running.wait(),
    };
    drop(thread);
    code
}

// ANCHOR: nice
/// Lets others go first: 19 is the nicest (`man 2 setpriority`).
#[derive(Debug)]
struct Nice(i32);

impl Isolation for Nice {
    fn in_container(&self) -> Result<()> {
        // `None` is this process, and what it becomes keeps it.
        setpriority_process(None, self.0).with_context(|| format!("cannot be as nice as {}", self.0))
    }
}
// ANCHOR_END: nice

/// Copies what it reads to the standard output.
struct Copy(File);

impl Serve for Copy {
    fn descriptors(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        vec![(self.0.as_fd(), PollFlags::POLLIN)]
    }

    fn serve(&mut self) -> Result<()> {
        let mut bytes = [0; 4096];
        let length = self.0.read(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes[..length]);
        if !text.trim_matches('\0').is_empty() {
            say(&format!("served: {}", text.trim_end()));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        // As much as a pipe holds: some files have no end.
        for _ in 0..16 {
            let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::ZERO)? > 0 {
                self.serve()?;
            }
        }
        Ok(())
    }
}

impl Copy {
    /// A file, or a pipe whose other end is the container's standard error.
    fn from(name: &str) -> Result<Self> {
        if name != "pipe" {
            return Ok(Self(File::open(name)?));
        }
        let (read, write) = nix::unistd::pipe()?;
        nix::unistd::dup2_stderr(write)?;
        Ok(Self(read.into()))
    }
}

/// Does one thing in one part of its life, and nothing in the others.
#[derive(Debug, Default)]
struct Wall {
    part: String,
    action: String,
    /// Known to the host's copy of this wall only.
    container: Option<Pid>,
}

impl From<&str> for Wall {
    fn from(word: &str) -> Self {
        let (part, action) = word.split_once(':').unwrap_or((word, ""));
        Self { part: part.to_owned(), action: action.to_owned(), container: None }
    }
}

impl Isolation for Wall {
    fn on_host(&mut self, container: Pid) -> Result<()> {
        self.container = Some(container);
        self.act("host")?;
        self.act("process-host")
    }

    fn in_container(&self) -> Result<()> {
        self.act("inside")?;
        self.act("process")
    }
}

impl Wall {
    fn act(&self, now: &str) -> Result<()> {
        // `each` says its name in all parts.
        if self.part == "each" && matches!(now, "host" | "inside") {
            say(&format!("{now} {}", self.action));
        }
        if self.part != now {
            return Ok(());
        }
        match self.action.as_str() {
            "error" => bail!("the wall fell over ({now})"),
            "ioerror" => drop(fs::read("/nonexistent").context("cannot read /nonexistent")?),
            "long-error" => bail!("{}", "x".repeat(100_000)),
            "panic" => panic!("the wall fell on its builder ({now})"),
            // Says so, and goes on when there is something to read.
            "pause" => {
                say(&format!("{now} paused"));
                let _ = stdin().read(&mut [0]);
            }
            "error-after-pause" => {
                say(&format!("{now} paused"));
                let _ = stdin().read(&mut [0]);
                bail!("the wall fell over ({now})");
            }
            "abort" => std::process::abort(),
            "print" => {
                write!(stdout(), "printed without a newline by {now};")?;
            }
            // Both disarm the parent-death signal.
            "setuid" => setuid(Uid::from_raw(65534)).context("cannot become somebody else")?,
            "disarm" => prctl::set_pdeathsig(None::<Signal>)?,
            "child" => drop(Command::new("grep").args(["SigBlk", "/proc/self/status"]).status()?),
            "tell" | "leave" => {}
            other => bail!("this wall cannot {other:?}"),
        }
        Ok(())
    }
}

impl Drop for Wall {
    fn drop(&mut self) {
        let Some(container) = self.container.filter(|_| self.part == "each") else { return };
        let state = match fs::exists(format!("/proc/{container}")) {
            Ok(true) => "is there",
            _ => "is gone",
        };
        say(&format!("drop {}, the container {state}", self.action));
    }
}

fn say(text: &str) {
    let _ = writeln!(stdout(), "{text}").and_then(|()| stdout().flush());
    let _ = stderr().flush();
}
