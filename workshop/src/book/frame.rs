//! The frame of a chapter: minutes at the head of each section, and at least one session that is run.

use std::path::Path;

use super::blocks::Page;
use crate::problem::Problem;

/// The chapter's number, if the page is one: `01-unshare.md` is 1.
pub fn chapter(file: &Path) -> Option<u8> {
    let name = file.file_stem()?.to_str()?;
    let (digits, _) = name.split_once('-')?;
    (digits.len() == 2).then(|| digits.parse().ok())?
}

/// Checks the frame and returns the sum of the minutes.
pub fn check(page: &Page, sessions: usize, problems: &mut Vec<Problem>) -> u32 {
    let Some(number) = chapter(&page.file) else { return 0 };
    let mut sum = 0;
    for (index, line) in page.lines.iter().enumerate() {
        if !line.starts_with("## ") || page.in_block(index + 1) {
            continue;
        }
        match minutes(line) {
            Some(minutes) => sum += minutes,
            None => problems.push(Problem::new(
                &page.file,
                index + 1,
                "this section says no minutes: ## Title *(5 min)*",
            )),
        }
    }
    if number > 0 && sessions == 0 {
        problems.push(Problem::new(&page.file, 1, "this chapter has no session that is run: ```console"));
    }
    sum
}

/// The sections of a page that say their minutes: title and minutes, in order.
pub fn sections(text: &str) -> Vec<(String, u32)> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        in_block ^= line.trim_start().starts_with("```");
        let title = line.strip_prefix("## ").filter(|_| !in_block).and_then(|title| title.rsplit_once(" *("));
        if let (Some((title, _)), Some(minutes)) = (title, minutes(line)) {
            found.push((title.to_owned(), minutes));
        }
    }
    found
}

/// The minutes at the end of `## Look *(5 min)*`.
fn minutes(heading: &str) -> Option<u32> {
    let inside = heading.trim_end().strip_suffix(" min)*")?.rsplit_once(" *(")?.1;
    inside.parse().ok().filter(|minutes| (1..=120).contains(minutes))
}
