//! Nothing of the code is left out: every line of steps 01 to 06 is shown by one include, once, and each file of step 07
//! is shown or linked.
//!
//! What says nothing to a reader may stay out: see [`is_silent`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::blocks::Page;
use super::{frame, includes};
use crate::problem::Problem;
use crate::workspace;

/// Adds what is wrong with what these pages show of their steps.
pub fn check(book: &Path, files: &[PathBuf], problems: &mut Vec<Problem>) -> Result<()> {
    let chapters: BTreeSet<u8> = files.iter().filter_map(|file| frame::chapter(file)).collect();
    let Some(folder) = workspace_of(book) else { return Ok(()) };
    let pages = Pages::read(book)?;
    for chapter in chapters.into_iter().filter(|chapter| (1..=7).contains(chapter)) {
        problems.extend(pages.missing(&folder, chapter)?);
    }
    Ok(())
}

/// Prints what no page shows, of all steps. Returns whether there is nothing.
pub fn list(book: &Path) -> Result<bool> {
    let Some(folder) = workspace_of(book) else { return Ok(true) };
    let pages = Pages::read(book)?;
    let mut well = true;
    for chapter in (1..=7).filter(|chapter| workspace::step(&folder, *chapter).is_ok()) {
        for problem in pages.missing(&folder, chapter)? {
            // Whoever reads only the first lines of it, as `head` does, has seen enough.
            let _ = writeln!(std::io::stdout(), "{problem}");
            well = false;
        }
    }
    Ok(well)
}

/// The workshop that the book belongs to: the nearest folder above it that has steps.
fn workspace_of(book: &Path) -> Option<PathBuf> {
    book.ancestors().find(|folder| folder.join("steps").is_dir()).map(Path::to_owned)
}

/// What all chapters show.
struct Pages {
    texts: BTreeMap<PathBuf, String>,
    /// Of each line: the page and the line there. Whoever shows it again comes second.
    shown: BTreeMap<(PathBuf, usize), (PathBuf, usize)>,
    /// An include that shows something again, and where it was shown before.
    again: Vec<(PathBuf, Problem)>,
    /// Steps whose `main.rs` is shown by the generated difference to the step before.
    differences: BTreeSet<u8>,
}

impl Pages {
    fn read(book: &Path) -> Result<Self> {
        let source = book.join("src");
        let entries = fs::read_dir(&source).with_context(|| format!("cannot list {}", source.display()))?;
        let mut texts = BTreeMap::new();
        for entry in entries {
            let file = entry?.path();
            if frame::chapter(&file).is_some() && file.extension().is_some_and(|extension| extension == "md")
            {
                let text =
                    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
                texts.insert(file, text);
            }
        }
        let (mut shown, mut again, mut differences) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for (page, text) in &texts {
            for include in includes::shown(page, text) {
                let Ok(file) = include.file.canonicalize() else { continue };
                let mut before = None;
                for line in include.lines {
                    let here = (page.clone(), include.at);
                    let first = shown.entry((file.clone(), line)).or_insert(here.clone());
                    if *first != here {
                        before = before.or(Some((line, first.clone())));
                    }
                }
                if let Some((line, (other, at))) = before {
                    let text = format!(
                        "line {line} of {} is shown again: {}:{at} shows it too",
                        name(&file),
                        name(&other)
                    );
                    again.push((file, Problem::new(page, include.at, text)));
                }
            }
            let blocks = Page::read(page, &mut Vec::new())?.blocks;
            differences.extend(blocks.iter().filter_map(|block| block.value("step")?.parse::<u8>().ok()));
        }
        Ok(Self { texts, shown, again, differences })
    }

    fn missing(&self, folder: &Path, chapter: u8) -> Result<Vec<Problem>> {
        let source = workspace::step(folder, chapter)?.join("src");
        let source = source.canonicalize().with_context(|| format!("cannot find {}", source.display()))?;
        let mut files = Vec::new();
        sources(&source, &mut files)?;
        let mut problems = Vec::new();
        for file in files {
            if chapter < 7 {
                let drawn = self.differences.contains(&chapter) && file == source.join("main.rs");
                problems.extend(if drawn { Vec::new() } else { self.lines(&file)? });
                problems.extend(self.again(&file));
            } else if !self.is_named(&file, folder) {
                problems.push(Problem::new(&file, 1, "no page shows or links this file"));
            }
        }
        Ok(problems)
    }

    /// The runs of lines that no page shows.
    fn lines(&self, file: &Path) -> Result<Vec<Problem>> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let silent = silent(&text);
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if silent[index] || self.shown.contains_key(&(file.to_owned(), number)) {
                continue;
            }
            match runs.last_mut() {
                // Empty lines and closing brackets do not end a run.
                Some((_, last)) if (*last + 1..number).all(|between| silent[between - 1]) => *last = number,
                _ => runs.push((number, number)),
            }
            debug_assert!(!line.trim().is_empty(), "an empty line is silent");
        }
        let text = |last: usize| format!("no page shows the lines from here to {last}");
        Ok(runs.into_iter().map(|(first, last)| Problem::new(file, first, text(last))).collect())
    }

    fn again(&self, file: &Path) -> impl Iterator<Item = Problem> {
        self.again.iter().filter(move |(other, _)| other == file).map(|(_, problem)| problem.clone())
    }

    /// Whether some page has the path of the file in it, in an include or a link.
    fn is_named(&self, file: &Path, folder: &Path) -> bool {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let path = file.strip_prefix(&folder).unwrap_or(file).to_string_lossy();
        self.texts.values().any(|text| text.contains(&*path))
    }
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            sources(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// For each line, whether it may stay out of the book.
fn silent(text: &str) -> Vec<bool> {
    let (mut in_use, mut in_tests) = (false, false);
    text.lines()
        .map(|line| {
            in_use |= starts(line, "use ");
            in_tests |= line.starts_with("#[cfg(test)]");
            let silent = in_use || in_tests || is_silent(line);
            in_use &= !line.trim_end().ends_with(';');
            in_tests &= line != "}";
            silent
        })
        .collect()
}

/// The head of a file, the names that it imports, the list of its parts, an anchor's mark, a closing bracket.
fn is_silent(line: &str) -> bool {
    let text = line.trim();
    text.is_empty()
        || text.starts_with("//!")
        || text.starts_with("#![")
        || includes::is_mark(line)
        || (starts(line, "mod ") && text.ends_with(';'))
        || text.chars().all(|c| "})];,".contains(c))
}

/// Whether a line of the outermost level starts with the word, behind `pub` or not.
fn starts(line: &str, word: &str) -> bool {
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    line.starts_with(word)
}
