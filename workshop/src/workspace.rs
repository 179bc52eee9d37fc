//! Where the workshop is, and its steps.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folder that holds `steps/` and `book/`: this one, or the nearest above it.
pub fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("cannot tell the working directory")?;
    for folder in here.ancestors() {
        if is_workspace(folder) {
            return Ok(folder.to_owned());
        }
    }
    bail!(
        "{} is not inside the workshop\nno folder above it has steps/ and Cargo.toml: cd into your clone",
        here.display()
    )
}

/// The folder of step `number`, such as `steps/04-mount`.
pub fn step(root: &Path, number: u8) -> Result<PathBuf> {
    let wanted = format!("{number:02}-");
    let steps = root.join("steps");
    let entries = fs::read_dir(&steps).with_context(|| format!("cannot list {}", steps.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    match names.iter().find(|name| name.starts_with(&wanted)) {
        Some(name) => Ok(steps.join(name)),
        None => bail!("there is no step {number:02}; there are {}", names.join(", ")),
    }
}

/// Whether a folder is the workshop's own.
pub fn is_workspace(folder: &Path) -> bool {
    folder.join("steps").is_dir() && folder.join("Cargo.toml").is_file()
}
