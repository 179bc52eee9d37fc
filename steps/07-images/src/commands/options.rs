//! The options of `run` and `create`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use step04_mount::Volume;
use step06_net::NetArgs;

use super::pull::PullArgs;

/// The options and words of `run`.
#[derive(Debug, Clone, Args)]
#[command(disable_help_flag = true)]
pub struct RunArgs {
    /// Remove the container when it has ended
    #[arg(long = "rm")]
    pub remove: bool,
    /// Pass the standard input in
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// What to call the container
    #[arg(long)]
    pub name: Option<String>,
    /// The host name inside
    #[arg(short = 'h', long)]
    pub hostname: Option<String>,
    /// Set a variable: NAME=VALUE, or NAME for the value that it has here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// Where the command starts
    #[arg(short, long, value_name = "DIRECTORY")]
    pub workdir: Option<PathBuf>,
    /// Who the command runs as: a name or a uid, and a group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Replace the image's entrypoint
    #[arg(long, value_name = "COMMAND")]
    pub entrypoint: Option<OsString>,
    /// Keep a small init as process 1, which reaps orphans and forwards signals
    #[arg(long)]
    pub init: bool,
    /// Write the container's id into a new file
    #[arg(long, value_name = "FILE")]
    pub cidfile: Option<PathBuf>,
    /// Get the image first
    #[arg(long, value_enum, value_name = "WHEN", default_value = "missing")]
    pub pull: When,
    /// Show the host's namespaces beside the container's
    #[arg(long)]
    pub observe: bool,
    /// Mount a file or directory of the host: HOST:CONTAINER[:ro]
    #[arg(short, long = "volume", value_name = "HOST:CONTAINER[:ro]")]
    pub volumes: Vec<Volume>,
    /// Mount an empty file system in memory
    #[arg(long, value_name = "CONTAINER")]
    pub tmpfs: Vec<PathBuf>,
    /// Allow no change of the root file system
    #[arg(long)]
    pub read_only: bool,
    #[command(flatten)]
    /// The network
    pub network: NetArgs,
    #[command(flatten)]
    /// How to ask the registry
    pub registry: PullArgs,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// The image, and a command with its arguments in place of the image's own
    #[arg(required = true, num_args = 1.., value_names = ["IMAGE", "COMMAND"], trailing_var_arg = true)]
    words: Vec<OsString>,
}

impl RunArgs {
    /// The image's name. One that is not UTF-8 names nothing.
    pub fn image(&self) -> String {
        self.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// What depends on this moment, as it is now: for [`Asking::words`](super::Asking::words).
    pub fn settled(&self) -> Vec<(&'static str, Vec<OsString>)> {
        let with_value = |asked: &String| match std::env::var_os(asked) {
            _ if asked.contains('=') => Some(asked.into()),
            value => value.map(|value| [OsStr::new(asked), OsStr::new("="), &value].into_iter().collect()),
        };
        vec![("env", self.env.iter().filter_map(with_value).collect())]
    }

    /// The command and its arguments, if there are any. A `--` before it may stand, as in the other
    /// steps; Docker would look for a program of that name.
    pub fn command(&self) -> &[OsString] {
        match self.words.get(1..).unwrap_or_default() {
            [dashes, command @ ..] if dashes == "--" => command,
            command => command,
        }
    }
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Each time
    Always,
    /// If it is not here
    Missing,
    /// Not at all
    Never,
}
