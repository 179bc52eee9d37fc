//! What is wrong, and where: `file:line: text`, as compilers say it.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with the book. The text is one line; a difference of output may follow it.
#[derive(Debug, Clone)]
pub struct Problem {
    file: PathBuf,
    line: usize,
    text: String,
}

impl Problem {
    pub fn new(file: &Path, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = std::env::current_dir().unwrap_or_default();
        let file = self.file.strip_prefix(&here).unwrap_or(&self.file);
        write!(f, "{}:{}: {}", file.display(), self.line, self.text)
    }
}
