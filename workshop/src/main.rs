//! `cargo workshop`: the command of those who learn from the book, teach with it, or write it.

mod book;
mod diff;
mod doctor;
mod explain;
mod problem;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use step01_unshare::answer;

/// The workshop's own command: keeps the book true, and helps learners and teachers.
#[derive(Parser)]
#[command(name = "cargo workshop", bin_name = "cargo workshop", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the book, or run every session that it prints and compare.
    Book(book::BookArgs),
    /// Say for each step whether it runs on this machine, and what to do if it does not.
    Doctor(doctor::DoctorArgs),
    /// Say what an error may come from, which of its causes holds now, and the way out.
    Explain(explain::ExplainArgs),
    /// Print what is new in a step's main.rs, against the step before it.
    Diff {
        /// The step's number: 2 to 6.
        step: u8,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Book(args) => book::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Diff { step } => print_difference(step),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo workshop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_difference(step: u8) -> anyhow::Result<bool> {
    answer(diff::between(&workspace::root()?, step)?)?;
    Ok(true)
}
