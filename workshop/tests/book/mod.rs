//! A book of one page in a folder of its own, and the real `workshop` binary to read it.

#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::Role;
use tempfile::TempDir;

/// A book with one page.
pub struct Book {
    folder: TempDir,
    name: String,
}

impl Book {
    /// A page that is no chapter, so that it needs no minutes.
    pub fn new(page: &str) -> Self {
        Self::named("page.md", page)
    }

    pub fn named(name: &str, page: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("src")).unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("src/SUMMARY.md"), format!("# Summary\n\n- [Page]({name})\n")).unwrap();
        fs::write(folder.path().join("src").join(name), page).unwrap();
        Self { folder, name: name.to_owned() }
    }

    /// A session in a `console` block, which starts on line 2.
    pub fn session(lines: &str) -> Self {
        Self::new(&format!("```console\n{lines}\n```\n"))
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn page(&self) -> PathBuf {
        self.folder.path().join("src").join(&self.name)
    }

    pub fn text(&self) -> String {
        fs::read_to_string(self.page()).unwrap()
    }

    /// `cargo workshop book` with these arguments. Root's sessions run as nobody, whom every machine has.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::command(env!("CARGO_BIN_EXE_workshop"));
        command.current_dir(self.folder()).args(["book", "--book", ".", "--bin", "bin"]).args(arguments);
        if Role::here() == Role::Root && !arguments.contains(&"--user") {
            command.args(["--user", "nobody"]);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().unwrap())
    }

    pub fn check(&self) -> Answer {
        self.run(&["--check"])
    }
}

/// What the binary said.
#[derive(Debug)]
pub struct Answer {
    pub well: bool,
    pub out: String,
    pub problems: String,
}

impl Answer {
    fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { well: output.status.success(), out: text(&output.stdout), problems: text(&output.stderr) }
    }

    /// Nothing is wrong.
    #[track_caller]
    pub fn is_well(&self) {
        assert!(self.well && self.problems.is_empty(), "{self:#?}");
    }

    /// One problem, on one line.
    #[track_caller]
    pub fn is_one_line(&self, expected: &str) {
        assert!(!self.well && self.problems == format!("{expected}\n"), "wanted {expected}\n{self:#?}");
    }
}
