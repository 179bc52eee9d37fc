//! `diff,step=N` blocks: the difference of a step to the one before it is generated, as sessions are.

use anyhow::Result;

use super::blocks::Page;
use super::fix::Edit;
use crate::problem::Problem;
use crate::{diff, workspace};

/// What the page's generated differences should be instead, and the blocks that cannot be generated.
pub fn edits(page: &Page, problems: &mut Vec<Problem>) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for block in &page.blocks {
        let Some(step) = block.value("step") else { continue };
        let generated = match step.parse() {
            Ok(number) => diff::between(&workspace::root()?, number).map_err(|error| format!("{error:#}")),
            Err(_) => Err(format!("step={step} is no step's number")),
        };
        match generated {
            Ok(text) => {
                let new: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
                if new != block.content {
                    edits.push(Edit { line: block.line + 1, old: block.content.len(), new });
                }
            }
            Err(text) => problems.push(Problem::new(&page.file, block.line, text)),
        }
    }
    Ok(edits)
}

/// An edit that is not made is a problem.
pub fn as_problem(page: &Page, edit: &Edit) -> Problem {
    let text = "this difference is not that of the steps any more: cargo workshop book --fix writes it";
    Problem::new(&page.file, edit.line - 1, text)
}
