//! Figures are drawn from what sessions of the same page print. The sessions are run and compared, so a picture cannot
//! show what the machine does not do.
//!
//! ```text
//! <figure data-draw="layers" data-from="trees">     the session with `name=trees`
//! <svg …>                                           all to the caption is generated
//! <figcaption>Thick frames are …</figcaption>
//! </figure>
//! ```

mod drawing;
mod ids;
mod image;
mod layers;
mod mounts;
mod namespaces;
mod packet;
mod processes;

use std::path::Path;

use super::blocks::Page;
use super::fix::Edit;
use super::session::{self, Act};
use crate::problem::Problem;
use drawing::Drawing;

/// Draws what sessions printed, or says what is missing.
type Draw = fn(&[Printed]) -> Result<Drawing, String>;

/// What can be drawn, each from its own form of output.
const KINDS: [(&str, Draw); 7] = [
    ("namespaces", namespaces::draw),
    ("processes", processes::draw),
    ("mounts", mounts::draw),
    ("ids", ids::draw),
    ("packet", packet::draw),
    ("image", image::draw),
    ("layers", layers::draw),
];

/// What a command of a session printed.
struct Printed {
    /// The name of the block.
    block: String,
    lines: Vec<String>,
}

/// The figures that should look otherwise; those that cannot be drawn are added to `problems`.
pub fn edits(page: &Page, problems: &mut Vec<Problem>) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut drawn = 0;
    for (index, line) in page.lines.iter().enumerate() {
        if page.in_block(index + 1) || index < drawn {
            continue;
        }
        let mut say = |text: String| problems.push(Problem::new(&page.file, index + 1, text));
        if line.starts_with("<svg") {
            say("this is drawn by hand: <figure data-draw=\"KIND\" data-from=\"SESSION\"> is drawn from what a session prints".into());
            continue;
        }
        let Some(kind) = attribute(line, "data-draw") else { continue };
        let Some(length) = page.lines[index + 1..].iter().position(|line| line.starts_with("<figcaption>"))
        else {
            say("this figure has no <figcaption>, which says what to look at".into());
            continue;
        };
        drawn = index + 1 + length;
        match draw(page, kind, attribute(line, "data-from").unwrap_or_default()) {
            Ok(new) if new == page.lines[index + 1..drawn] => {}
            Ok(new) => edits.push(Edit { line: index + 2, old: length, new }),
            Err(text) => say(format!("cannot draw {kind}: {text}")),
        }
    }
    edits
}

/// An edit that is not made is a problem.
pub fn as_problem(page: &Page, edit: &Edit) -> Problem {
    let text = "this figure is not what its session prints any more: cargo workshop book --fix draws it";
    Problem::new(&page.file, edit.line - 1, text)
}

fn draw(page: &Page, kind: &str, from: &str) -> Result<Vec<String>, String> {
    let Some((_, draw)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        return Err(format!("what is known is {}", known.join(", ")));
    };
    let mut printed = Vec::new();
    for name in from.split_whitespace() {
        let block = page.blocks.iter().find(|block| block.value("name") == Some(name));
        let block = block.ok_or_else(|| format!("the page has no session with name={name}"))?;
        let events = session::read(&page.file, block).map_err(|problem| problem.to_string())?;
        let outputs = events.into_iter().filter(|event| event.act != Act::Wait && !event.expected.is_empty());
        printed.extend(outputs.map(|event| Printed { block: name.to_owned(), lines: event.expected }));
    }
    if printed.is_empty() {
        return Err("data-from names no session that prints something".into());
    }
    let page = page.file.file_stem().and_then(|stem| Path::new(stem).to_str()).unwrap_or_default();
    // All pages are one when they are printed: the names of the parts must differ.
    draw(&printed).map(|drawing| drawing.svg(&format!("{page}-{}", from.replace(' ', "-"))))
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.strip_prefix("<figure")?.split_once(&format!(" {name}=\""))?.1;
    rest.split_once('"').map(|(value, _)| value)
}

/// A printed text as it stands in a picture: of what varies the letter is left, or an ellipsis.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, inside, after)) = rest
        .split_once('[')
        .and_then(|(before, rest)| rest.split_once(']').map(|(inside, after)| (before, inside, after)))
    {
        let letter = inside.split_once(':').map_or("…", |(_, letter)| letter);
        shown += &format!("{before}{letter}");
        rest = after;
    }
    shown + rest
}

/// "a, b and c".
fn list(words: &[&str]) -> String {
    match words {
        [] => "none".into(),
        [one] => (*one).into(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}
