//! When the sessions of each page were last executed, and on which kernel: the published book says so.
//!
//! `--check` writes it down beside what Cargo builds, with a hash of the page; the HTML gets one line for each page.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::blocks::Page;
use super::summary;
use crate::workspace::is_workspace;

/// A page was run, and all of it was as printed.
pub fn note(page: &Page) -> Result<()> {
    let Some(file) = record(&page.file) else { return Ok(()) };
    let mut all = read(&file);
    let kernel = nix::sys::utsname::uname().context("cannot tell the kernel")?;
    let day = Command::new("date").args(["-u", "+%F"]).output().context("cannot run date")?;
    let said = json!({
        "kernel": kernel.release().to_string_lossy(),
        "day": String::from_utf8_lossy(&day.stdout).trim(),
        "hash": hash(&page.lines.join("\n")),
    });
    all.insert(name(&page.file), said);
    fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).context("cannot make target")?;
    fs::write(&file, serde_json::to_string_pretty(&all)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Puts the line into the pages that were built into `folder`.
pub fn print(book: &Path, folder: &Path) -> Result<()> {
    for file in summary::pages(book, &[], &mut Vec::new())? {
        let text = fs::read_to_string(&file)?;
        if !text.contains("```console") {
            continue;
        }
        let html = folder.join(file.with_extension("html").file_name().unwrap_or_default());
        let built = fs::read_to_string(&html).with_context(|| format!("cannot read {}", html.display()))?;
        let line = format!("<p class=\"executed\">{}</p>\n", sentence(&file, &text));
        let new = built.replacen("</main>", &format!("{line}</main>"), 1);
        fs::write(&html, new).with_context(|| format!("cannot write {}", html.display()))?;
    }
    Ok(())
}

fn sentence(file: &Path, text: &str) -> String {
    let known = record(file).and_then(|record| read(&record).remove(&name(file)));
    let text = text.lines().collect::<Vec<_>>().join("\n");
    match known.filter(|known| known["hash"] == hash(&text)) {
        Some(known) => format!(
            "Every session of this page was last executed on {}, on Linux {}.",
            known["day"].as_str().unwrap_or("?"),
            known["kernel"].as_str().unwrap_or("?")
        ),
        None => "The sessions of this page have not been executed as they stand here.".into(),
    }
}

/// `target/executed.json` of the workspace that the page is in.
fn record(page: &Path) -> Option<PathBuf> {
    let root = page.ancestors().skip(1).find(|folder| is_workspace(folder))?;
    Some(root.join("target/executed.json"))
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(file: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// FNV-1a, which is the same on every machine and in every release.
fn hash(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}
