//! The command line: what this step's own commands share, and what all steps say of a wrong one.

use anyhow::{Error, Result};
use clap::error::ErrorKind;
use clap::{Args, Parser};

use crate::{KINDS, Namespaces};

// ANCHOR: names
/// The options of `unshare` and `nsenter` that name namespaces.
#[derive(Debug, Args)]
pub struct NamespaceArgs {
    /// User and group ids, capabilities
    #[arg(short = 'U', long)]
    pub user: bool,
    /// Mount points
    #[arg(short, long)]
    pub mount: bool,
    /// Host name and domain name
    #[arg(short, long)]
    pub uts: bool,
    /// System V IPC and POSIX message queues
    #[arg(short, long)]
    pub ipc: bool,
    /// Network devices, addresses, ports
    #[arg(short, long)]
    pub net: bool,
    /// Process ids
    #[arg(short, long)]
    pub pid: bool,
    /// The root of the cgroup tree
    #[arg(short = 'C', long)]
    pub cgroup: bool,
    /// Boot and monotonic clocks
    #[arg(short = 'T', long)]
    pub time: bool,
}

impl NamespaceArgs {
    /// The set that these options name.
    pub fn namespaces(&self) -> Namespaces {
        let asked = [self.user, self.mount, self.uts, self.ipc, self.net, self.pid, self.cgroup, self.time];
        KINDS.iter().zip(asked).filter(|(_, asked)| *asked).map(|(kind, _)| kind.flag).collect()
    }
}
// ANCHOR_END: names

// ANCHOR: parse
/// Reads the command line.
///
/// # Errors
/// What is wrong with it in one line, and the way out in a second.
pub fn parse<C: Parser>() -> Result<C> {
    C::try_parse().map_err(|error| match error.kind() {
        // These are answers and no errors: clap prints them and ends with 0.
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
        _ => one_line(&error),
    })
}

/// clap says the same in paragraphs: the error, tips, the usage, and where to find help.
fn one_line(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let what = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command is named".to_owned(),
        _ => words(text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default()),
    };
    let line = |start: &str| text.lines().map(words).find(|line| line.starts_with(start));
    let way_out = line("tip: a similar").or_else(|| line("Usage:")).unwrap_or("see --help".to_owned());
    Error::msg(format!("{what}\n{way_out}"))
}
// ANCHOR_END: parse
