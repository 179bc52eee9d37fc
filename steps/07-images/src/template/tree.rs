//! What a template is made of.

use serde_json::Value;

/// A piece of the template.
// ANCHOR: tree
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    /// `{{.Name | upper}}`; with a declaration nothing is printed.
    Print(Pipeline),
    /// `{{if}}`, or `{{with}}`, which also makes what it tests the dot.
    If {
        with: bool,
        test: Pipeline,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        over: Pipeline,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Break,
    Continue,
}

/// Commands, each of which gets the value of the one before as its last argument.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// `$x :=`, or in a range `$i, $x :=`
    pub variables: Vec<String>,
    /// `=` instead of `:=`: they were declared before.
    pub assigns: bool,
    pub commands: Vec<Vec<Term>>,
}

/// A value, with fields behind it: `.A.B`, `$x.A`, `(index .A 0).B`.
#[derive(Debug)]
pub(super) struct Term {
    pub base: Base,
    pub fields: Vec<String>,
    /// Where it stands in the template, in bytes.
    pub start: usize,
    pub end: usize,
    /// Where Go says that it is: at its second part, if there is one.
    pub at: usize,
}

#[derive(Debug)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Literal(Value),
    Function(String),
    Group(Pipeline),
}
// ANCHOR_END: tree
