//! Writing the maps: each can be written once, and from then on ids have a meaning.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::unistd::Pid;
use step01_unshare::{refused, why};

use crate::Range;
use crate::causes::{HELPERS, ID_MAP};

// ANCHOR: file
/// Writes a file that decides about the ids of a process (`man 7 user_namespaces`).
pub(crate) fn file(container: Pid, name: &str, text: &str) -> Result<()> {
    let path = format!("/proc/{container}/{name}");
    fs::write(&path, text).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        let tried = format!("cannot write `{}` to {path}", text.trim_end().replace('\n', ", "));
        refused(&tried, errno, why(ID_MAP, errno, &[Path::new(&path)]))
    })
}

/// The lines of a map.
pub(crate) fn text(ranges: &[Range]) -> String {
    ranges.iter().map(|range| format!("{range}\n")).collect()
}
// ANCHOR_END: file

// ANCHOR: by_helpers
/// Has newuidmap and newgidmap write the maps (`man 1 newuidmap`).
pub(crate) fn by_helpers(container: Pid, uids: &[Range], gids: &[Range]) -> Result<()> {
    // Both are started before one is waited for: they take more time than all the rest.
    let started = [("newuidmap", uids), ("newgidmap", gids)]
        .map(|(program, ranges)| (program, start(program, container, ranges)));
    for (program, child) in started.map(|(program, child)| (program, child.map(Child::wait_with_output))) {
        judge(program, container, child?.with_context(|| format!("cannot wait for {program}"))?)?;
    }
    Ok(())
}

fn start(program: &str, container: Pid, ranges: &[Range]) -> Result<Child> {
    let mut command = Command::new(program);
    command.arg(container.to_string());
    for Range { inside, outside, length } in ranges {
        command.args([inside, outside, length].map(u32::to_string));
    }
    // What it says is read below.
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        refused(&format!("cannot run {program}"), errno, why(HELPERS, errno, &[]))
    })
}
// ANCHOR_END: by_helpers

// ANCHOR: judge
fn judge(program: &str, container: Pid, output: Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches(program).trim_start_matches(':').trim();
    let said = if said.is_empty() { output.status.to_string() } else { said.replace('\n', ", ") };
    // It prints the meaning of an errno, and not its number. Only this one has several causes.
    let refused = said.contains("not permitted") || said.contains("not allowed");
    let map = format!("/proc/{container}/{}", program.trim_start_matches("new").replace("map", "_map"));
    let about = [Path::new(program), Path::new(&map)];
    let why = refused.then(|| why(HELPERS, Errno::EPERM, &about)).flatten();
    let why = why.map(|text| format!(": {text}")).unwrap_or_default();
    bail!("cannot map the ids: {program}: {said}{why}")
}
// ANCHOR_END: judge
