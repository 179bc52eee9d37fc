//! From words to a tree: what stands within one pair of braces.

use serde_json::Value;

use super::lexer::{Kind, Word};
use super::parser::{Parser, Result};
use super::tree::{Base, Pipeline, Term};
use super::{Fault, functions};

impl Parser {
    /// Up to what closes it, which is left.
    pub(super) fn pipeline(&mut self, context: &str) -> Result<Pipeline> {
        let (variables, assigns) = self.declaration(context)?;
        let mut commands = vec![self.command(context)?];
        while self.sign('|') {
            commands.push(self.command(context)?);
        }
        // Known from here on only: not in its own value.
        if !assigns {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipeline { variables, assigns, commands })
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`, if there is one.
    fn declaration(&mut self, context: &str) -> Result<(Vec<String>, bool)> {
        let (start, mut names) = (self.position, Vec::new());
        while let Some(Kind::Variable(name)) = self.next().map(|word| word.kind) {
            names.push(name);
            match self.next().map(|word| word.kind) {
                Some(Kind::Sign(',')) if context == "range" && names.len() == 1 => {}
                Some(Kind::Declare) => return Ok((names, false)),
                Some(Kind::Assign) => {
                    let unknown = names.iter().find(|name| !self.variables.contains(name));
                    let at = self.words[start].start;
                    return match unknown {
                        Some(name) => Err(Fault::new(at, format_args!("undefined variable {name:?}"))),
                        None => Ok((names, true)),
                    };
                }
                _ => break,
            }
        }
        self.position = start;
        Ok((Vec::new(), false))
    }

    fn command(&mut self, context: &str) -> Result<Vec<Term>> {
        let mut terms: Vec<Term> = Vec::new();
        loop {
            let at = match self.peek() {
                None => return Err(Fault::new(self.end, "unclosed action")),
                Some(word) if matches!(word.kind, Kind::Close | Kind::Sign('|' | ')')) => word.start,
                Some(_) => {
                    terms.push(self.term(context)?);
                    continue;
                }
            };
            let found = self.peek().map(|word| name_of(&word.kind));
            return match (terms.is_empty(), &*found.unwrap_or_default()) {
                (false, _) => Ok(terms),
                (true, "}}") => Err(Fault::new(at, format_args!("missing value for {context}"))),
                (true, sign) => Err(Fault::new(at, format_args!("unexpected {sign} in {context}"))),
            };
        }
    }

    fn term(&mut self, context: &str) -> Result<Term> {
        let Some(word) = self.next() else { return Err(self.too_short()) };
        let (start, mut end) = (word.start, word.end);
        let mut fields = Vec::new();
        let base = match word.kind {
            Kind::Dot => Base::Dot,
            Kind::Field(name) => {
                fields.push(name);
                Base::Dot
            }
            Kind::Variable(name) if self.variables.contains(&name) => Base::Variable(name),
            Kind::Variable(name) => {
                return Err(Fault::new(start, format_args!("undefined variable {name:?}")));
            }
            Kind::Literal(value) => Base::Literal(value),
            Kind::Name(name) => match &*name {
                "true" => Base::Literal(true.into()),
                "false" => Base::Literal(false.into()),
                "nil" => Base::Literal(Value::Null),
                _ if functions::exists(&name) => Base::Function(name),
                _ => return Err(Fault::new(start, format_args!("function {name:?} not defined"))),
            },
            Kind::Sign('(') => {
                self.enter(start)?;
                let pipeline = self.pipeline("parenthesized pipeline")?;
                end = self.peek().map_or(self.end, |word| word.end);
                if !self.sign(')') {
                    return Err(Fault::new(start, "unclosed left paren"));
                }
                self.depth -= 1;
                Base::Group(pipeline)
            }
            _ => {
                return Err(Fault::new(
                    start,
                    format_args!("unexpected {} in {context}", name_of(&word.kind)),
                ));
            }
        };
        // `.A.B` is one term, `.A .B` are two.
        let mut at = start;
        while let Some(Word { kind: Kind::Field(name), start: begin, end: stop }) = self.peek().cloned()
            && begin == end
        {
            self.next();
            if at == start {
                at = begin;
            }
            fields.push(name);
            end = stop;
        }
        match self.peek() {
            Some(next) if next.start == end && next.kind == Kind::Dot => {
                Err(Fault::new(next.start, "unexpected <.> in operand"))
            }
            _ => Ok(Term { base, fields, start, end, at }),
        }
    }
}

pub(super) fn name_of(kind: &Kind) -> String {
    match kind {
        Kind::Text(text) => format!("{text:?}"),
        Kind::Open => "{{".into(),
        Kind::Close => "}}".into(),
        Kind::Dot => "<.>".into(),
        Kind::Field(name) => format!("<.{name}>"),
        Kind::Variable(name) | Kind::Name(name) => format!("<{name}>"),
        Kind::Literal(value) => format!("{:?}", value.to_string()),
        Kind::Sign(sign) => format!("\"{sign}\""),
        Kind::Declare => "\":=\"".into(),
        Kind::Assign => "\"=\"".into(),
    }
}
