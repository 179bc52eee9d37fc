//! `cargo workshop book --look`: every page in a browser, as on a phone and on a desk; nothing may stick out.
//! `--pdf` prints the whole book by the same browser.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::summary;

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
const LOOK: &str = include_str!("look.html");

/// Looks at the pages, and prints what sticks out. Returns whether nothing does.
pub fn run(book: &Path) -> Result<bool> {
    let folder = tempfile::tempdir().context("cannot make a folder for the pages")?;
    if !super::build(book, Some(folder.path()))? {
        return Ok(false);
    }
    let mut pages = Vec::new();
    for file in summary::pages(book, &[], &mut Vec::new())? {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        pages.push(format!("{stem}.html"));
    }
    let look = folder.path().join("look-at-all.html");
    std::fs::write(&look, LOOK.replace("/*PAGES*/[]", &format!("{pages:?}")))
        .with_context(|| format!("cannot write {}", look.display()))?;
    // Each page is a file, and this one looks into them.
    let words = ["--allow-file-access-from-files", "--virtual-time-budget=600000", "--dump-dom"];
    let text = browser(&words, &look)?;
    let mut parts = text.split("@@").skip(1);
    let (Some(seen), Some(found)) = (parts.next().and_then(|text| text.parse::<usize>().ok()), parts.next())
    else {
        bail!("the browser has not looked at all pages: it wrote {} bytes", text.len());
    };
    if seen != 2 * pages.len() || pages.is_empty() {
        bail!("the browser has looked at {seen} pages, and not at {}", 2 * pages.len());
    }
    for problem in found.lines() {
        eprintln!("{}", problem.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
    }
    println!("{} pages looked at, at 390 and at 1440 pixels", pages.len());
    Ok(found.trim().is_empty())
}

/// Prints the book into a file.
pub fn pdf(book: &Path, file: &Path) -> Result<bool> {
    let folder = tempfile::tempdir().context("cannot make a folder for the pages")?;
    if !super::build(book, Some(folder.path()))? {
        return Ok(false);
    }
    let words = [format!("--print-to-pdf={}", file.display()), "--no-pdf-header-footer".to_owned()];
    browser(&words.each_ref().map(String::as_str), &folder.path().join("print.html"))?;
    let length = std::fs::metadata(file).with_context(|| format!("cannot find {}", file.display()))?.len();
    println!("{}: {} KiB", file.display(), length / 1024);
    Ok(true)
}

/// Runs a browser without a window, with nothing of its user's, and returns what it printed.
fn browser(words: &[&str], page: &Path) -> Result<String> {
    let profile = tempfile::tempdir().context("cannot make a folder for the browser")?;
    for name in BROWSERS {
        // The pages are our own: they need no box, which is not to be had everywhere.
        let mut command = Command::new(name);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).args(words);
        command.arg(format!("file://{}", page.display()));
        match command.stdin(Stdio::null()).stderr(Stdio::null()).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot run {name}")),
            Ok(output) if output.status.success() => {
                return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
            }
            Ok(output) => bail!("{name} failed: {}", output.status),
        }
    }
    bail!("chromium is missing\ninstall it: apt-get install chromium")
}
