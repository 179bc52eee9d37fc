//! What is printed in the book against what appeared.
//!
//! A printed line may have wildcards for what varies, and nothing else:
//!
//! | wildcard | stands for |
//! |---|---|
//! | `[..]` | some text, at least one character, within the line |
//! | `[number]` `[pid]` `[inode]` | digits |
//! | `[hex]` | hexadecimal digits: ids and digests |
//! | `[time]` | a time, a date or a duration |
//! | `...`, alone on a line | any lines, or none |
//!
//! A class with a letter binds: `[inode:a]` is the same inode everywhere on the page, and another than `[inode:b]`.

use std::collections::BTreeMap;

/// What `[inode:a]` and its like stood for so far on this page.
pub type Bindings = BTreeMap<String, String>;

/// One step of the alignment of the printed lines (index i) with those that appeared (index j).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aligned {
    /// Printed line i is what appeared in line j.
    Same(usize, usize),
    /// Printed line i did not appear.
    Gone(usize),
    /// Line j appeared and is not printed.
    New(usize),
    /// Line j is covered by the `...` of line i.
    Covered(usize, usize),
    /// The `...` of line i ends here.
    Dots(usize),
}

/// Whether everything that appeared is what is printed, and the alignment that shows it.
pub struct Comparison {
    pub same: bool,
    pub steps: Vec<Aligned>,
}

/// Compares; bindings are made only when all is the same.
pub fn compare(printed: &[String], appeared: &[String], bindings: &mut Bindings) -> Comparison {
    let mut steps = align(printed, appeared);
    let mut bound = bindings.clone();
    for step in &mut steps {
        if let Aligned::Same(i, j) = *step
            && !matches(&pieces(&printed[i]), &appeared[j], Some(&mut bound))
        {
            *step = Aligned::Gone(i);
        }
    }
    let same = steps.iter().all(|step| !matches!(step, Aligned::Gone(_) | Aligned::New(_)));
    if same {
        *bindings = bound;
    } else {
        reinsert(&mut steps, appeared.len());
    }
    Comparison { same, steps }
}

/// Whether printed lines are nothing but wildcards that stand for anything: a check that cannot fail.
pub fn matches_everything(printed: &[String]) -> bool {
    let is_text =
        |line: &String| !is_dots(line) && line.replace("[..]", "").chars().any(|c| !c.is_whitespace());
    !printed.is_empty() && !printed.iter().any(is_text)
}

/// The lines to print instead: those that appeared, and the author's own where they still hold.
pub fn fixed(printed: &[String], appeared: &[String], comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &comparison.steps {
        match *step {
            Aligned::Same(i, _) | Aligned::Dots(i) => lines.push(printed[i].clone()),
            Aligned::New(j) => lines.push(appeared[j].clone()),
            Aligned::Gone(_) | Aligned::Covered(..) => {}
        }
    }
    if matches_everything(&lines) { appeared.to_vec() } else { lines }
}

/// The difference as lines to show, each with its sign.
pub fn difference(printed: &[String], appeared: &[String], comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &comparison.steps {
        match *step {
            Aligned::Same(_, j) => lines.push(format!("  {}", appeared[j])),
            Aligned::Dots(i) => lines.push(format!("  {}", printed[i])),
            Aligned::Gone(i) => lines.push(format!("- {}", printed[i])),
            Aligned::New(j) => lines.push(format!("+ {}", appeared[j])),
            Aligned::Covered(..) => {}
        }
    }
    lines
}

/// The alignment with the most equal lines, and the fewest others.
fn align(printed: &[String], appeared: &[String]) -> Vec<Aligned> {
    let patterns: Vec<Vec<Piece>> = printed.iter().map(|line| pieces(line)).collect();
    let (rows, columns) = (printed.len(), appeared.len());
    let mut best = vec![vec![(0_i64, Aligned::New(0)); columns + 1]; rows + 1];
    for i in (0..=rows).rev() {
        for j in (0..=columns).rev() {
            if i == rows && j == columns {
                continue;
            }
            let mut choices = Vec::new();
            if i < rows && is_dots(&printed[i]) {
                choices.push((best[i + 1][j].0, Aligned::Dots(i)));
                if j < columns {
                    choices.push((best[i][j + 1].0, Aligned::Covered(i, j)));
                }
            } else if i < rows {
                if j < columns && matches(&patterns[i], &appeared[j], None) {
                    choices.push((best[i + 1][j + 1].0 + 3, Aligned::Same(i, j)));
                }
                choices.push((best[i + 1][j].0 - 1, Aligned::Gone(i)));
            }
            if j < columns && !(i < rows && is_dots(&printed[i])) {
                choices.push((best[i][j + 1].0 - 1, Aligned::New(j)));
            }
            // Of equal choices the first one counts: equal lines before others, gone lines before new ones.
            let most = choices.iter().map(|(score, _)| *score).max().unwrap_or_default();
            best[i][j] =
                choices.into_iter().find(|(score, _)| *score == most).unwrap_or((0, Aligned::New(j)));
        }
    }
    let (mut i, mut j, mut steps) = (0, 0, Vec::new());
    while i < rows || j < columns {
        let step = best[i][j].1;
        match step {
            Aligned::Same(..) => (i, j) = (i + 1, j + 1),
            Aligned::Gone(_) | Aligned::Dots(_) => i += 1,
            Aligned::New(_) | Aligned::Covered(..) => j += 1,
        }
        steps.push(step);
    }
    steps
}

