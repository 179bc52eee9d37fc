//! The options of `run` and `create`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::exec::Exec;
use super::later::LaterArgs;
use super::life::LifeArgs;
use super::network_options::NetworkArgs;
use super::pull::PullArgs;
use super::sharing_options::SharingArgs;
use super::storage_options::StorageArgs;
use crate::container::{Sysctl, Ulimit, label, variable};

/// The options and words of `run`.
#[derive(Debug, Clone, Args)]
#[command(disable_help_flag = true, args_override_self = true)]
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
    #[arg(short = 'h', long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// Set a variable: NAME=VALUE, or NAME for the value that it has here
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = OsStringValueParser::new().try_map(variable))]
    pub env: Vec<OsString>,
    /// Set the variables that are in a file, one a line
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Where the command starts
    #[arg(short, long, value_name = "DIRECTORY")]
    pub workdir: Option<PathBuf>,
    /// Who the command runs as: a name or a uid, and a group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// One more group of the command's, by name or number
    #[arg(long, value_name = "GROUP")]
    pub group_add: Vec<String>,
    /// Limit what one process may have, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub ulimit: Vec<Ulimit>,
    /// Set a switch of the kernel that belongs to a namespace of the container's
    #[arg(long, value_name = "NAME=VALUE")]
    pub sysctl: Vec<Sysctl>,
    /// Note something about the container
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = label)]
    pub label: Vec<String>,
    /// Note what is in a file, one label a line
    #[arg(long, value_name = "FILE")]
    pub label_file: Vec<PathBuf>,
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
    #[arg(long, value_name = "WHEN", default_value = "missing")]
    pub pull: When,
    #[command(flatten)]
    /// Its mounts
    pub storage: StorageArgs,
    #[command(flatten)]
    /// Its life
    pub life: LifeArgs,
    #[command(flatten)]
    /// The network
    pub network: NetworkArgs,
    #[command(flatten)]
    /// What it shares
    pub sharing: SharingArgs,
    #[command(flatten)]
    /// What is not there yet
    pub later: LaterArgs,
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

    /// The same for one more command in the container, which has these variables too.
    pub fn with(mut self, exec: &Exec, variables: &[OsString]) -> Self {
        self.env.extend_from_slice(variables);
        self.workdir = exec.workdir.clone().or(self.workdir);
        self.user = exec.user.clone().or(self.user);
        self.tty = exec.tty;
        self.init = false;
        // No entrypoint: the words are the whole command.
        self.entrypoint = Some(OsString::new());
        self.words.clone_from(&exec.words);
        self
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Each time
    Always,
    /// If it is not here
    Missing,
    /// Not at all
    Never,
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "always" => Ok(Self::Always),
            "missing" => Ok(Self::Missing),
            "never" => Ok(Self::Never),
            other => Err(format!(
                "invalid pull option: '{other}': must be one of \"always\", \"missing\" or \"never\""
            )),
        }
    }
}
