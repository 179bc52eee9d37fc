//! The steps' binaries, `storyboard` and `workshop`, built, in a folder that an ordinary user can read too.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::folder;
use super::session::{Act, Event};
use crate::workspace;

/// Which packages the events need: their commands name `step04`, `coracle`, `storyboard` or `workshop`.
pub fn needed<'a>(root: &Path, events: impl Iterator<Item = &'a Event>) -> Result<BTreeSet<String>> {
    let mut packages = BTreeSet::new();
    for event in events {
        let Act::Type(lines) = &event.act else { continue };
        let line = lines.join(" ");
        for word in line.split(|c: char| !c.is_ascii_alphanumeric()) {
            let number = word
                .strip_prefix("step")
                .filter(|digits| digits.len() == 2)
                .and_then(|digits| digits.parse().ok());
            if let Some(number) = number {
                let folder = workspace::step(root, number)
                    .with_context(|| format!("line {} runs {word}", event.line))?;
                // The folder 04-mount holds the package step04-mount.
                packages.extend(
                    folder.file_name().and_then(|name| name.to_str()).map(|name| format!("step{name}")),
                );
            } else if word == "coracle" {
                packages.insert(word.to_owned());
            } else if matches!(word, "storyboard" | "workshop") {
                packages.insert("workshop".to_owned());
            }
        }
    }
    Ok(packages)
}

/// Programs that the events name and that `tests/run` has only unpacked, since their packages would start services.
pub fn unpacked<'a>(root: &Path, events: impl Iterator<Item = &'a Event>) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for event in events {
        let Act::Type(lines) = &event.act else { continue };
        let words = lines.iter().flat_map(|line| line.split_whitespace());
        found.extend(
            words.filter(|word| !word.contains(['/', '.'])).map(|word| root.join(UNPACKED).join(word)),
        );
    }
    found.retain(|file| file.is_file());
    found
}

/// Where those are.
pub const UNPACKED: &str = "target/tools/usr/bin";

/// Builds the packages by cargo: their binaries.
pub fn build(root: &Path, packages: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
    if packages.is_empty() { Ok(Vec::new()) } else { cargo_build(root, packages) }
}

/// Those that were built already.
pub fn built(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut found = Vec::new();
    for entry in folder.read_dir().with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let about = path.metadata().with_context(cannot)?;
        if about.is_file() && about.permissions().mode() & 0o111 != 0 {
            found.push(path);
        }
    }
    Ok(found)
}

/// Puts the programs into one folder.
pub fn gather(programs: &[PathBuf]) -> Result<TempDir> {
    let target = folder::readable("coracle-bin-")?;
    for binary in programs {
        let name = binary.file_name().context("a binary without a name")?;
        let to = target.path().join(name);
        // A link where the file system allows one: a debug build is large.
        if std::fs::hard_link(binary, &to).is_err() {
            std::fs::copy(binary, &to).with_context(|| format!("cannot copy {}", binary.display()))?;
        }
    }
    Ok(target)
}

fn cargo_build(root: &Path, packages: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--bins", "--message-format=json-render-diagnostics"]).current_dir(root);
    for package in packages {
        build.args(["--package", package]);
    }
    let output = build.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the steps do not build, so no session was run");
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    Ok(executables.collect())
}
