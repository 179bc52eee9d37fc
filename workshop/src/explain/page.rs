//! The book's page of troubleshooting: the part between two marks is made from the table.

use crate::book::blocks::Page;
use crate::book::fix::Edit;
use crate::problem::Problem;

use super::{title, troubles, unfound};

const BEGIN: &str = "<!-- what `cargo workshop explain` knows -->";
const END: &str = "<!-- end -->";

/// What the part between the marks should be instead, if the page has them.
pub fn edit(page: &Page, problems: &mut Vec<Problem>) -> Option<Edit> {
    let begin = page.lines.iter().position(|line| line == BEGIN)?;
    let Some(length) = page.lines[begin + 1..].iter().position(|line| line == END) else {
        problems.push(Problem::new(&page.file, begin + 1, format!("below this mark stands no {END}")));
        return None;
    };
    let new = text();
    let old = &page.lines[begin + 1..][..length];
    // Lines count from 1.
    (old != new).then(|| Edit { line: begin + 2, old: length, new })
}

/// An edit that is not made is a problem.
pub fn as_problem(page: &Page, edit: &Edit) -> Problem {
    let text = "this part is not what the steps' tables say any more: cargo workshop book --fix writes it";
    Problem::new(&page.file, edit.line - 1, text)
}

fn text() -> Vec<String> {
    let mut lines = Vec::new();
    for trouble in troubles() {
        lines.extend([String::new(), format!("## {}", prose(&title(trouble))), String::new()]);
        lines.extend(["| cause | way out |", "|---|---|"].map(str::to_owned));
        for cause in trouble.causes {
            lines.push(format!("| {} | {} |", prose(cause.says), prose(cause.way_out)));
        }
    }
    lines.push(String::new());
    lines
}

/// A text of the terminal as Markdown that says the same: `--` would become a dash.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    for c in unfound(text).chars() {
        if "\\*_<>[]|`-".contains(c) {
            prose.push('\\');
        }
        prose.push(c);
    }
    prose
}
