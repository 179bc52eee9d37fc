//! The table of courses: which sections fit into 90 minutes. Its sums are those of the sections' headings.
//!
//! A row is `| name | [01](01-unshare.md) Look, Predict; [02](02-uts.md); [03](03-pid.md) without Build | 88 | 90 |`:
//! a page with some of its sections, with all of them, or all but some; what they take; what there is.

use std::collections::HashMap;
use std::path::Path;

use super::blocks::Page;
use super::fix::Edit;
use super::frame;
use crate::problem::Problem;

const HEADER: &str = "| course | what | minutes | of |";

/// Rows whose sum is another one now; what cannot be summed, or is too long, is added to `problems`.
pub fn edits(page: &Page, problems: &mut Vec<Problem>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut pages = HashMap::new();
    let headers = page.lines.iter().enumerate().filter(|(_, line)| *line == HEADER);
    for (header, _) in headers {
        let rows = page.lines.iter().enumerate().skip(header + 2);
        for (index, line) in rows.take_while(|(_, line)| line.starts_with('|')) {
            let mut say = |text: String| problems.push(Problem::new(&page.file, index + 1, text));
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, what, minutes, of] = cells[..] else {
                say("a course has four cells: its name, its sections, their minutes, the minutes there are"
                    .into());
                continue;
            };
            let Ok(limit) = of.parse::<u32>() else {
                say(format!("`{of}` is no number of minutes"));
                continue;
            };
            let sum: Result<u32, String> = what.split(';').map(|part| part_of(page, part, &mut pages)).sum();
            match sum {
                Err(text) if text.is_empty() => {}
                Err(text) => say(text),
                Ok(sum) => {
                    if sum > limit {
                        say(format!(
                            "this course takes {sum} minutes, and there are {limit}: take something out"
                        ));
                    }
                    if minutes != sum.to_string() {
                        let new = vec![format!("| {name} | {what} | {sum} | {of} |")];
                        edits.push(Edit { line: index + 1, old: 1, new });
                    }
                }
            }
        }
    }
    edits
}

/// An edit that is not made is a problem.
pub fn as_problem(page: &Page, edit: &Edit) -> Problem {
    let text = "this is not the sum of the sections' minutes any more: cargo workshop book --fix writes it";
    Problem::new(&page.file, edit.line, text)
}

/// The minutes of `[01](01-unshare.md) Look, Predict`.
fn part_of(page: &Page, part: &str, pages: &mut HashMap<String, Vec<(String, u32)>>) -> Result<u32, String> {
    let (target, names) =
        part.trim().strip_prefix('[').and_then(|rest| rest.split_once("](")?.1.split_once(')')).ok_or_else(
            || format!("`{}` is no page and its sections: [01](01-unshare.md) Look, Predict", part.trim()),
        )?;
    if !pages.contains_key(target) {
        let file = page.file.parent().unwrap_or(Path::new(".")).join(target);
        // That the link leads nowhere is told already.
        let text = std::fs::read_to_string(&file).map_err(|_| String::new())?;
        pages.insert(target.to_owned(), frame::sections(&text));
    }
    let sections = &pages[target];
    let (names, is_rest) =
        names.trim().strip_prefix("without ").map_or((names, false), |names| (names, true));
    let named = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    let minutes = |name: &str| {
        let found = sections.iter().find(|(title, _)| title == name);
        found.map(|(_, minutes)| *minutes).ok_or_else(|| format!("{target} has no section `{name}`"))
    };
    let named = named.map(minutes).collect::<Result<Vec<u32>, String>>()?;
    let (all, named_sum) = (sections.iter().map(|(_, minutes)| minutes).sum::<u32>(), named.iter().sum());
    Ok(match is_rest {
        true => all.saturating_sub(named_sum),
        false if named.is_empty() => all,
        false => named_sum,
    })
}
