//! The commands: one file each, and what they share.

mod absent;
mod asking;
mod attach;
mod completion;
mod container;
mod control;
mod cp;
mod create;
mod diff;
mod exec;
mod groups;
mod history;
mod image;
mod images;
mod inspect;
mod later;
pub mod life;
mod listing;
mod load;
mod login;
mod logout;
mod logs;
mod monitor;
mod network_options;
mod options;
mod password;
mod port;
mod ps;
mod ps_filters;
mod pull;
mod rename;
mod rm;
mod rmi;
mod run;
mod save;
mod settled;
mod sharing_options;
pub mod signal;
mod start;
mod stop;
mod storage_options;
mod system;
mod tag;
mod top;
mod version;
mod volume;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, Parser, Subcommand};
use step03_pid::{Failed, report};
use step05_userns::is_root;

pub use asking::Asking;
pub use attach::Attach;
pub use completion::{Completion, Man};
pub use container::ContainerVerb;
pub use control::NeedsControlGroup;
pub use cp::Cp;
pub use create::create_only;
pub use diff::Diff;
pub use exec::Exec;
pub use groups::with_groups;
pub use history::History;
pub use image::ImageVerb;
pub use images::Images;
pub use inspect::Inspect;
pub use listing::{Filter, Format};
pub use load::Load;
pub use login::LogIn;
pub use logout::LogOut;
pub use logs::Logs;
pub use monitor::{Monitor, monitor};
pub use network_options::{Connection, Expose, NetworkArgs};
pub use options::{RunArgs, When};
pub use port::Port;
pub use ps::Ps;
pub use pull::{Pull, PullArgs};
pub use rename::Rename;
pub use rm::Rm;
pub use rmi::Rmi;
pub use run::{Run, run};
pub use save::Save;
pub use sharing_options::{Sharing, SharingArgs};
pub use start::Start;
pub use stop::{Kill, Restart, Stop, Wait};
pub use storage_options::StorageArgs;
pub use system::SystemVerb;
pub use tag::Tag;
pub use top::Top;
pub use version::Version;
pub use volume::VolumeVerb;

use crate::digest::Digest;
use crate::records::Containers;
use crate::sealed;
use crate::store::Store;
use crate::task;
use crate::text::answer;
use crate::volumes::Volumes;

// ANCHOR: common
/// The commands that build no walls.
#[derive(Debug, Subcommand)]
pub enum Common {
    /// Get an image from a registry
    Pull(Pull),
    /// List the images that are here
    Images(Images),
    /// Remove images
    Rmi(Rmi),
    /// List containers
    Ps(Ps),
    /// Remove containers
    Rm(Rm),
    /// Give a container another name
    Rename(Rename),
    /// List a container's published ports
    Port(Port),
    /// List the processes of a container
    Top(Top),
    /// List what a container has changed in its file system
    Diff(Diff),
    /// Copy files between a container and this machine
    Cp(Cp),
    /// Show everything that is known about containers and images
    Inspect(Inspect),
    /// Give an image one more name
    Tag(Tag),
    /// Show how an image was made
    History(History),
    /// Log in to a registry
    Login(LogIn),
    /// Log out of a registry
    Logout(LogOut),
    /// Write images into one archive
    Save(Save),
    /// Take images out of an archive
    Load(Load),
    /// Manage containers
    #[command(subcommand)]
    Container(ContainerVerb),
    /// Manage images
    #[command(subcommand)]
    Image(ImageVerb),
    /// Manage what is kept here
    #[command(subcommand)]
    System(SystemVerb),
    /// Start containers
    Start(Start),
    /// Stop containers
    Stop(Stop),
    /// Stop containers and start them again
    Restart(Restart),
    /// Send a signal to containers
    Kill(Kill),
    /// Wait for the end of containers, and print their exit codes
    Wait(Wait),
    /// Show what a container prints, and pass on what is typed
    Attach(Attach),
    /// Run a command in a container that runs
    Exec(Exec),
    /// Show what a container has printed
    Logs(Logs),
    /// Manage volumes
    #[command(subcommand)]
    Volume(VolumeVerb),
    /// Stop the processes of containers for a while: with step 08
    Pause(NeedsControlGroup),
    /// Let them go on: with step 08
    Unpause(NeedsControlGroup),
    /// Show what containers use: with step 08
    Stats(NeedsControlGroup),
    /// Change the limits of containers: with step 08
    Update(NeedsControlGroup),
    /// Show the version
    Version(Version),
    /// Show what is here
    Info(Version),
    /// Print what a shell needs to complete commands and options
    Completion(Completion),
    /// Write the manual pages
    #[command(hide = true)]
    Man(Man),
}

