//! What all lists have in common: `--format`, `--filter`, and the columns.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use serde_json::{Map, Value};

use crate::human::table;
use crate::preferences::Preferences;
use crate::template::Template;
use crate::text::{answer, printable};

/// `--format`
#[derive(Debug, Clone, Default, Args)]
pub struct Format {
    /// How to print each: a Go template such as '{{.ID}}', 'table {{.ID}}\t{{.Names}}' with a header, or 'json'
    #[arg(long, value_name = "TEMPLATE")]
    pub format: Option<String>,
}

impl Format {
    /// The one that was asked for, or else the one that somebody prefers. Whoever wants ids wants no other.
    pub(crate) fn or(&self, only_ids: bool, preferred: fn(Preferences) -> Option<String>) -> Self {
        match self.format.as_deref() {
            None | Some("") if !only_ids => Self { format: preferred(Preferences::read()) },
            _ => self.clone(),
        }
    }
}

/// A list to be printed.
#[derive(Debug)]
pub(crate) struct List {
    /// What there is to print, and the words above the columns.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The names of the columns that are printed if nobody asks for others.
    pub columns: Vec<&'static str>,
    /// With `--quiet`: only this, without a header.
    pub only: Option<&'static str>,
    /// One for each thing.
    pub rows: Vec<Row>,
}

/// What is known of one thing, by Docker's names, all of it text.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// `{{.Name}}`
    pub fields: BTreeMap<&'static str, String>,
    /// `{{.Label "key"}}`
    pub labels: BTreeMap<String, String>,
}

// ANCHOR: list
impl List {
    /// Prints it as `--format` asks, or as a table.
    pub fn print(&self, format: &Format) -> Result<u8> {
        let format = match (format.format.as_deref().map(str::trim), self.only) {
            (None | Some("" | "table"), Some(only)) => format!("{{{{.{only}}}}}"),
            (None | Some("" | "table"), None) => self.usual(),
            (Some("json"), _) => "{{json .}}".to_owned(),
            (Some(other), _) => other.to_owned(),
        };
        // These two are understood outside of braces as well, for the sake of shells.
        let format = format.replace(r"\t", "\t").replace(r"\n", "\n");
        match format.strip_prefix("table") {
            Some(columns) => self.print_table(&parse(columns.trim())?),
            None => self.print_lines(&parse(&format)?),
        }
    }

    fn usual(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|name| format!("{{{{.{name}}}}}")).collect();
        format!("table {}", columns.join("\t"))
    }

    fn print_table(&self, template: &Template) -> Result<u8> {
        let cells = |line: String| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        let headers: Map<_, _> =
            self.headers.iter().map(|(name, header)| ((*name).to_owned(), (*header).into())).collect();
        let mut lines = vec![cells(template.render_header(&Value::from(headers)).context(WRONG)?)];
        for row in &self.rows {
            lines.push(cells(row.render(template, true)?));
        }
        answer(table(&lines))?;
        Ok(0)
    }

    fn print_lines(&self, template: &Template) -> Result<u8> {
        // A terminal obeys control characters, a program that reads this wants what is there.
        let escape = std::io::stdout().is_terminal();
        let mut lines = String::new();
        for row in &self.rows {
            lines += &(row.render(template, escape)? + "\n");
        }
        if self.rows.is_empty() {
            self.check(template)?;
        }
        answer(lines)?;
        Ok(0)
    }
    // ANCHOR_END: list

    /// A wrong name is said also where there is nothing to print.
    fn check(&self, template: &Template) -> Result<()> {
        let fields = self.headers.iter().map(|(name, _)| (*name, String::new())).collect();
        match (Row { fields, ..Row::default() }).render(template, false) {
            Err(error) if format!("{error:#}").contains("has no entry") => Err(error),
            _ => Ok(()),
        }
    }
}

impl Row {
    fn render(&self, template: &Template, escape: bool) -> Result<String> {
        let shown = |text: &String| if escape { escaped(text) } else { text.clone() };
        let fields: Map<_, _> =
            self.fields.iter().map(|(name, text)| ((*name).to_owned(), shown(text).into())).collect();
        let labels = self.labels.iter().map(|(name, text)| (name.clone(), shown(text))).collect();
        template.render_row(&Value::from(fields), &labels).context(WRONG)
    }
}

/// Docker's words, also if the template was understood and cannot be filled in.
const WRONG: &str = "template parsing error";

fn parse(template: &str) -> Result<Template> {
    Template::parse(template).context(WRONG)
}

fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character.is_control() {
            true => shown.extend(character.escape_debug()),
            false => shown.push(character),
        }
    }
    shown
}

/// `--filter NAME=VALUE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// In lower-case letters.
    pub name: String,
    /// Whatever was said.
    pub value: String,
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, value) = text.split_once('=').context("bad format of filter (expected name=value)")?;
        Ok(Self { name: name.trim().to_lowercase(), value: value.trim().to_owned() })
    }
}

/// All filters of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filters<'a>(pub &'a [Filter]);

impl<'a> Filters<'a> {
    /// Refuses what the command does not know.
    pub fn check(&self, known: &[&str]) -> Result<()> {
        match self.0.iter().find(|filter| !known.contains(&&*filter.name)) {
            Some(Filter { name, .. }) => bail!("Invalid filter '{}'", printable(name)),
            None => Ok(()),
        }
    }

    /// The values that were said for a name.
    pub fn values(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |filter| filter.name == name).map(|filter| &*filter.value)
    }

    /// Whether one of the values fits, or none was said: several filters of one name are alternatives.
    pub fn any(&self, name: &'a str, fits: impl FnMut(&str) -> bool) -> bool {
        self.values(name).next().is_none() || self.values(name).any(fits)
    }

    /// Whether there are all labels that were said, as `KEY` or `KEY=VALUE`.
    pub fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        self.values("label").all(|wanted| has_label(labels, wanted))
    }

    /// The same, and none of those that were said with `label!`.
    pub fn labels_for_prune(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels(labels) && !self.values("label!").any(|spared| has_label(labels, spared))
    }

    /// A switch: `true` or `false`.
    pub fn switch(&self, name: &'a str) -> Result<Option<bool>> {
        let mut said = None;
        for value in self.values(name) {
            said = Some(match value {
                "true" | "1" => true,
                "false" | "0" => false,
                other => bail!("Invalid filter '{name}=[{}]'", printable(other)),
            });
        }
        Ok(said)
    }
}

fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|there| there == value),
        None => labels.contains_key(wanted),
    }
}
