//! Text of strangers: what may be printed of it.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

use crate::waiting::Waiting;

/// The longest piece of foreign text in a message, in characters.
const LONGEST: usize = 200;

/// Escapes what a terminal would obey, and cuts what is long: error texts of a registry and names inside an image are
/// written by others. `\n` and ESC become visible, and letters of all languages stay.
pub fn printable(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(LONGEST) {
        match character {
            '"' | '\'' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The same for a name in a list that people and programs read: whole, and what is no UTF-8 byte by byte.
pub fn visible(name: &[u8]) -> String {
    let control = |character: char| match character.is_control() {
        true => character.escape_debug().to_string(),
        false => character.to_string(),
    };
    match str::from_utf8(name) {
        Ok(text) => text.chars().map(control).collect(),
        Err(_) => name.escape_ascii().to_string(),
    }
}

/// A line for the user, on stderr. That nobody reads it, as after `2>&1 | head -1`, is no error.
pub fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A question to the user, on stderr; the answer follows on the same line.
pub fn prompt(question: &str) {
    let _ = write!(std::io::stderr().lock(), "{question}");
}

/// What a command was asked for, on stdout. That nobody reads it to the end, as before `| head -1`, is no error.
///
/// Nothing is kept in a buffer: a process that clones others would write it twice.
pub fn answer(text: impl Display) -> Result<()> {
    let write = || -> std::io::Result<()> {
        Waiting::copy(std::io::stdout())?.write_all(text.to_string().as_bytes())
    };
    match write() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to the standard output")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(printable("é \"x\"\n\u{1b}[31m"), "é \"x\"\\n\\u{1b}[31m");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(printable(&"x".repeat(1 << 20)).chars().count(), LONGEST + 1);
    }
}
