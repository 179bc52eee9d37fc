//! Writing the maps: each can be written once, and from then on ids have a meaning.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::unistd::Pid;
use step01_unshare::{Namespaces, hint};

use crate::Range;
use crate::rights::find;

// ANCHOR: file
/// Writes a file that decides about the ids of a process (`man 7 user_namespaces`).
pub(crate) fn file(container: Pid, name: &str, text: &str) -> Result<()> {
    let path = format!("/proc/{container}/{name}");
    fs::write(&path, text).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        let way_out = hint(Namespaces::USER, errno).map(|text| format!("\n{text}")).unwrap_or_default();
        anyhow!("cannot write `{}` to {path}: {errno}{way_out}", text.trim_end().replace('\n', ", "))
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
        judge(program, child?.with_context(|| format!("cannot wait for {program}"))?)?;
    }
    Ok(())
}

fn start(program: &str, container: Pid, ranges: &[Range]) -> Result<Child> {
    let mut command = Command::new(program);
    command.arg(container.to_string());
    for Range { inside, outside, length } in ranges {
        command.args([inside, outside, length].map(u32::to_string));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("cannot run {program}: it is missing\nsudo apt install uidmap"),
        _ => anyhow::Error::new(error).context(format!("cannot run {program}")),
    })
}
// ANCHOR_END: by_helpers

// ANCHOR: judge
fn judge(program: &str, output: Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches(program).trim_start_matches(':').trim();
    let said = if said.is_empty() { output.status.to_string() } else { said.replace('\n', ", ") };
    bail!("cannot map the ids: {program}: {said}{}", way_out(program).unwrap_or_default())
}

/// Why a helper may lack the rights that it is there to have.
fn way_out(program: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    if status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"])) {
        return Some(": a setuid program has no effect here (NoNewPrivs)".into());
    }
    let path = find(program)?;
    let has_bit = |path: &Path| fs::metadata(path).map(|found| found.permissions().mode() & 0o4000 != 0);
    // Some systems give it a file capability in place of the bit.
    let has_capability = rustix::fs::getxattr(&path, "security.capability", &mut [0_u8; 64][..]).is_ok();
    match has_bit(&path) {
        Ok(false) if !has_capability => {
            Some(format!(": it has no setuid bit\nsudo chmod u+s {}", path.display()))
        }
        _ => None,
    }
}
// ANCHOR_END: judge
