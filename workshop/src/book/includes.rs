//! `{{#include path:anchor}}`: the file is there, and so is the anchor.
//!
//! mdBook renders nothing for an anchor that is not there, and says nothing either; so this is checked here.

use std::path::{Path, PathBuf};

use super::blocks::Page;
use crate::problem::Problem;

/// Adds a problem for each include of the page that mdBook would not print as it is meant.
pub fn check(page: &Page, problems: &mut Vec<Problem>) {
    for (index, line) in page.lines.iter().enumerate() {
        for directive in directives(line) {
            if let Err(text) = resolve(&page.file, directive) {
                problems.push(Problem::new(&page.file, index + 1, text));
            }
        }
    }
}

/// Replaces the includes of a block's content by what they name.
pub fn expand(page: &Path, content: &[String]) -> Result<Vec<String>, String> {
    let mut expanded = Vec::new();
    for line in content {
        match directives(line).first() {
            Some(directive) => expanded.extend(resolve(page, directive)?),
            None => expanded.push(line.clone()),
        }
    }
    Ok(expanded)
}

/// Lines of a file that a page shows, counted from 1.
pub struct Shown {
    /// The line of the page that includes them.
    pub at: usize,
    pub file: PathBuf,
    pub lines: Vec<usize>,
}

/// What a page's includes show. Those that are wrong show nothing, and [`check`] tells.
pub fn shown(page: &Path, text: &str) -> Vec<Shown> {
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for directive in directives(line) {
            if let Ok((file, lines)) = find(page, directive) {
                let lines = lines.into_iter().map(|(number, _)| number).collect();
                all.push(Shown { at: index + 1, file, lines });
            }
        }
    }
    all
}

/// What stands between `{{#` and `}}`, for each include of a line.
fn directives(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find("{{#") {
        let (before, after) = (&rest[..start], &rest[start + 3..]);
        // The end of the line stands in for a missing `}}`, so that it is reported too.
        let end = after.find("}}").unwrap_or(after.len());
        if !before.ends_with('\\') {
            found.push(&after[..end]);
        }
        rest = &after[end..];
    }
    found
}

fn resolve(page: &Path, directive: &str) -> Result<Vec<String>, String> {
    let (_, lines) = find(page, directive)?;
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// A line's number, from 1, and its text.
type Line = (usize, String);

fn find(page: &Path, directive: &str) -> Result<(PathBuf, Vec<Line>), String> {
    let Some((kind, target)) = directive.trim().split_once(' ') else {
        return Err(format!("`{{{{#{directive}}}}}` names no file"));
    };
    if kind != "include" && kind != "rustdoc_include" {
        return Err(format!(
            "`{{{{#{kind} …}}}}` is not used in this book: write {{{{#include path:anchor}}}}"
        ));
    }
    let target = target.trim();
    let (name, anchor) = match target.split_once(':') {
        Some((name, anchor)) => (name, Some(anchor)),
        None => (target, None),
    };
    let path = page.parent().unwrap_or(Path::new(".")).join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot include {name}: {error}"))?;
    let lines: Vec<&str> = text.lines().collect();
    let lines = match anchor {
        Some(anchor) => anchored(name, anchor, &lines),
        None => whole(name, &lines),
    }?;
    Ok((path, lines))
}

fn whole(name: &str, lines: &[&str]) -> Result<Vec<Line>, String> {
    match lines.iter().find_map(|line| marked(line, "ANCHOR:")) {
        Some(anchor) => Err(format!(
            "{name} has anchors, and mdBook would print their lines: name one, such as {name}:{anchor}"
        )),
        None if lines.iter().all(|line| line.trim().is_empty()) => Err(format!("{name} is empty")),
        None => Ok(numbered(lines, 0)),
    }
}

fn numbered(lines: &[&str], before: usize) -> Vec<Line> {
    lines.iter().enumerate().map(|(index, line)| (before + index + 1, (*line).to_owned())).collect()
}

fn anchored(name: &str, anchor: &str, lines: &[&str]) -> Result<Vec<Line>, String> {
    if anchor.is_empty() || anchor.contains(|c: char| !c.is_alphanumeric() && c != '_' && c != '-') {
        return Err(format!(
            "`:{anchor}` is no anchor's name: line numbers go wrong with the next change, use an anchor"
        ));
    }
    let starts = positions(lines, "ANCHOR:", anchor);
    let ends = positions(lines, "ANCHOR_END:", anchor);
    let (start, end) = match (starts[..].first(), ends[..].first()) {
        (None, _) => return Err(format!("{name} has no anchor `{anchor}`")),
        (Some(start), None) => {
            return Err(format!("anchor `{anchor}` of {name} (line {}) is never closed", start + 1));
        }
        (Some(start), Some(end)) if end < start => {
            return Err(format!(
                "anchor `{anchor}` of {name} ends (line {}) before it starts (line {})",
                end + 1,
                start + 1
            ));
        }
        (Some(start), Some(end)) => (*start, *end),
    };
    if starts.len() > 1 || ends.len() > 1 {
        return Err(format!("{name} has the anchor `{anchor}` more than once"));
    }
    let mut inside = numbered(&lines[start + 1..end], start + 1);
    inside.retain(|(_, line)| !is_mark(line));
    if inside.iter().all(|(_, line)| line.trim().is_empty()) {
        return Err(format!("anchor `{anchor}` of {name} (line {}) is empty", start + 1));
    }
    Ok(inside)
}

fn positions(lines: &[&str], mark: &str, anchor: &str) -> Vec<usize> {
    (0..lines.len()).filter(|index| marked(lines[*index], mark) == Some(anchor)).collect()
}

/// Whether the line is the mark of an anchor, which is never printed.
pub fn is_mark(line: &str) -> bool {
    marked(line, "ANCHOR:").is_some() || marked(line, "ANCHOR_END:").is_some()
}

/// The anchor's name, if this line is the mark of one.
fn marked<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let after = line.split_once(mark)?.1.trim_start();
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(after.len());
    (end > 0).then(|| &after[..end])
}