impl Common {
    /// Does what the command says. `all` is the whole command line, for those that write about it.
    ///
    /// # Errors
    /// Any: in one line.
    pub fn execute(&self, place: &Place, all: fn() -> Command) -> Result<u8> {
        match self {
            Self::Pull(command) => command.execute(place),
            Self::Images(command) => command.execute(place),
            Self::Rmi(command) => command.execute(place),
            Self::Ps(command) => command.execute(place),
            Self::Rm(command) => command.execute(place),
            Self::Rename(command) => command.execute(place),
            Self::Port(command) => command.execute(place),
            Self::Top(command) => command.execute(place),
            Self::Diff(command) => command.execute(place),
            Self::Cp(command) => command.execute(place),
            Self::Inspect(command) => command.execute(place),
            Self::Tag(command) => command.execute(place),
            Self::History(command) => command.execute(place),
            Self::Login(command) => command.execute(),
            Self::Logout(command) => command.execute(),
            Self::Save(command) => command.execute(place),
            Self::Load(command) => command.execute(place),
            Self::Container(command) => command.execute(place),
            Self::Image(command) => command.execute(place),
            Self::System(command) => command.execute(place),
            Self::Start(command) => command.execute(place),
            Self::Stop(command) => command.execute(place),
            Self::Restart(command) => command.execute(place),
            Self::Kill(command) => command.execute(place),
            Self::Wait(command) => command.execute(place),
            Self::Attach(command) => command.execute(place),
            Self::Exec(command) => command.execute(place),
            Self::Logs(command) => command.execute(place),
            Self::Volume(command) => command.execute(place),
            Self::Pause(command) => command.refuse("pause"),
            Self::Unpause(command) => command.refuse("unpause"),
            Self::Stats(command) => command.refuse("stats"),
            Self::Update(command) => command.refuse("update"),
            Self::Version(command) => command.version(),
            Self::Info(command) => command.info(place),
            Self::Completion(command) => command.print(all()),
            Self::Man(command) => command.write(all()),
        }
    }
}
// ANCHOR_END: common

/// Where images and containers are kept.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Where images and containers are kept
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

impl Place {
    /// The state directory: the one asked for; root's is the machine's, everybody else has one
    /// in the home directory (the XDG base directory specification).
    ///
    /// # Errors
    /// An ordinary user without HOME.
    pub fn directory(&self) -> Result<PathBuf> {
        if let Some(root) = &self.root {
            return Ok(root.clone());
        }
        if is_root() {
            return Ok("/var/lib/coracle".into());
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
        Ok(data
            .context("cannot tell where images are kept: HOME is not set\nuse --root DIR")?
            .join("coracle"))
    }

    /// The images.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn store(&self) -> Result<Store> {
        Store::open(&self.directory()?)
    }

    /// The volumes.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn volumes(&self) -> Result<Volumes> {
        Ok(Volumes::of(self.store()?.root()))
    }

    /// The containers, after those whose monitors were killed have been cleaned up.
    ///
    /// # Errors
    /// The directory cannot be read or changed.
    pub fn containers(&self) -> Result<Containers> {
        let containers = Containers::open(self.store()?.root())?;
        containers.sweep()?;
        // What they have left on the host. Whoever needs the network tells what goes wrong here.
        let _ = step06_net::sweep();
        Ok(containers)
    }
}

/// Reads the command line, does what it says, and prints at most one message.
pub fn main<C: Parser>(execute: impl FnOnce(C) -> Result<u8>) -> ExitCode {
    if crate::monitor::is_asked_for() {
        return crate::monitor::main();
    }
    sealed::take_name();
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
        Ok(cli) => execute(cli).map_err(|error| with_code(error, 1)),
        Err(error) => judge(&error, with_groups(C::command())),
    })
}

/// An error that has no exit code yet gets this one.
pub(crate) fn with_code(error: anyhow::Error, code: u8) -> anyhow::Error {
    match error.downcast_ref::<Failed>() {
        Some(_) => error,
        None => Failed { code, text: step01_unshare::message(&error) }.into(),
    }
}

/// Nothing at all is a question for help. Docker's exit codes for a command line that makes no
/// sense are 1 for a command that is not there and for too few or too many words, and 125 for a wrong option.
fn judge(error: &clap::Error, mut command: clap::Command) -> Result<u8> {
    let code = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return show(&error.render()),
        ErrorKind::MissingSubcommand => return show(&command.render_help()),
        ErrorKind::InvalidSubcommand | ErrorKind::MissingRequiredArgument | ErrorKind::TooFewValues => 1,
        ErrorKind::UnknownArgument if is_one_word_too_many(error) => 1,
        _ => 125,
    };
    if let Some(ContextValue::String(verb)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(text) = absent::why(verb)
    {
        return Err(Failed { code: 1, text }.into());
    }
    // clap says more, in several paragraphs: the first one is what is wrong.
    let text = error.render().to_string();
    let what = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    let what: Vec<_> = what.split_whitespace().collect();
    let (mut program, mut at) = (command.get_name().to_owned(), &command);
    for word in std::env::args_os().skip(1) {
        if let Some(verb) = at.find_subcommand(&word) {
            (program, at) = (format!("{program} {}", word.to_string_lossy()), verb);
        }
    }
    let way_out = format!("Run '{program} --help' for more information");
    Err(Failed { code, text: format!("{}\n{way_out}", what.join(" ")) }.into())
}

fn is_one_word_too_many(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(word)) if !word.starts_with('-'))
}

fn show(help: &clap::builder::StyledStr) -> Result<u8> {
    let text = if std::io::stdout().is_terminal() { help.ansi().to_string() } else { help.to_string() };
    answer(text)?;
    Ok(0)
}

/// Whose image was removed by force, the last container that stood on it takes the layers along.
pub(crate) fn tidy(place: &Place, image: &Digest) -> Result<()> {
    let store = place.store()?;
    if store.blob(image).exists() {
        return Ok(());
    }
    let containers = Containers::open(store.root())?;
    task::in_child(move || store.writer()?.tidy(&|| containers.uses()))
}

/// Does the same for each of several words, and says of each what went wrong with it.
pub(crate) fn for_each(words: &[String], mut act: impl FnMut(&str) -> Result<()>) -> Result<u8> {
    let mut errors = Vec::new();
    for word in words {
        if let Err(error) = act(word) {
            errors.push(step01_unshare::message(&error));
        }
    }
    match errors.is_empty() {
        true => Ok(0),
        false => bail!(errors.join("\n")),
    }
}
