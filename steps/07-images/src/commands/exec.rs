//! `exec`: one more command in a container that runs.

use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, setsid};
use step03_pid::{Container, Failed};

use super::Place;
use super::start::read_again;
use crate::container::{
    Asked, NoInput, Opposite, WorkDirectory, console, relay, settled_variables, variable,
};
use crate::monitor::client::{Attached, Client, Outcome};
use crate::monitor::detach::DetachKeys;
use crate::monitor::frames::{Kind, frame, resize};
use crate::monitor::terminal::size_option;
use crate::monitor::{Settings, close_all_at_exec, program};
use crate::preferences::detach_keys;
use crate::records::{Containers, Recipe, Record, Status};
use crate::sealed;
use crate::waiting::other_end_has_gone;

/// Run a command in a container that runs.
#[derive(Debug, Clone, Args)]
pub struct Exec {
    /// Leave it running
    #[arg(short, long)]
    detach: bool,
    /// The standard input is the line to whoever waits for the start
    #[arg(long, hide = true)]
    report: bool,
    /// Pass the standard input in
    #[arg(short, long)]
    pub(super) interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub(super) tty: bool,
    /// Set a variable: NAME=VALUE, or NAME for the value that it has here
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = OsStringValueParser::new().try_map(variable))]
    pub(super) env: Vec<OsString>,
    /// Read variables from a file
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Vec<PathBuf>,
    /// Where the command starts
    #[arg(short, long, value_name = "DIRECTORY")]
    pub(super) workdir: Option<PathBuf>,
    /// Who the command runs as: a name or a uid, and a group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(super) user: Option<String>,
    /// Rows and columns of the terminal, at the start
    #[arg(long, value_delimiter = ',', hide = true)]
    size: Vec<u8>,
    /// The keys that leave it running: `ctrl-p,ctrl-q`
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// A name or an id, and the command with its arguments
    #[arg(required = true, num_args = 2.., value_names = ["CONTAINER", "COMMAND"], trailing_var_arg = true)]
    pub(super) words: Vec<OsString>,
}

impl Exec {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        if self.tty && self.interactive && !self.detach && !std::io::stdin().is_terminal() {
            return Err(Failed { code: 1, text: "the input device is not a TTY".into() }.into());
        }
        let containers = place.containers()?;
        let text = self.words[0].to_string_lossy();
        let record = containers.find(&text)?;
        if record.state.status == Status::Restarting {
            bail!("Container {} is restarting, wait until the container is running", record.id);
        }
        let Some(pid) = record.state.open_pid().filter(|_| record.state.status == Status::Running) else {
            bail!("Container {} is not running", record.id);
        };
        let pid = Pid::from_raw(pid);
        // Read here and once: what is named may be a pipe of the caller's, `<(…)`.
        let variables = match self.report {
            true => hear_variables().context("cannot hear which variables there are")?,
            false => settled_variables(&self.env_file, &self.env)?,
        };
        let run = || match self.run(&containers, &record, pid, &variables).map_err(not_run) {
            // It has ended while we were on our way in: whatever failed there, this is why.
            Err(_) if record.state.open_pid().is_none() => bail!("Container {} is not running", record.id),
            other => other,
        };
        match (self.report, self.detach || self.tty) {
            (true, _) => tell(run()),
            (false, true) => self.with_monitor(place, &variables),
            (false, false) => run(),
        }
    }

    // ANCHOR: exec
    fn run(&self, containers: &Containers, record: &Record, pid: Pid, variables: &[OsString]) -> Result<u8> {
        let directory = containers.directory_of(record);
        let image = Recipe::read(&directory)?.image;
        // The container's own settings, as far as nothing else is asked for.
        let run = read_again(containers, record)?.with(self, variables);
        let asked = Asked::new(record.id.clone(), directory, image, run)?;
        let container = Container::new().beside(pid);
        // What our caller does not want to hear just now is no business of the command's.
        SigSet::empty().thread_set_mask().context("cannot unblock signals")?;
        if self.report {
            return self.stay(container, &asked, record, pid);
        }
        let (inside, mut relay) = relay(self.interactive, true, true)?;
        let mut container = container.with_process(inside);
        if !self.interactive {
            container = container.with_process(NoInput);
        }
        let created = self.in_place(container, &asked).create(asked.last()?)?;
        is_the_containers(record, pid)?;
        created.start()?.wait_and_serve(Some(&mut relay))
    }

    /// What belongs to the command, wherever what it prints goes.
    fn in_place(&self, container: Container, asked: &Asked) -> Container {
        container
            .with_process(WorkDirectory { make: false, ..asked.work_directory() })
            .with_process(asked.identity())
    }
    // ANCHOR_END: exec

    /// Starts this program again, which becomes the monitor of the command, and waits until that runs. Then we are
    /// attached to it, unless it is to stay by itself.
    fn with_monitor(&self, place: &Place, variables: &[OsString]) -> Result<u8> {
        let (ours, theirs) = UnixStream::pair().context("cannot make a socket pair")?;
        let (mut command, _open) = sealed::program()?;
        command.arg("--root").arg(place.directory()?).args(["exec", "--report"]);
        command.args(self.tty.then_some("--tty"));
        command.args(size_option());
        let options = [
            ("--workdir", self.workdir.as_ref().map(|path| path.as_os_str())),
            ("--user", self.user.as_ref().map(OsStr::new)),
        ];
        for (name, value) in options {
            command.args(value.into_iter().flat_map(|value| [OsStr::new(name), value]));
        }
        command.args(&self.words);
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        // As with a container's monitor: it may stay for days, and what our caller has open shall not.
        close_all_at_exec()?;
        command.spawn().context("cannot start this program again")?;
        // It has the other end of the line, and we hear of its end as long as we have not.
        drop(command);
        say_variables(&ours, variables);
        let mut client = Client::new(ours);
        client.hear_started().map_err(not_run)?;
        if self.detach {
            return Ok(0);
        }
        let detach_keys = detach_keys(self.detach_keys.as_ref())?;
        let attached = Attached {
            input: self.interactive,
            output: true,
            error: true,
            tty: true,
            detach_keys,
            signals: true,
        };
        let outcome = client.attach(&attached)?;
        if let Outcome::Left(_) = outcome {
            // Nobody could come back to it: it is told what a command in a closed window is told.
            client.say(Kind::Signal, &[Signal::SIGHUP as u8]);
        }
        Ok(outcome.code())
    }

    /// Starts the command, and becomes the small program that waits for it.
    fn stay(&self, container: Container, asked: &Asked, record: &Record, pid: Pid) -> Result<u8> {
        // Before the command is born: otherwise the terminal of whoever asked would be its own.
        let _ = setsid();
        let line = std::io::stdin().as_fd().try_clone_to_owned().context("cannot duplicate a descriptor")?;
        let (container, opposite) = match self.tty {
            true => console().map(|(inside, outside)| (container.with(inside), Some(outside)))?,
            false => (container.with_process(NoInput), None),
        };
        let created = self.in_place(container, asked).create(asked.last()?)?;
        is_the_containers(record, pid)?;
        let terminal = opposite.map(Opposite::receive).transpose()?;
        if let Some(terminal) = &terminal {
            resize(terminal, &self.size);
        }
        if other_end_has_gone(&line) {
            bail!("whoever asked for the command has gone");
        }
        let running = created.start()?;
        let of_exec = Settings::of_exec(&asked.id, running.pid().as_raw());
        let terminal = terminal.as_ref().map(AsRawFd::as_raw_fd);
        let settings = Settings { client: Some(line.as_raw_fd()), terminal, ..of_exec };
        let mut small = program();
        small.args(settings.words()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Err(running.hand_over(&mut small))
    }
}

