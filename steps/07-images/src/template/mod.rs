//! Templates: what stands behind `--format`, in the language of Go's text/template.
//!
//! ```text
//!   '{{.Names}} is {{if eq .State "running"}}up{{else}}down{{end}}'
//!      lexer    text, {{, .Names, }}, text, {{, if, eq …     from characters to words
//!      parser   Text, Print, If { test, then, otherwise }    from words to a tree
//!      execute  walks the tree with the value of one row     functions, verbs: what it can call
//! ```
//! Docker's users know this language, so it is spoken here as far as a command line has use for it, with Docker's own
//! functions. What is left out: `define`, `template` and `block`, methods (but `.Label "key"`), complex numbers.
//! (<https://pkg.go.dev/text/template>; Docker's functions: "Format command and log output" in its manual.)

mod execute;
mod fields;
mod functions;
mod lexer;
mod operations;
mod parser;
mod pipeline;
mod tree;
mod verbs;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use serde_json::Value;

use execute::Execution;
pub use fields::Absent;
use tree::Node;

/// A template that was understood.
#[derive(Debug)]
pub struct Template {
    source: String,
    nodes: Vec<Node>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// In Go's words, such as `template: :1: unclosed action`.
    pub fn parse(source: &str) -> Result<Self> {
        match lexer::words(source).and_then(|words| parser::tree(source, words)) {
            Ok(nodes) => Ok(Self { source: source.to_owned(), nodes }),
            Err(Fault { at, what }) => {
                let line = source[..at].matches('\n').count() + 1;
                anyhow::bail!("template: :{line}: {what}")
            }
        }
    }

    /// Fills it in. A name that the value does not have is an error, or a typing mistake would print nothing.
    ///
    /// # Errors
    /// In Go's words: where, and what could not be done.
    pub fn render(&self, value: &Value) -> Result<String> {
        self.render_row(value, &BTreeMap::new())
    }

    /// The same for a structure of Docker's, which has more fields than are written: `absent` knows them.
    ///
    /// # Errors
    /// Those of [`Template::render`].
    pub fn render_structure(&self, value: &Value, absent: Absent) -> Result<String> {
        Execution::of_structure(&self.source, value, &BTreeMap::new(), absent).run(&self.nodes)
    }

    /// The same for a row of a list, whose labels can be asked for one by one: `{{.Label "maintainer"}}`.
    ///
    /// # Errors
    /// Those of [`Template::render`].
    pub fn render_row(&self, row: &Value, labels: &BTreeMap<String, String>) -> Result<String> {
        Execution::new(&self.source, row, labels, false).run(&self.nodes)
    }

    /// The line above the rows: the value's texts are the names of the columns, which no function changes.
    ///
    /// # Errors
    /// Those of [`Template::render`].
    pub fn render_header(&self, names: &Value) -> Result<String> {
        Execution::new(&self.source, names, &BTreeMap::new(), true).run(&self.nodes)
    }
}

/// What is wrong, and at which byte of the template.
#[derive(Debug)]
struct Fault {
    at: usize,
    what: String,
}

impl Fault {
    fn new(at: usize, what: impl fmt::Display) -> Self {
        Self { at, what: what.to_string() }
    }
}
