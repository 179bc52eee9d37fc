//! `storyboard CALLS COMMAND …`: the system calls that make a story, process by process.
//!
//! strace shows everything, in the order in which it happened to hear of it. This shows of each process the calls
//! that were named, without addresses and counts: what is the same each time, and so can be printed in a book.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, anyhow};
use clap::Parser;

/// Run a command and print the system calls that it makes, for each of its processes in order.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// Also show the calls that fail
    #[arg(long)]
    failed: bool,
    /// The calls to show, with commas between: what strace takes after `-e trace=`
    calls: String,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("storyboard: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the exit code of the command, or strace's own.
fn run(cli: &Cli) -> Result<u8> {
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    // One file for each process, so that no call is cut in two where they work at the same time.
    let mut strace = Command::new("strace")
        .args(["--follow-forks", "--output-separately", "--quiet=all", "--signal=none", "-s", "80"])
        .arg(format!("--trace={}", cli.calls))
        .arg("--output")
        .arg(folder.path().join("process"))
        .arg("--")
        .args(&cli.command)
        .spawn()
        .map_err(|error| anyhow!("cannot run strace: {error}\nsudo apt-get install strace, or dnf"))?;
    let status = strace.wait().context("cannot wait for strace")?;
    let stories = stories(folder.path(), strace.id(), cli.failed)?;
    let mut text = String::new();
    for (index, story) in stories.iter().enumerate() {
        if stories.len() > 1 {
            text += &format!("{} process:\n", name(index));
        }
        text.extend(story.iter().map(|line| format!("  {line}\n")));
    }
    // That only the first lines are read, as by `head`, is no error.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1) as u8)
}

fn name(index: usize) -> String {
    const NAMES: [&str; 6] = ["first", "second", "third", "fourth", "fifth", "sixth"];
    NAMES.get(index).map_or_else(|| format!("{}th", index + 1), |name| (*name).to_owned())
}

/// What each process did, in the order of their births. Numbers are given in order too, and begin again after the last.
fn stories(folder: &Path, strace: u32, failed: bool) -> Result<Vec<Vec<String>>> {
    let last = fs::read_to_string("/proc/sys/kernel/pid_max").context("cannot read the last process id")?;
    let last: u32 = last.trim().parse().context("the last process id is no number")?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).context("cannot read what strace wrote")? {
        let file = entry?.path();
        // strace calls them process.PID.
        let pid: u32 =
            file.extension().and_then(|pid| pid.to_str()?.parse().ok()).context("a file without a number")?;
        let text = fs::read(&file).context("cannot read what strace wrote")?;
        found.push(((pid + last - strace) % last, String::from_utf8_lossy(&text).into_owned()));
    }
    found.sort();
    let mut stories = Vec::new();
    for (index, (_, text)) in found.iter().enumerate() {
        // The first process begins by becoming the command, which is strace's own call.
        let own = usize::from(index == 0 && text.starts_with("execve("));
        let lines: Vec<_> = text.lines().skip(own).filter_map(|line| call(line, failed)).collect();
        if !lines.is_empty() {
            stories.push(lines);
        }
    }
    Ok(stories)
}

/// One line of strace's, without what varies: the result of a success, addresses.
fn call(line: &str, failed: bool) -> Option<String> {
    let (call, result) = match line.rsplit_once(" = ") {
        Some((call, result)) => (call.trim_end(), result),
        None => (line, ""),
    };
    match result.starts_with("-1 ") {
        true if !failed => None,
        true => Some(format!("{} = {result}", without_addresses(call))),
        false => Some(without_addresses(call)),
    }
}

/// An address is a number of more than four hexadecimal digits; what strace says of the memory there goes with it.
fn without_addresses(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("0x") {
        let digits = rest[start + 2..].chars().take_while(char::is_ascii_hexdigit).count();
        let (before, after) = (&rest[..start], &rest[start + 2 + digits..]);
        kept += before;
        if digits > 4 {
            kept += "…";
            rest = after.strip_prefix(" /*").and_then(|note| Some(note.split_once("*/")?.1)).unwrap_or(after);
        } else {
            kept += &rest[start..start + 2 + digits];
            rest = after;
        }
    }
    kept + rest
}
