//! `run`: from a name to a running container.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use step01_unshare::observe;
use step03_pid::{Container, Failed, Serve};
use step04_mount::Volume;
use step06_net::NetArgs;

use super::pull::{PullArgs, get};
use super::{Place, tidy, with_code};
use crate::container::{Asked, Terminal, console};
use crate::manifest::Image;
use crate::records::{Held, Record, State, Status, check_name, new_id, new_name, now};
use crate::text::tell;
use crate::{container, store};

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
    /// The image
    pub image: String,
    /// The command and its arguments, in place of the image's own
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
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

// ANCHOR: run
/// Runs a container. `walls` says what a container is.
///
/// # Errors
/// [`Failed`] with 125 for an error of our own, 126 and 127 for a command that cannot be run.
pub fn run(place: &Place, args: RunArgs, walls: impl Fn(&Asked) -> Result<Container>) -> Result<u8> {
    if args.tty && args.interactive && !std::io::stdin().is_terminal() {
        return Err(Failed { code: 1, text: "the input device is not a TTY".into() }.into());
    }
    let prepared = prepare(place, args);
    let (mut held, asked) = prepared.map_err(|error| with_code(error, 125))?;
    let outcome = launch(&mut held, &asked, walls).map_err(|error| with_code(error, 125));
    let (code, error) = match &outcome {
        Ok(code) => (*code, String::new()),
        Err(error) => (error.downcast_ref().map_or(125, |failed: &Failed| failed.code), error.to_string()),
    };
    held.record.state.end(code, &error);
    let recorded = if held.record.remove {
        let image = held.record.image_id;
        held.remove().and_then(|()| tidy(place, &image))
    } else {
        held.write_state()
    };
    outcome.and_then(|code| recorded.map(|()| code))
}

/// Everything before there is a process: the image, and the record.
fn prepare(place: &Place, args: RunArgs) -> Result<(Held, Asked)> {
    if let Some(name) = &args.name {
        check_name(name)?;
    }
    let containers = place.containers()?;
    let store = place.store()?;
    let (image, _reading) = loop {
        let image = get(&store, &args.image, args.pull, &args.registry)?;
        // From here until the record names them, nobody removes the layers. Before, somebody may have.
        let reading = store.reading()?;
        if store.is_unpacked(&image) {
            break (image, reading);
        }
    };
    let id = new_id()?;
    let directory = store.root().join("containers").join(&id);
    let asked = Asked::new(id, directory, image, args)?;
    let held = containers.create(record(&asked))?;
    let rest = || {
        asked.run.cidfile.as_ref().map_or(Ok(()), |file| write_cidfile(file, &asked.id))?;
        container::prepare_overlay(&held.directory, &layers(&store, &asked.image))
    };
    match rest() {
        Ok(()) => Ok((held, asked)),
        Err(error) => held.remove().and(Err(error)),
    }
}

/// Everything with a process, from its birth to its end.
fn launch(held: &mut Held, asked: &Asked, walls: impl Fn(&Asked) -> Result<Container>) -> Result<u8> {
    let mut container = walls(asked)?;
    let mut terminal = None;
    if asked.run.tty {
        let (inside, outside) = console(asked.run.interactive)?;
        container = container.with(inside);
        terminal = Some(outside);
    }
    let created = container.create(asked.last()?)?;
    if asked.run.observe {
        tell(observe::observe(created.pid())?.to_string().trim_end());
    }
    held.record.state = State::begin(created.pid().as_raw(), asked.ports.borrow().clone());
    held.write_state()?;
    if let Some(terminal) = &mut terminal {
        terminal.begin()?;
    }
    let started = created.start();
    if started.is_err() {
        // It has not run after all.
        held.record.state.status = Status::Created;
    }
    let mut running = started?;
    let served = terminal.as_mut().map(|terminal: &mut Terminal| terminal as &mut dyn Serve);
    running.wait_and_serve(served)
}
// ANCHOR_END: run

fn record(asked: &Asked) -> Record {
    let Asked { id, image, run, command, .. } = asked;
    Record {
        id: id.clone(),
        name: run.name.clone().unwrap_or_else(|| new_name(id)),
        image: run.image.clone(),
        image_id: image.config_digest,
        layers: image.chain_ids(),
        command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        created: now(),
        remove: run.remove,
        state: State::default(),
    }
}

/// The topmost first, as overlayfs counts.
fn layers(store: &store::Store, image: &Image) -> Vec<PathBuf> {
    image.layers.iter().rev().map(|layer| store.layer(&layer.chain_id)).collect()
}

fn write_cidfile(path: &Path, id: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => bail!(
            "container ID file found, make sure the other container isn't running or delete {}",
            path.display()
        ),
        other => other.and_then(|mut file| file.write_all(id.as_bytes())),
    }
    .with_context(|| format!("cannot write {}", path.display()))
}
