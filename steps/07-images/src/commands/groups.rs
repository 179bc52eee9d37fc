//! `coracle container rm` is `coracle rm`: Docker has both ways to say it, and people use both.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Command, Error, Parser};

use super::switches::{as_docker, with_global};
use crate::credentials;

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

/// The same below `image`.
const IMAGE: [(&str, &[&str]); 8] = [
    ("history", &[]),
    ("images", &["ls", "list"]),
    ("inspect", &[]),
    ("load", &[]),
    ("pull", &[]),
    ("rmi", &["rm", "remove"]),
    ("save", &[]),
    ("tag", &[]),
];

/// A command, and its other names within a group.
type Copied = (&'static str, &'static [&'static str]);

const GROUPS: [(&str, &[Copied]); 2] = [("container", &CONTAINER), ("image", &IMAGE)];

// ANCHOR: groups
/// The whole command line: each command of a group is a copy of the one outside.
pub fn with_groups(mut command: Command) -> Command {
    for (group, names) in GROUPS {
        let copies = names.iter().filter_map(|(name, others)| {
            let copy = command.find_subcommand(name)?.clone().visible_aliases(*others);
            // What is asked for here is of one kind.
            Some(if *name == "inspect" {
                copy.mut_arg("kind", |kind| kind.default_value(group))
            } else {
                copy
            })
        });
        let copies: Vec<_> = copies.collect();
        command = command.mut_subcommand(group, |group| group.subcommands(copies));
    }
    command
}

/// Reads the command line, and says which command it is. One of a group is then as if it had been said outside.
pub(super) fn parse<C: Parser>() -> Result<(C, String), Error> {
    let words: Vec<OsString> = std::env::args_os().collect();
    // Copying takes time, and most people never say it.
    let is_said = words.iter().any(|word| GROUPS.iter().any(|(group, _)| word == group));
    let command = if is_said { with_groups(C::command()) } else { C::command() };
    let matches = as_docker(with_global(command)).try_get_matches_from(words)?;
    if let Ok(Some(folder)) = matches.try_get_one::<PathBuf>("config") {
        credentials::use_folder(folder);
    }
    let said = matches.subcommand().and_then(|(group, inner)| {
        let (_, names) = GROUPS.iter().find(|(name, _)| *name == group)?;
        let said = inner.subcommand_name()?;
        names.iter().any(|(copied, _)| *copied == said).then_some(inner)
    });
    let said = said.unwrap_or(&matches);
    Ok((C::from_arg_matches(said)?, said.subcommand_name().unwrap_or_default().to_owned()))
}
// ANCHOR_END: groups