/// A line whose binding did not hold was taken out: what appeared in its place is shown as new.
fn reinsert(steps: &mut Vec<Aligned>, lines: usize) {
    let line = |step: &Aligned| match step {
        Aligned::Same(_, j) | Aligned::New(j) | Aligned::Covered(_, j) => Some(*j),
        Aligned::Gone(_) | Aligned::Dots(_) => None,
    };
    for j in 0..lines {
        if !steps.iter().any(|step| line(step) == Some(j)) {
            let before = steps
                .iter()
                .position(|step| line(step).is_some_and(|other| other > j))
                .unwrap_or(steps.len());
            steps.insert(before, Aligned::New(j));
        }
    }
}

fn is_dots(line: &str) -> bool {
    line.trim() == "..."
}

/// A part of a printed line.
#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Any,
    /// A class, and the whole of what is between its brackets if that has a letter.
    Class(fn(char) -> bool, Option<String>),
}

fn pieces(line: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut rest = line.trim_end();
    while let Some(next) = rest.chars().next() {
        let wildcard = rest
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .and_then(|(inside, after)| Some((wildcard(inside)?, after)));
        match wildcard {
            Some((piece, after)) => {
                found.push(Piece::Text(std::mem::take(&mut text)));
                found.push(piece);
                rest = after;
            }
            None => {
                text.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    found.push(Piece::Text(text));
    found
}

fn wildcard(inside: &str) -> Option<Piece> {
    let (class, letter) = match inside.split_once(':') {
        Some((class, letter)) => (class, Some(letter)),
        None => (inside, None),
    };
    let of: fn(char) -> bool = match class {
        ".." if letter.is_none() => return Some(Piece::Any),
        "number" | "pid" | "inode" => |c| c.is_ascii_digit(),
        "hex" => |c| c.is_ascii_hexdigit(),
        "time" => |c| c.is_ascii_digit() || "-:.,+TZmsh".contains(c),
        _ => return None,
    };
    let is_letter = |letter: &str| letter.len() == 1 && letter.chars().all(|c| c.is_ascii_lowercase());
    letter.is_none_or(is_letter).then(|| Piece::Class(of, letter.map(|_| inside.to_owned())))
}

fn matches(pattern: &[Piece], text: &str, bindings: Option<&mut Bindings>) -> bool {
    let mut bound = bindings.as_deref().cloned().unwrap_or_default();
    let binds = bindings.is_some();
    let same = matches_from(pattern, text.trim_end(), binds, &mut bound);
    if let (true, Some(bindings)) = (same, bindings) {
        *bindings = bound;
    }
    same
}

fn matches_from(pattern: &[Piece], text: &str, binds: bool, bound: &mut Bindings) -> bool {
    let Some((first, others)) = pattern.split_first() else {
        return text.is_empty();
    };
    let (longest, name) = match first {
        Piece::Text(part) => {
            return text
                .strip_prefix(part.as_str())
                .is_some_and(|rest| matches_from(others, rest, binds, bound));
        }
        Piece::Any => (text.len(), None),
        // A class starts with a digit, also `[time]`, which may go on with signs and units.
        Piece::Class(..) if !text.starts_with(|c: char| c.is_ascii_hexdigit()) => return false,
        Piece::Class(of, name) => {
            (text.find(|c| !of(c)).unwrap_or(text.len()), name.as_ref().filter(|_| binds))
        }
    };
    for end in (1..=longest).rev().filter(|end| text.is_char_boundary(*end)) {
        let before = bound.clone();
        if name.is_none_or(|name| bind(bound, name, &text[..end]))
            && matches_from(others, &text[end..], binds, bound)
        {
            return true;
        }
        *bound = before;
    }
    false
}

/// Binds a name to a value: one value for each name, and two values for two names of a class.
fn bind(bound: &mut Bindings, name: &str, value: &str) -> bool {
    let class = name.split(':').next();
    match bound.get(name) {
        Some(known) => known == value,
        None => {
            let taken = bound.iter().any(|(other, known)| other.split(':').next() == class && known == value);
            bound.insert(name.to_owned(), value.to_owned());
            !taken
        }
    }
}
