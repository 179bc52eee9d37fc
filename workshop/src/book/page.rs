//! One page: its files are written and its sessions typed, in the order of the page, in a folder of its own.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::blocks::Page;
use super::compare;
use super::desk::Desk;
use super::fix::{self, Edit};
use super::folder::Folder;
use super::interrupt::Interrupt;
use super::left::Household;
use super::person::{People, Person};
use super::script::{Deed, Script};
use super::session::{Act, Event, Seat};
use super::terminal::Terminal;
use super::wildcards::Bindings;
use crate::problem::Problem;

/// What came of running a page.
#[derive(Default)]
pub struct Outcome {
    pub problems: Vec<Problem>,
    pub edits: Vec<Edit>,
    pub commands: usize,
}

/// Runs a page. Whatever happens, its processes, mounts and folder are gone afterwards.
pub fn run(
    page: &Page,
    script: &Script,
    user: (&str, bool),
    binaries: &Path,
    fixing: bool,
) -> Result<Outcome> {
    let interrupt = Interrupt::new()?;
    let folder = Folder::new()?;
    let household = Household::new();
    let mut outcome = Outcome::default();
    let mut desk = Desk::new(household, interrupt, fixing);
    let done = People::find(user.0, user.1, binaries, &folder.home).and_then(|people| {
        folder.give_to(&people.ordinary)?;
        all(page, script, &people, &folder, &mut desk, &mut outcome, fixing)
    });
    let cleared = desk.household.clear();
    drop(desk);
    let removed = folder.remove();
    done.and(cleared).and(removed)?;
    Ok(outcome)
}

fn all(
    page: &Page,
    script: &Script,
    people: &People,
    folder: &Folder,
    desk: &mut Desk,
    outcome: &mut Outcome,
    fixing: bool,
) -> Result<()> {
    let start = Instant::now();
    let mut bindings = Bindings::new();
    let mut last = 1;
    for deed in &script.deeds {
        let (event, after) = match deed {
            Deed::Write { line, name, content } => {
                if let Err(error) = folder.write(name, content, &people.ordinary) {
                    outcome.problems.push(Problem::new(&page.file, *line, format!("{error:#}")));
                }
                continue;
            }
            Deed::Kernel { line, image } => {
                if let Err(error) = folder.copy_kernel(image, &people.ordinary) {
                    outcome.problems.push(Problem::new(&page.file, *line, format!("{error:#}")));
                }
                continue;
            }
            Deed::Session(event, after) => (event, *after),
        };
        last = event.line;
        let stuck = |why: &str| {
            Problem::new(
                &page.file,
                event.line,
                format!("{}: {why}; the page was not run any further", event.shown()),
            )
        };
        if start.elapsed() > script.limit {
            outcome.problems.push(stuck(&format!("the page takes more than {} s", script.limit.as_secs())));
            break;
        }
        if !desk.has(&event.seat) {
            let terminal = Terminal::open(person(people, &event.seat)?, &folder.page)?;
            if let Err(why) = desk.add(&event.seat, terminal)? {
                outcome.problems.push(stuck(&format!("no shell at this terminal: {}", why.0)));
                break;
            }
        }
        outcome.commands += 1;
        match desk.perform(event, after, &bindings)? {
            Ok(appeared) => judge(page, event, &appeared, &mut bindings, outcome, fixing),
            Err(why) => {
                let limit = event.limit.as_secs();
                outcome.problems.push(stuck(&why.0.replace("in time", &format!("within {limit} s"))));
                desk.household.look(event.line);
                return Ok(());
            }
        }
        desk.household.look(event.line);
    }
    let left = desk.household.left_behind(last);
    outcome.problems.extend(left.into_iter().map(|(line, text)| Problem::new(&page.file, line, text)));
    Ok(())
}

fn person<'a>(people: &'a People, seat: &Seat) -> Result<&'a Person> {
    match (&people.root, seat.root) {
        (_, false) => Ok(&people.ordinary),
        (Some(root), true) => Ok(root),
        (None, true) => anyhow::bail!("there is no root to sit at {}#", seat.name),
    }
}

fn judge(
    page: &Page,
    event: &Event,
    appeared: &[String],
    bindings: &mut Bindings,
    outcome: &mut Outcome,
    fixing: bool,
) {
    if compare::matches_everything(&event.expected) && !fixing {
        let text = format!(
            "the output of {} is only wildcards that match everything: it can never be wrong",
            event.shown()
        );
        return outcome.problems.push(Problem::new(&page.file, event.line, text));
    }
    let comparison = compare::compare(&event.expected, appeared, bindings);
    if comparison.same && !compare::matches_everything(&event.expected) {
        return;
    }
    if fixing {
        let lines = compare::fixed(&event.expected, appeared, &comparison);
        match fix::unprintable(&lines, matches!(event.act, Act::Type(_))) {
            Some(why) => outcome.problems.push(Problem::new(
                &page.file,
                event.line,
                format!("the output of {} {why}", event.shown()),
            )),
            None => outcome.edits.push(Edit { line: event.output, old: event.expected.len(), new: lines }),
        }
        return;
    }
    let difference = compare::difference(&event.expected, appeared, &comparison);
    let text =
        format!("{} did not print what the page says:\n    {}", event.shown(), difference.join("\n    "));
    outcome.problems.push(Problem::new(&page.file, event.line, text));
}