/// On the line and not among the words, which everybody on the host may read (`man 5 proc`, /proc/PID/cmdline): their
/// length, and each with a NUL at its end. If the other side is dead, that is heard next.
fn say_variables(mut line: &UnixStream, variables: &[OsString]) {
    let all: Vec<u8> = variables.iter().flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
    let _ = line.write_all(&(all.len() as u64).to_be_bytes()).and_then(|()| line.write_all(&all));
}

/// The other end of [`say_variables`]. No byte more is read: the rest is the monitor's.
fn hear_variables() -> Result<Vec<OsString>> {
    let mut line = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut length = [0; 8];
    line.read_exact(&mut length)?;
    let mut all = vec![0; usize::try_from(u64::from_be_bytes(length))?];
    line.read_exact(&mut all)?;
    let ended = all.split_inclusive(|byte| *byte == 0);
    Ok(ended.map(|one| OsStr::from_bytes(&one[..one.len() - 1]).to_owned()).collect())
}

/// Whether the number was that of the container's process all the time: the container may have ended before we were in,
/// and the number may have become another process's, one of the host's. What we have made there has not run anything.
fn is_the_containers(record: &Record, pid: Pid) -> Result<()> {
    match record.state.open_pid() == Some(pid.as_raw()) {
        true => Ok(()),
        false => bail!("Container {} is not running", record.id),
    }
}

/// Whatever the reason, in Docker's eyes the command could not be run.
fn not_run(error: Error) -> Error {
    let failed = Failed::from(error);
    Failed { code: if failed.code == 125 { 126 } else { failed.code }, ..failed }.into()
}

/// Whoever waits at the other end of the line prints it.
fn tell(outcome: Result<u8>) -> Result<u8> {
    if let Err(error) = &outcome {
        let code = error.downcast_ref().map_or(126, |failed: &Failed| failed.code);
        let told = [&[code], step01_unshare::message(error).as_bytes()].concat();
        let line = std::io::stdin().as_fd().try_clone_to_owned().context("cannot duplicate a descriptor")?;
        let _ = UnixStream::from(line).write_all(&frame(Kind::Failed, &told));
    }
    outcome
}
