//! A printed line may have wildcards for what varies, and nothing else.
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

/// `...`, alone on its line: any lines, or none.
pub fn is_dots(line: &str) -> bool {
    line.trim() == "..."
}

/// A part of a printed line.
#[derive(Debug, Clone)]
pub enum Piece {
    Text(String),
    Any,
    /// A class, and the whole of what is between its brackets if that has a letter.
    Class(fn(char) -> bool, Option<String>),
}

/// Cuts a printed line at its wildcards.
pub fn pieces(line: &str) -> Vec<Piece> {
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

/// Whether a line that appeared is what is printed. Without bindings, letters do not count.
pub fn matches(pattern: &[Piece], text: &str, bindings: Option<&mut Bindings>) -> bool {
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
