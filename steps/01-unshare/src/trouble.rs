//! One errno, several causes: of each the text, a look at whether it holds now, and the way out.
//!
//! Every step keeps a table of those that it may meet. Its errors are made from the table, and so
//! are `cargo workshop explain` and the book's page of troubleshooting.

use std::path::Path;

use anyhow::{Error, anyhow};
use nix::errno::Errno;

// ANCHOR: trouble
/// What a call answers, and why it may.
#[derive(Debug)]
pub struct Trouble {
    /// The call, or the file that is written.
    pub call: &'static str,
    /// The errno's name.
    pub errno: &'static str,
    /// In which case of several; may be empty.
    pub when: &'static str,
    /// What the looks are about, such as PROGRAM.
    pub about: &'static [&'static str],
    /// In the order in which they are looked for.
    pub causes: &'static [Cause],
}

/// One of the causes.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// What is wrong. `{}` stands for what the look has found.
    pub says: &'static str,
    /// What helps; empty if that is said already.
    pub way_out: &'static str,
    /// Looks whether it holds now.
    pub look: fn(&[&Path]) -> Look,
}

/// What a look at the machine tells.
#[derive(Debug, PartialEq)]
pub enum Look {
    /// It holds; and what was found.
    Holds(String),
    /// It does not.
    Not,
    /// It cannot be seen: it is what remains if nothing else holds.
    Unseen,
}

/// Why `errno` was answered: the first cause that holds, or the only one that cannot be seen. The
/// second line is the way out.
pub fn why(troubles: &[Trouble], errno: Errno, about: &[&Path]) -> Option<String> {
    let name = format!("{errno:?}");
    let mut unseen = Vec::new();
    for cause in troubles.iter().find(|trouble| trouble.errno == name)?.causes {
        match (cause.look)(about) {
            Look::Holds(found) => return Some(cause.told(&found)),
            Look::Unseen => unseen.push(cause),
            Look::Not => {}
        }
    }
    (unseen.len() == 1).then(|| unseen[0].told(""))
}

impl Cause {
    /// The cause in words, and in a second line the way out.
    pub fn told(&self, found: &str) -> String {
        let text = [self.says, self.way_out].map(|text| text.replace("{}", found));
        text.join("\n").trim_end().to_owned()
    }
}

/// The error of a failed call: what was tried, the errno, and why.
pub fn refused(tried: &str, errno: Errno, why: Option<String>) -> Error {
    let why = why.map(|text| format!(": {text}")).unwrap_or_default();
    anyhow!("{tried}: {errno}{why}")
}
// ANCHOR_END: trouble
