//! `coracle container rm` is `coracle rm`: Docker has both ways to say it, and people use both.

use std::ffi::OsString;

use clap::{Command, Error, Parser};

/// The commands that are also said below `container`, and Docker's other names for them there.
const CONTAINER: [(&str, &[&str]); 24] = [
    ("attach", &[]),
    ("cp", &[]),
    ("create", &[]),
    ("diff", &[]),
    ("exec", &[]),
    ("inspect", &[]),
    ("kill", &[]),
    ("logs", &[]),
    ("pause", &[]),
    ("port", &[]),
    ("ps", &["ls", "list"]),
    ("rename", &[]),
    ("restart", &[]),
    ("rm", &["remove"]),
    ("run", &[]),
    ("start", &[]),
    ("stats", &[]),
    ("stop", &[]),
    ("top", &[]),
    ("unpause", &[]),
    ("update", &[]),
    ("wait", &[]),
    // In none of them for now.
    ("commit", &[]),
    ("export", &[]),
];

// ANCHOR: groups
/// The whole command line: each command of a group is a copy of the one outside.
pub fn with_groups(command: Command) -> Command {
    let copies = CONTAINER.iter().filter_map(|(name, others)| {
        let copy = command.find_subcommand(name)?.clone().visible_aliases(*others);
        // What is asked for here is never an image.
        Some(if *name == "inspect" {
            copy.mut_arg("kind", |kind| kind.default_value("container"))
        } else {
            copy
        })
    });
    let copies: Vec<_> = copies.collect();
    command.mut_subcommand("container", |group| group.subcommands(copies))
}

/// Reads the command line. A command of a group is then as if it had been said outside.
pub(super) fn parse<C: Parser>() -> Result<C, Error> {
    let words: Vec<OsString> = std::env::args_os().collect();
    // Copying takes time, and most people never say it.
    let is_said = words.iter().any(|word| word == "container");
    let command = if is_said { with_groups(C::command()) } else { C::command() };
    let matches = command.try_get_matches_from(words)?;
    let copied = |name: &str| CONTAINER.iter().any(|(copied, _)| *copied == name);
    C::from_arg_matches(match matches.subcommand() {
        Some(("container", inner)) if inner.subcommand_name().is_some_and(copied) => inner,
        _ => &matches,
    })
}
// ANCHOR_END: groups
