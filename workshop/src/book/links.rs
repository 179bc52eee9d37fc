//! Links within the book: the page is there, and so is the heading.

use std::collections::HashMap;
use std::path::Path;

use super::blocks::Page;
use crate::problem::Problem;

/// A link of a page: the line that it stands on, and its target.
pub struct Link {
    pub line: usize,
    pub target: String,
}

/// All links of a page, without those in blocks and in code.
pub fn of(page: &Page) -> Vec<Link> {
    let lines = page.lines.iter().enumerate().filter(|(index, _)| !page.in_block(index + 1));
    let links = lines.flat_map(|(index, text)| {
        // Of text with ticks in it, every second piece is code.
        let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join("``");
        let targets = prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()));
        targets.map(|target| Link { line: index + 1, target }).collect::<Vec<_>>()
    });
    links.collect()
}

/// Every link that leads nowhere is added to `problems`. The rest of the world is not asked.
pub fn check(page: &Page, problems: &mut Vec<Problem>) {
    let folder = page.file.parent().unwrap_or(Path::new("."));
    let mut read: HashMap<String, Option<Vec<String>>> = HashMap::new();
    for Link { line, target } in of(page) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (name, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let file = if name.is_empty() { page.file.clone() } else { folder.join(name) };
        let anchors = read
            .entry(name.to_owned())
            .or_insert_with(|| std::fs::read_to_string(&file).ok().map(|text| anchors(&text)));
        let wrong = match anchors {
            None => Some(format!("this link leads nowhere: there is no {name}")),
            Some(known) if !anchor.is_empty() && !known.iter().any(|it| it == anchor) => {
                Some(format!("this link leads nowhere: no heading gives #{anchor}"))
            }
            Some(_) => None,
        };
        problems.extend(wrong.map(|text| Problem::new(&page.file, line, text)));
    }
}

/// What can be linked to on a page: its headings, as mdBook names them, and what has an id of its own.
fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        in_block ^= line.trim_start().starts_with("```");
        if in_block {
            continue;
        }
        found
            .extend(line.split(" id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let name = anchor(title.trim());
        let same = |other: &&String| {
            **other == name
                || other.strip_prefix(&format!("{name}-")).is_some_and(|rest| rest.parse::<u32>().is_ok())
        };
        match found.iter().filter(same).count() {
            0 => found.push(name),
            times => found.push(format!("{name}-{times}")),
        }
    }
    found
}

/// The anchor of a heading: `Look *(5 min)*` is `look-5-min`.
pub fn anchor(title: &str) -> String {
    let kept = title.chars().filter_map(|sign| match sign {
        sign if sign.is_whitespace() => Some('-'),
        sign if sign.is_alphanumeric() || sign == '_' || sign == '-' => Some(sign.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}
