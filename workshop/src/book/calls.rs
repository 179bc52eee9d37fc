//! The index of system calls: which pages speak of each.
//!
//! A row of its table is ``| `clone3` | makes a process in new namespaces | [03 pid](03-pid.md) |``. The last cell is
//! generated. What a page cites as `man 2 NAME`, or a storyboard prints, must have a row.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::blocks::Page;
use super::fix::Edit;
use super::summary;
use crate::problem::Problem;

const HEADER: &str = "| call | what it does here | where |";

/// Rows whose pages are other ones now; calls that have no row are added to `problems`.
pub fn edits(page: &Page, problems: &mut Vec<Problem>) -> Result<Vec<Edit>> {
    let Some(header) = page.lines.iter().position(|line| line == HEADER) else { return Ok(Vec::new()) };
    let book = page.file.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let mut others = Vec::new();
    for file in summary::pages(book, &[], &mut Vec::new())? {
        if file != page.file {
            let text = std::fs::read_to_string(&file)?;
            others.push((file, text));
        }
    }
    let mut edits = Vec::new();
    let mut missing: BTreeSet<&str> = others.iter().flat_map(|(_, text)| cited(text)).collect();
    let rows = page.lines.iter().enumerate().skip(header + 2);
    for (index, line) in rows.take_while(|(_, line)| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [call, what, _] = cells[..] else {
            problems.push(Problem::new(
                &page.file,
                index + 1,
                "a call has three cells: it, what it does, where",
            ));
            continue;
        };
        let name = call.trim_matches('`');
        missing.remove(name);
        let where_it_is: Vec<String> =
            others.iter().filter(|(_, text)| speaks_of(text, name)).map(|(file, _)| link(file)).collect();
        if where_it_is.is_empty() {
            let text = format!("no page speaks of `{name}`: take the row out");
            problems.push(Problem::new(&page.file, index + 1, text));
            continue;
        }
        let new = format!("| {call} | {what} | {} |", where_it_is.join(", "));
        if new != *line {
            edits.push(Edit { line: index + 1, old: 1, new: vec![new] });
        }
    }
    for name in missing {
        let text = format!("the index has no row for `{name}`, which a page cites");
        problems.push(Problem::new(&page.file, header + 1, text));
    }
    Ok(edits)
}

/// An edit that is not made is a problem.
pub fn as_problem(page: &Page, edit: &Edit) -> Problem {
    let text = "these are not the pages that speak of it any more: cargo workshop book --fix writes them";
    Problem::new(&page.file, edit.line, text)
}

/// What a page cites: `man 2 NAME`, and the calls that a storyboard is asked for.
fn cited(text: &str) -> BTreeSet<&str> {
    let word = |rest: &'_ str| rest.find(|sign: char| !is_name(sign)).unwrap_or(rest.len());
    let pages = text.split("man 2 ").skip(1).map(|rest| &rest[..word(rest)]);
    let asked = text.lines().filter_map(|line| line.split_once("storyboard ")).filter(|(prompt, _)| {
        // A command, and not a sentence about it.
        prompt.ends_with("$ ") || prompt.ends_with("# ")
    });
    let calls = asked.flat_map(|(_, rest)| rest.split_whitespace().find(|word| !word.starts_with("--")));
    let calls = calls.flat_map(|list| list.split(','));
    pages.chain(calls).filter(|name| !name.is_empty() && name.chars().all(is_name)).collect()
}

/// Whether the text has the call in code: `` `name` ``, `name(` or `man 2 name`.
fn speaks_of(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + name.len()..]);
        let whole = !before.ends_with(is_name) && !after.starts_with(is_name);
        let in_code = before.ends_with('`') && after.starts_with(['`', '(']);
        whole && (in_code || after.starts_with('(') || before.ends_with("man 2 ") || is_asked(before, after))
    })
}

/// Within the list of calls of a storyboard.
fn is_asked(before: &str, after: &str) -> bool {
    let word = before.rsplit([' ', '\n']).next().unwrap_or_default();
    let earlier = before[..before.len() - word.len()].trim_end();
    let in_list = word.chars().all(|sign| is_name(sign) || sign == ',') && after.starts_with([',', ' ']);
    in_list && (earlier.ends_with("$ storyboard") || earlier.ends_with("# storyboard"))
}

fn is_name(sign: char) -> bool {
    sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_'
}

/// `book/src/07-registry.md` is `[07 registry](07-registry.md)`.
fn link(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().replacen('-', " ", 1);
    format!("[{stem}]({})", file.file_name().unwrap_or_default().to_string_lossy())
}
