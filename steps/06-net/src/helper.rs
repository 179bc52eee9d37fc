//! A helper program that lives as long as a pipe to it is open.
//!
//! The kernel closes the pipe when we end, however we end: whoever reads from it then knows.

use std::fs;
use std::io::{PipeReader, Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{AccessFlags, Pid, access};

// ANCHOR: helper
/// After such a silence we look whether the helper works, and after another one whether it still does. Who works has time:
/// a machine may be slow.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running helper: its input is the pipe, and what it prints is heard here.
#[derive(Debug)]
pub(crate) struct Helper {
    name: String,
    child: Child,
    output: PipeReader,
    patience: Duration,
}

impl Helper {
    /// Starts the program. Standard output and standard error are one stream, unless it gets something else in place
    /// of the latter.
    pub(crate) fn start(command: &mut Command, error: Option<OwnedFd>) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (output, writer) = pipe().context("cannot make a pipe")?;
        let also = match error {
            Some(error) => error,
            None => writer.try_clone().context("cannot make a pipe")?.into(),
        };
        let child = command
            .stdin(Stdio::piped())
            .stdout(writer)
            .stderr(also)
            .env("LC_ALL", "C")
            // ^Z stops all of our group: a helper that is stopped could not end when we do.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        // The command holds our copies of the writing end: without them, end of file is heard.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { name, child, output, patience: PATIENCE })
    }

    /// Writes to its standard input.
    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("the input is closed")?;
        input.write_all(text.as_bytes()).with_context(|| format!("cannot write to {}", self.name))
    }

    /// Listens until `enough` of what was printed, or until the end of it.
    pub(crate) fn hear(&mut self, enough: &dyn Fn(&str) -> bool) -> Result<String> {
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        let mut worked = None;
        loop {
            let text = String::from_utf8_lossy(&heard);
            if enough(&text) {
                return Ok(text.into_owned());
            }
            let mut ready = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            let limit = PollTimeout::try_from(self.patience).unwrap_or(PollTimeout::NONE);
            if poll(&mut ready, limit).with_context(|| format!("cannot wait for {}", self.name))? == 0 {
                let before = worked.replace(self.work());
                if worked == before {
                    bail!("{} has done nothing for {} seconds", self.name, self.patience.as_secs());
                }
                continue;
            }
            match self.output.read(&mut buffer).with_context(|| format!("cannot hear {}", self.name))? {
                0 => return Ok(text.into_owned()),
                length => heard.extend(&buffer[..length]),
            }
        }
    }

    /// The processor's time that it and its children have had, in ticks of the kernel (`man 5 proc_pid_stat`).
    fn work(&self) -> u64 {
        let helper = self.child.id().to_string();
        let ticks = |stat: String| {
            // Behind the name, which may have blanks in it: state, parent, and the times further on.
            let (number, fields) = (stat.split(' ').next()?, stat.rsplit_once(") ")?.1);
            let fields: Vec<_> = fields.split(' ').collect();
            let times = fields.get(11..15).filter(|_| number == helper || fields[1] == helper)?;
            Some(times.iter().flat_map(|time| time.parse::<u64>()).sum::<u64>())
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes.filter_map(|one| fs::read_to_string(one.path().join("stat")).ok()).filter_map(ticks).sum()
    }

    /// Closes the pipe, which ends it, and waits until it is gone.
    pub(crate) fn end(&mut self) {
        self.let_go();
        // If somebody has stopped it, it goes on, and reads the end of file.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGCONT);
        let _ = self.child.wait();
    }

    /// Closes the pipe, and leaves it alone with its end.
    pub(crate) fn let_go(&mut self) {
        self.child.stdin = None;
    }
}
// ANCHOR_END: helper

// ANCHOR: program
/// Where a program is: in the folders of PATH, or in those of the administrator, which an
/// ordinary user's PATH may lack.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| access(file, AccessFlags::X_OK).is_ok())
}
// ANCHOR_END: program

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a second of patience, and what is heard up to "done".
    fn heard_of(script: &str) -> Result<String> {
        let mut helper = Helper::start(Command::new("sh").args(["-c", script]), None)?;
        helper.patience = Duration::from_millis(500);
        let heard = helper.hear(&|text| text.contains("done"));
        helper.child.kill()?;
        helper.child.wait()?;
        heard
    }

    #[test]
    fn who_works_may_be_silent_for_long() {
        let works = "end=$(($(date +%s) + 2)); while [ $(date +%s) -lt $end ]; do :; done; echo done";
        assert_eq!(heard_of(works).unwrap(), "done\n");
        // The helper may be a shell that waits for another program.
        assert_eq!(heard_of(&format!("sh -c '{works}' & wait")).unwrap(), "done\n");
    }

    #[test]
    fn who_does_nothing_is_given_up() {
        let error = heard_of("exec sleep 60").unwrap_err().to_string();
        assert_eq!(error, "sh has done nothing for 0 seconds");
    }
}
