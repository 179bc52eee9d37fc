//! Writes into a page what appeared.

use super::blocks::Page;
use super::session;

/// `old` lines from `line` (from 1) on give way to `new`.
pub struct Edit {
    pub line: usize,
    pub old: usize,
    pub new: Vec<String>,
}

/// Why these lines cannot be printed as output: they would be read as something else.
pub fn unprintable(lines: &[String], after_command: bool) -> Option<String> {
    if lines.iter().any(|line| line.trim_start().starts_with("```")) {
        return Some("has a line that would end the block".into());
    }
    if let Some(line) = lines.iter().find(|line| session::prompt(line).is_some()) {
        return Some(format!("has a line that looks like a prompt: {line}"));
    }
    let continues = |line: &String| line == ">" || line.starts_with("> ");
    (after_command && lines.first().is_some_and(continues))
        .then(|| "starts like a continued command, with `>`".into())
}

/// The page's text with the edits made, which are sorted by line.
pub fn apply(page: &Page, edits: &[&Edit]) -> String {
    let mut lines = page.lines.clone();
    // From the end on, so that the lines before keep their numbers.
    for edit in edits.iter().rev() {
        let indent = page
            .blocks
            .iter()
            .find(|block| (block.line..=block.end).contains(&edit.line))
            .map_or(0, |block| block.indent);
        let new = edit.new.iter().map(|line| {
            if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(indent)) }
        });
        let start = edit.line - 1;
        lines.splice(start..start + edit.old, new);
    }
    lines.join("\n") + "\n"
}
