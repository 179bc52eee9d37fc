//! A page, cut into its fenced blocks.
//!
//! The text behind the three ticks is a language and then attributes, separated by commas:
//! `console,root,limit=60`. mdBook shows the block in that language and makes the rest classes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::problem::Problem;

/// Languages that a block may have: those the book needs, so that a slip of the pen is noticed.
pub const LANGUAGES: [&str; 9] = ["console", "rust", "text", "diff", "sh", "c", "toml", "json", "patch"];

/// One page of the book, as it stands in its file.
pub struct Page {
    pub file: PathBuf,
    pub lines: Vec<String>,
    pub blocks: Vec<Block>,
}

/// A fenced block. Lines are counted from 1; the content is `line + 1 .. end`.
pub struct Block {
    /// The line of the opening fence.
    pub line: usize,
    /// The line of the closing fence.
    pub end: usize,
    /// The spaces in front of the fence, which the content has too when the block is part of a list.
    pub indent: usize,
    pub language: String,
    pub attributes: Vec<(String, Option<String>)>,
    pub content: Vec<String>,
}

impl Block {
    pub fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(key, _)| key == name)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name)?.1.as_deref()
    }
}

impl Page {
    /// Reads a page; what is wrong with its blocks is added to `problems`.
    pub fn read(file: &Path, problems: &mut Vec<Problem>) -> Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let blocks = cut(file, &lines, problems);
        for block in &blocks {
            judge(file, block, problems);
        }
        judge_names(file, &blocks, problems);
        Ok(Self { file: file.to_owned(), lines, blocks })
    }

    /// Whether `line` (from 1) is inside a fenced block, fences included.
    pub fn in_block(&self, line: usize) -> bool {
        self.blocks.iter().any(|block| (block.line..=block.end).contains(&line))
    }
}

fn cut(file: &Path, lines: &[String], problems: &mut Vec<Problem>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some((indent, fence, info)) = opening(&lines[at]) else {
            if quotes_a_fence(&lines[at])
                && !lines[..at]
                    .iter()
                    .rev()
                    .take_while(|line| is_quote(line))
                    .any(|line| quotes_a_fence(line))
            {
                problems.push(Problem::new(
                    file,
                    at + 1,
                    "a block inside a quotation is not checked: take it out",
                ));
            }
            at += 1;
            continue;
        };
        let Some(length) = lines[at + 1..].iter().position(|line| closes(line, &fence)) else {
            problems.push(Problem::new(file, at + 1, "this block is never closed"));
            break;
        };
        let content =
            lines[at + 1..at + 1 + length].iter().map(|line| without_indent(line, indent)).collect();
        let mut words = info.split([',', ' ']).filter(|word| !word.is_empty());
        blocks.push(Block {
            line: at + 1,
            end: at + length + 2,
            indent,
            language: words.next().unwrap_or_default().to_owned(),
            attributes: words.map(attribute).collect(),
            content,
        });
        at += length + 2;
    }
    blocks
}

fn is_quote(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

fn quotes_a_fence(line: &str) -> bool {
    is_quote(line) && line.trim_start_matches(['>', ' ']).starts_with("```")
}

/// Indentation, fence and info string, if the line opens a block.
fn opening(line: &str) -> Option<(usize, String, String)> {
    let text = line.trim_start();
    let tick = text.chars().next().filter(|c| *c == '`' || *c == '~')?;
    let length = text.chars().take_while(|c| *c == tick).count();
    let info = text[length..].trim();
    // ```like this``` is code within a line, not a fence.
    (length >= 3 && !info.contains('`'))
        .then(|| (line.len() - text.len(), text[..length].to_owned(), info.to_owned()))
}

fn closes(line: &str, fence: &str) -> bool {
    let text = line.trim();
    text.len() >= fence.len() && text.starts_with(fence) && text.chars().all(|c| fence.starts_with(c))
}

fn without_indent(line: &str, indent: usize) -> String {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    line[spaces.min(indent)..].to_owned()
}

fn attribute(word: &str) -> (String, Option<String>) {
    match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (word.to_owned(), None),
    }
}

fn judge(file: &Path, block: &Block, problems: &mut Vec<Problem>) {
    let mut say = |text: String| problems.push(Problem::new(file, block.line, text));
    if block.language.is_empty() {
        return say("this block has no language: write ```text if it has none".into());
    }
    if !LANGUAGES.contains(&block.language.as_str()) {
        return say(format!("unknown language `{}`: the book has {}", block.language, LANGUAGES.join(", ")));
    }
    let known: &[(&str, bool)] = match block.language.as_str() {
        "console" => &[("root", false), ("limit", true), ("needs", true), ("name", true)],
        "diff" => &[("step", true), ("name", true), ("file", true)],
        "rust" => {
            &[("ignore", false), ("no_run", false), ("noplayground", false), ("name", true), ("file", true)]
        }
        _ => &[("file", true), ("name", true)],
    };
    for (name, value) in &block.attributes {
        match known.iter().find(|(known, _)| known == name) {
            None => say(format!("a `{}` block has no attribute `{name}`", block.language)),
            Some((_, true)) if value.as_deref().unwrap_or_default().is_empty() => {
                say(format!("`{name}` wants a value: {name}=…"))
            }
            Some((_, false)) if value.is_some() => say(format!("`{name}` takes no value")),
            Some(_) => {}
        }
    }
}

/// A name, of a block or of a file, stands for one block of the page.
fn judge_names(file: &Path, blocks: &[Block], problems: &mut Vec<Problem>) {
    for (index, block) in blocks.iter().enumerate() {
        for key in ["name", "file"] {
            let Some(value) = block.value(key) else { continue };
            if let Some(first) = blocks[..index].iter().find(|other| other.value(key) == Some(value)) {
                problems.push(Problem::new(
                    file,
                    block.line,
                    format!("{key}={value} is already the block of line {}", first.line),
                ));
            }
        }
    }
}
