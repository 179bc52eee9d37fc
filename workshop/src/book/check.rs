//! Pages are read, then run; what is wrong is printed, and what can be rewritten is.

use std::path::Path;

use anyhow::{Context, Result};

use super::blocks::Page;
use super::fix::Edit;
use super::script::{Deed, Script};
use super::{
    BookArgs, binaries, calls, courses, differences, executed, figures, fix, frame, includes, left, links,
    page, person, script,
};
use crate::problem::Problem;
use crate::{explain, workspace};

/// A page, and what reading it alone tells.
pub struct Reading {
    page: Page,
    /// `None`: its sessions cannot be read.
    script: Option<Script>,
    minutes: u32,
    /// Generated differences and sums that are out of date, if they are to be rewritten.
    edits: Vec<Edit>,
    pub problems: Vec<Problem>,
}

impl Reading {
    pub fn of(file: &Path, have_root: bool, fixing: bool) -> Result<Self> {
        let mut problems = Vec::new();
        let page = Page::read(file, &mut problems)?;
        includes::check(&page, &mut problems);
        links::check(&page, &mut problems);
        let script = script::read(&page, have_root).map_err(|more| problems.extend(more)).ok();
        let sessions = page.blocks.iter().filter(|block| block.language == "console").count();
        let minutes = frame::check(&page, sessions, &mut problems);
        let mut edits = differences::edits(&page, &mut problems)?;
        let mut sums = courses::edits(&page, &mut problems);
        let mut index = calls::edits(&page, &mut problems)?;
        if !fixing {
            problems.extend(index.drain(..).map(|edit| calls::as_problem(&page, &edit)));
            problems.extend(edits.drain(..).map(|edit| differences::as_problem(&page, &edit)));
            problems.extend(sums.drain(..).map(|edit| courses::as_problem(&page, &edit)));
            let figures = figures::edits(&page, &mut problems);
            problems.extend(figures.iter().map(|edit| figures::as_problem(&page, edit)));
        }
        edits.append(&mut sums);
        edits.append(&mut index);
        match explain::page::edit(&page, &mut problems) {
            Some(edit) if fixing => edits.push(edit),
            Some(edit) => problems.push(explain::page::as_problem(&page, &edit)),
            None => {}
        }
        Ok(Self { page, script, minutes, edits, problems })
    }

    /// For a slow machine: all may take so many times as long.
    pub fn stretch(&mut self, times: u32) {
        if let Some(script) = &mut self.script {
            script.stretch(times);
        }
    }
}

/// Runs the pages and prints what is wrong. Returns whether nothing is.
pub fn run(args: &BookArgs, readings: &[Reading]) -> Result<bool> {
    let scripts = || readings.iter().filter_map(|reading| reading.script.as_ref());
    let events = || {
        scripts().flat_map(|script| &script.deeds).filter_map(|deed| match deed {
            Deed::Session(event, _) => Some(event),
            Deed::Write { .. } | Deed::Kernel { .. } => None,
        })
    };
    let mut programs = match &args.bin {
        Some(folder) => binaries::built(folder)?,
        None => {
            let root = workspace::root()?;
            binaries::build(&root, &binaries::needed(&root, events())?)?
        }
    };
    programs.extend(workspace::root().iter().flat_map(|root| binaries::unpacked(root, events())));
    let binaries = binaries::gather(&programs)?;
    left::prepare()?;
    let mut well = true;
    for reading in readings {
        well &= run_page(args, reading, binaries.path())?;
    }
    let minutes: u32 = readings.iter().map(|reading| reading.minutes).sum();
    if readings.len() > 1 && minutes > 0 {
        println!("{:<16}{minutes:>5} min", "all");
    }
    Ok(well)
}

fn run_page(args: &BookArgs, reading: &Reading, binaries: &Path) -> Result<bool> {
    let page = &reading.page;
    let name = page.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(script) = &reading.script else {
        println!("{name:<16} not run: its sessions cannot be read");
        return Ok(false);
    };
    let user = args.user.clone().unwrap_or_else(|| person::default_name(args.may_change_host));
    let outcome = page::run(page, script, (&user, args.may_change_host), binaries, args.fix)?;
    for problem in &outcome.problems {
        eprintln!("{problem}");
    }
    for (line, need) in &script.not_run {
        println!("{}", Problem::new(&page.file, *line, format!("not run: this session needs {need}")));
    }
    let mut edits: Vec<&Edit> = reading.edits.iter().chain(&outcome.edits).collect();
    edits.sort_by_key(|edit| edit.line);
    rewrite(page, &edits)?;
    // Only now stands there what the figures are drawn from.
    let mut undrawn = Vec::new();
    let drawn = if args.fix { draw(&page.file, &mut undrawn)? } else { 0 };
    for problem in &undrawn {
        eprintln!("{problem}");
    }
    let minutes =
        frame::chapter(&page.file).map_or_else(String::new, |_| format!("{:>4} min", reading.minutes));
    let problems = outcome.problems.len() + undrawn.len();
    let verdict = match (problems, edits.len() + drawn) {
        (0, 0) => "as printed".to_owned(),
        (0, edits) => format!("{edits} blocks rewritten"),
        (problems, _) => format!("{problems} problems"),
    };
    println!(
        "{name:<16}{minutes:>9}  {:>3} sessions  {:>3} commands  {verdict}",
        script.sessions, outcome.commands
    );
    if problems == 0 && script.not_run.is_empty() && edits.is_empty() && drawn == 0 {
        // Where that folder is root's, the book only says less about itself.
        let _ = executed::note(page);
    }
    Ok(problems == 0 && (script.not_run.is_empty() || !args.strict))
}

/// Draws the figures of a page anew, and returns how many are other ones now.
fn draw(file: &Path, problems: &mut Vec<Problem>) -> Result<usize> {
    let page = Page::read(file, &mut Vec::new())?;
    let edits = figures::edits(&page, problems);
    rewrite(&page, &edits.iter().collect::<Vec<_>>())?;
    Ok(edits.len())
}

fn rewrite(page: &Page, edits: &[&Edit]) -> Result<()> {
    if edits.is_empty() {
        return Ok(());
    }
    std::fs::write(&page.file, fix::apply(page, edits))
        .with_context(|| format!("cannot write {}", page.file.display()))?;
    for edit in edits {
        println!("{}", Problem::new(&page.file, edit.line, "rewritten"));
    }
    Ok(())
}
