//! `top`: the processes of a container, as the host sees them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::Place;
use crate::human::aligned;
use crate::text::{answer, visible};

/// List the processes of a container.
#[derive(Debug, Args)]
pub struct Top {
    /// Its name or id
    container: String,
    /// Options of the host's ps (man 1 ps); -ef if there are none
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS OPTIONS")]
    options: Vec<OsString>,
}

impl Top {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        let record = place.containers()?.find(&self.container)?;
        let Some(first) = record.state.running_pid() else {
            bail!("Container {} is not running", record.id);
        };
        let processes = processes(first)?;
        let mut lines = self.ask_ps(&processes)?.into_iter();
        let titles = lines.next().unwrap_or_default();
        let titles: Vec<&str> = titles.split_whitespace().collect();
        let column = titles
            .iter()
            .position(|title| *title == "PID")
            .context("Couldn't find PID field in ps output")?;
        let mut rows = vec![titles.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>()];
        for line in lines {
            let cells = cells(&line, titles.len());
            if cells.get(column).and_then(|pid| pid.parse().ok()).is_some_and(|pid| processes.contains(&pid))
            {
                rows.push(cells);
            }
        }
        answer(aligned(&rows, 20))?;
        Ok(0)
    }

    /// What `ps` prints of these processes, or of all. It is the host's, so nothing of the image is run.
    fn ask_ps(&self, processes: &[i32]) -> Result<Vec<String>> {
        let numbers: Vec<String> = processes.iter().map(i32::to_string).collect();
        // Some options cannot be used together with a list of processes: then all are printed.
        let output = match self.ps(&[format!("-q{}", numbers.join(","))])? {
            output if output.status.success() => output,
            _ => self.ps(&[])?,
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("ps: {}", visible(said.lines().next().unwrap_or("it failed").as_bytes()));
        }
        Ok(output.stdout.split(|byte| *byte == b'\n').map(visible).collect())
    }

    fn ps(&self, more: &[String]) -> Result<Output> {
        let mut ps = Command::new("ps");
        match self.options.is_empty() {
            true => ps.arg("-ef"),
            false => ps.args(&self.options),
        };
        // However narrow the terminal is, no line is cut.
        match ps.args(more).env_remove("COLUMNS").stdin(Stdio::null()).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("ps is missing\nsudo apt install procps")
            }
            other => other.context("cannot run ps"),
        }
    }
}

// ANCHOR: processes
/// The processes of the container whose first one this is. The kernel knows them by their pid namespace, or by their
/// mounts where they share a pid namespace with others; what a process calls itself says nothing.
fn processes(first: i32) -> Result<Vec<i32>> {
    let kind = if is_process_one(first)? { "pid" } else { "mnt" };
    let namespace =
        |pid: i32| fs::metadata(PathBuf::from(format!("/proc/{pid}/ns/{kind}"))).map(|found| found.ino());
    let wanted = namespace(first).context("cannot tell the container's namespace")?;
    let entries = fs::read_dir("/proc").context("cannot read /proc")?.flatten();
    let all = entries.filter_map(|entry| str::from_utf8(entry.file_name().as_bytes()).ok()?.parse().ok());
    // One that has ended meanwhile has none any more.
    Ok(all.filter(|pid| namespace(*pid).is_ok_and(|found| found == wanted)).collect())
}

/// The last number is the one that it has in its own namespace (`man 5 proc_pid_status`).
fn is_process_one(pid: i32) -> Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the container has just ended")?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    Ok(numbers.split_whitespace().last() == Some("1"))
}
// ANCHOR_END: processes

/// As many cells as there are titles: what has blanks in it is the last one.
fn cells(line: &str, columns: usize) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let split = columns.saturating_sub(1).min(words.len());
    let mut cells: Vec<String> = words[..split].iter().map(|word| (*word).to_owned()).collect();
    if split < words.len() {
        cells.push(words[split..].join(" "));
    }
    cells
}
