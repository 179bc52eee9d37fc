//! The walk through the tree.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use serde_json::Value;

use super::fields::{Absent, walk};
use super::functions::{self, is_true};
use super::operations::items;
use super::tree::{Base, Node, Pipeline, Term};
use super::verbs::{EMPTY, NO_VALUE, shown};

/// What is being filled in.
pub(super) struct Execution<'a> {
    source: &'a str,
    labels: &'a BTreeMap<String, String>,
    /// Whether the value is made of the names of columns.
    header: bool,
    absent: Absent,
    /// What is printed for a `null`.
    null: &'static str,
    /// What is printed for nothing, as it was found last.
    nothing: &'static str,
    variables: Vec<(String, Value)>,
    output: String,
}

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl<'a> Execution<'a> {
    pub fn new(source: &'a str, value: &Value, labels: &'a BTreeMap<String, String>, header: bool) -> Self {
        let variables = vec![("$".to_owned(), value.clone())];
        let absent = super::fields::none;
        let (null, output) = (NO_VALUE, String::new());
        Self { source, labels, header, absent, null, nothing: null, variables, output }
    }

    /// Of a structure, whose fields are not all written, and in which `null` is an empty list.
    pub fn of_structure(
        source: &'a str,
        value: &Value,
        labels: &'a BTreeMap<String, String>,
        absent: Absent,
    ) -> Self {
        Self { absent, null: EMPTY, ..Self::new(source, value, labels, false) }
    }

    pub fn run(mut self, nodes: &[Node]) -> Result<String> {
        let dot = self.variables[0].1.clone();
        self.nodes(nodes, &dot)?;
        Ok(self.output)
    }

    // ANCHOR: walk
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow> {
        for node in nodes {
            match node {
                Node::Text(text) => self.output.push_str(text),
                Node::Print(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    match value {
                        _ if !pipeline.variables.is_empty() => {}
                        Value::Null => self.output.push_str(self.nothing),
                        value => self.output.push_str(&shown(&value)),
                    }
                }
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
                Node::If { with, test, then, otherwise } => {
                    let outside = self.variables.len();
                    let value = self.pipeline(test, dot)?;
                    let flow = match is_true(&value) {
                        true => self.nodes(then, if *with { &value } else { dot })?,
                        false => self.nodes(otherwise, dot)?,
                    };
                    self.variables.truncate(outside);
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
                Node::Range { over, body, otherwise } => self.range(over, body, otherwise, dot)?,
            }
        }
        Ok(Flow::On)
    }
    // ANCHOR_END: walk

    fn range(&mut self, over: &Pipeline, body: &[Node], otherwise: &[Node], dot: &Value) -> Result<()> {
        let outside = self.variables.len();
        let value = self.value(over, dot)?;
        let mut items = match items(&value) {
            Some(items) => items.peekable(),
            None => bail!(self.fault(over, &format!("range can't iterate over {}", shown(&value)))),
        };
        if items.peek().is_none() {
            self.nodes(otherwise, dot)?;
        }
        for (key, item) in items {
            match &over.variables[..] {
                [] => {}
                [name] => self.set(over, name, item.clone()),
                [first, second, ..] => {
                    self.set(over, first, key);
                    self.set(over, second, item.clone());
                }
            }
            let flow = self.nodes(body, &item)?;
            if !over.assigns {
                self.variables.truncate(outside);
            }
            if flow == Flow::Break {
                break;
            }
        }
        self.variables.truncate(outside);
        Ok(())
    }

    /// The value, which its variable gets too.
    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value> {
        let value = self.value(pipeline, dot)?;
        for name in &pipeline.variables {
            self.set(pipeline, name, value.clone());
        }
        Ok(value)
    }

    fn value(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value, dot)?);
        }
        Ok(value.unwrap_or_default())
    }

    fn set(&mut self, pipeline: &Pipeline, name: &str, value: Value) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        match known {
            Some((_, old)) if pipeline.assigns => *old = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn command(&mut self, terms: &[Term], piped: Option<Value>, dot: &Value) -> Result<Value> {
        let [first, rest @ ..] = terms else { return Ok(Value::Null) };
        let Base::Function(name) = &first.base else {
            if let ("Label", Base::Dot, [label]) = (&*first.fields.join("."), &first.base, rest) {
                let label = self.term(label, dot)?;
                return Ok(self.label(&label).into());
            }
            if !rest.is_empty() || piped.is_some() {
                bail!(self.cannot(
                    first,
                    &match first.fields.last() {
                        Some(name) => format!("{name} has arguments but cannot be invoked as function"),
                        None => format!("can't give argument to non-function {}", self.text(first)),
                    }
                ));
            }
            if matches!(first.base, Base::Literal(Value::Null)) {
                bail!(self.cannot(first, "nil is not a command"));
            }
            return self.term(first, dot);
        };
        let count = rest.len() + usize::from(piped.is_some());
        functions::check(name, count).map_err(|error| anyhow!(self.cannot(first, &error.to_string())))?;
        let mut values = Vec::new();
        for term in rest {
            // The first one that decides is the last one that is looked at.
            if let Some(last) = values.last()
                && functions::decides(name, last)
            {
                break;
            }
            values.push(self.term(term, dot)?);
        }
        values.extend(piped);
        if self.header && functions::shapes_text(name) {
            return Ok(values.first().cloned().unwrap_or_default());
        }
        let end = terms.last().map_or(first.end, |last| last.end);
        self.nothing = self.null;
        functions::call(name, &values).map_err(|error| {
            anyhow!(self.at(first.start, first.start, end, &format!("error calling {name}: {error:#}")))
        })
    }

    fn term(&mut self, term: &Term, dot: &Value) -> Result<Value> {
        let computed;
        let value = match &term.base {
            Base::Dot => dot,
            Base::Literal(value) => value,
            Base::Group(pipeline) => {
                computed = self.pipeline(pipeline, dot)?;
                &computed
            }
            Base::Function(_) => {
                computed = self.command(std::slice::from_ref(term), None, dot)?;
                &computed
            }
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                found.map_or(&Value::Null, |(_, value)| value)
            }
        };
        let walked = walk(value, &term.fields, self.absent, self.null)
            .map_err(|what| anyhow!(self.cannot(term, &what)))?;
        self.nothing = walked.1;
        Ok(walked.0)
    }

    /// Above a column of labels stands the last part of their name.
    fn label(&self, name: &Value) -> String {
        let name = shown(name);
        match self.header {
            true => name.rsplit('.').next().unwrap_or(&name).replace(['-', '_'], " "),
            false => self.labels.get(&name).cloned().unwrap_or_default(),
        }
    }

    fn fault(&self, pipeline: &Pipeline, what: &str) -> String {
        match pipeline.commands.first().and_then(|command| command.first()) {
            Some(term) => self.cannot(term, what),
            None => what.to_owned(),
        }
    }

    fn cannot(&self, term: &Term, what: &str) -> String {
        self.at(term.at, term.start, term.end, what)
    }

    /// `start` and `end` are those of the text that is shown.
    fn at(&self, at: usize, start: usize, end: usize, what: &str) -> String {
        let before = &self.source[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) = (before.matches('\n').count() + 1, at - line_start);
        format!("template: :{line}:{column}: executing \"\" at <{}>: {what}", &self.source[start..end])
    }

    fn text(&self, term: &Term) -> &str {
        &self.source[term.start..term.end]
    }
}
