//! Which pages there are, in the order of SUMMARY.md.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::problem::Problem;

/// The pages of the book in `book`, all of them or the `wanted` ones, in reading order.
///
/// A page is wanted by its file's name, with or without `.md`, or by its path.
pub fn pages(book: &Path, wanted: &[String], problems: &mut Vec<Problem>) -> Result<Vec<PathBuf>> {
    let source = book.join("src");
    let summary = source.join("SUMMARY.md");
    let text =
        std::fs::read_to_string(&summary).with_context(|| format!("cannot read {}", summary.display()))?;
    let mut listed = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(name) = link(line) else { continue };
        let file = source.join(name);
        if listed.iter().any(|(other, _)| *other == file) {
            problems.push(Problem::new(&summary, index + 1, format!("{name} is listed twice")));
        } else {
            listed.push((file, index + 1));
        }
    }
    if wanted.is_empty() {
        return all(&source, &summary, listed, problems);
    }
    let mut chosen = Vec::new();
    for name in wanted {
        let names = |file: &Path| {
            file.file_stem().is_some_and(|stem| stem == name.as_str())
                || file.ends_with(name)
                || Path::new(name) == file
        };
        if !listed.iter().any(|(file, _)| names(file)) {
            bail!("the book has no page {name}\n{} lists {}", summary.display(), stems(&listed));
        }
        chosen.extend(listed.iter().filter(|(file, _)| names(file)).map(|(file, _)| file.clone()));
    }
    let order = |file: &PathBuf| listed.iter().position(|(other, _)| other == file);
    chosen.sort_by_key(order);
    chosen.dedup();
    if let Some(missing) = chosen.iter().find(|file| !file.is_file()) {
        bail!("{} is not written yet", missing.display());
    }
    Ok(chosen)
}

fn all(
    source: &Path,
    summary: &Path,
    listed: Vec<(PathBuf, usize)>,
    problems: &mut Vec<Problem>,
) -> Result<Vec<PathBuf>> {
    for (file, line) in &listed {
        if !file.is_file() {
            let name = file.strip_prefix(source).unwrap_or(file);
            problems.push(Problem::new(summary, *line, format!("{} does not exist", name.display())));
        }
    }
    for entry in std::fs::read_dir(source).with_context(|| format!("cannot list {}", source.display()))? {
        let file = entry?.path();
        let is_page = file.extension().is_some_and(|extension| extension == "md") && file != summary;
        if is_page && !listed.iter().any(|(other, _)| *other == file) {
            problems.push(Problem::new(&file, 1, "SUMMARY.md does not list this page: nobody would find it"));
        }
    }
    Ok(listed.into_iter().map(|(file, _)| file).filter(|file| file.is_file()).collect())
}

/// The target of the first link of a line, if it is a page.
fn link(line: &str) -> Option<&str> {
    let target = line.split_once("](")?.1.split_once(')')?.0;
    target.ends_with(".md").then_some(target)
}

fn stems(listed: &[(PathBuf, usize)]) -> String {
    let stems: Vec<_> = listed.iter().filter_map(|(file, _)| file.file_stem()?.to_str()).collect();
    stems.join(", ")
}
