//! `cargo workshop diff N`: what is new in a step's `main.rs`, against the step before it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use similar::TextDiff;

use crate::workspace;

/// Lines around each change.
const CONTEXT: usize = 2;

/// The unified difference between the `main.rs` of step `number` and of the one before it.
///
/// Only 02 to 06 have one: 01 is the first, and 07 is a program of its own.
pub fn between(root: &Path, number: u8) -> Result<String> {
    if !(2..=6).contains(&number) {
        bail!("step {number:02} does not continue the main.rs of another step: 02 to 06 do");
    }
    let (before, after) = (main_of(root, number - 1)?, main_of(root, number)?);
    let difference = TextDiff::from_lines(&before.text, &after.text);
    let text =
        difference.unified_diff().context_radius(CONTEXT).header(&before.name, &after.name).to_string();
    if text.is_empty() {
        bail!("{} and {} are the same", before.name, after.name);
    }
    Ok(text)
}

struct Main {
    name: String,
    text: String,
}

/// A step's main.rs, without the marks that are there for the book.
fn main_of(root: &Path, number: u8) -> Result<Main> {
    let file = workspace::step(root, number)?.join("src/main.rs");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().filter(|line| !line.contains("// ANCHOR"));
    let text = lines.map(|line| format!("{line}\n")).collect();
    let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
    Ok(Main { name, text })
}
