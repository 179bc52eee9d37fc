//! The command line as a whole: how it is read, and what is said of one that makes no sense.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Parser};
use nix::sys::stat::{Mode, umask};
use step03_pid::{Failed, report};

use super::{absent, groups, with_code, with_groups};
use crate::container::begin_with_limits;
use crate::sealed;
use crate::text::answer;

/// Reads the command line, does what it says, and prints at most one message.
pub fn main<C: Parser>(execute: impl FnOnce(C) -> Result<u8>) -> ExitCode {
    if crate::monitor::is_asked_for() {
        return crate::monitor::main();
    }
    sealed::take_name();
    begin_with_limits();
    keep_our_own_rights();
    // Whoever may go into walls begins anew for that, so it comes first. That some other command has such a word does no harm.
    if std::env::args_os().any(|word| word == "run" || word == "exec")
        && let Err(error) = sealed::seal()
    {
        return report(Err(with_code(error, 125)));
    }
    if std::env::args_os().skip(1).eq(["-v"]) {
        // clap's own letter is a large one.
        let version = C::command().render_version();
        return report(answer(version).map(|()| 0));
    }
    report(match groups::parse::<C>() {
        Ok((cli, verb)) => {
            absent::refuse_elsewhere(&verb).and_then(|()| execute(cli)).map_err(|error| with_code(error, 1))
        }
        Err(error) => judge(&error, with_groups(C::command())),
    })
}

/// What we make we must be able to open ourselves, whatever the caller's umask is: a folder that nobody can enter would be
/// in the way of each command that comes after this one.
fn keep_our_own_rights() {
    let asked = umask(Mode::empty());
    umask(asked - Mode::S_IRWXU);
}

/// Nothing at all is a question for help. Docker's exit codes for a command line that makes no
/// sense are 1 for a command that is not there and for too few or too many words, and 125 for a wrong option.
fn judge(error: &clap::Error, mut command: Command) -> Result<u8> {
    let code = match error.kind() {
        ErrorKind::DisplayHelp => return help(command),
        ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return show(&error.render());
        }
        ErrorKind::MissingSubcommand => return show(&command.render_help()),
        ErrorKind::InvalidSubcommand | ErrorKind::MissingRequiredArgument | ErrorKind::TooFewValues => 1,
        ErrorKind::UnknownArgument if is_one_word_too_many(error) => 1,
        _ => 125,
    };
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(&**word),
        _ => None,
    };
    let wrong = named(ContextKind::InvalidArg);
    let said = said(&command, wrong);
    let absent = match error.kind() {
        ErrorKind::InvalidSubcommand => named(ContextKind::InvalidSubcommand).and_then(absent::command),
        ErrorKind::UnknownArgument => wrong.and_then(|option| {
            let names: Vec<_> = said.iter().map(|(_, verb)| verb.get_name()).collect();
            absent::option(&names, option)
        }),
        _ => None,
    };
    if let Some(text) = absent {
        return Err(Failed { code, text }.into());
    }
    // clap says more, in several paragraphs: the first one is what is wrong.
    let text = error.render().to_string();
    let what = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    let what: Vec<_> = what.split_whitespace().collect();
    let program = said.iter().fold(command.get_name().to_owned(), |program, (word, _)| program + " " + word);
    let way_out = format!("Run '{program} --help' for more information");
    Err(Failed { code, text: format!("{}\n{way_out}", what.join(" ")) }.into())
}

/// The commands that were said, one below the other, as far as the word that made no sense.
fn said<'a>(command: &'a Command, wrong: Option<&str>) -> Vec<(String, &'a Command)> {
    let (mut said, mut at) = (Vec::new(), command);
    for word in std::env::args_os().skip(1) {
        let word = word.to_string_lossy();
        if wrong.is_some_and(|wrong| wrong.starts_with('-') && word.starts_with(wrong)) {
            break;
        }
        if let Some(verb) = at.find_subcommand(&*word) {
            said.push((word.into_owned(), verb));
            at = verb;
        }
    }
    said
}

/// Read again by the command line as it is written down: there a switch has no word behind it.
fn help(command: Command) -> Result<u8> {
    let is_said = |word: &str| std::env::args_os().any(|said| said == word);
    let how = if is_said("-h") && !is_said("--help") { "-h" } else { "--help" };
    let verbs = said(&command, None).into_iter().map(|(word, _)| word);
    let words: Vec<_> =
        std::iter::once(command.get_name().to_owned()).chain(verbs).chain([how.to_owned()]).collect();
    match command.try_get_matches_from(words) {
        Err(error) => show(&error.render()),
        Ok(_) => Ok(0),
    }
}

fn is_one_word_too_many(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(word)) if !word.starts_with('-'))
}

fn show(help: &clap::builder::StyledStr) -> Result<u8> {
    let text = if std::io::stdout().is_terminal() { help.ansi().to_string() } else { help.to_string() };
    answer(text)?;
    Ok(0)
}
