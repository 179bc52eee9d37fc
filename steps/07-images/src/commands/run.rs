//! `run`: from a name to a running container.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use step01_unshare::observe;
use step03_pid::{Container, Failed, Serve};

use super::pull::get;
use super::{Asking, Place, RunArgs, tidy, with_code};
use crate::container::{Asked, Terminal, console};
use crate::manifest::Image;
use crate::records::{Held, Recipe, Record, State, Status, check_name, new_id, new_name, now};
use crate::text::tell;
use crate::{container, store};

// ANCHOR: run
/// Runs a container. `walls` says what a container is.
///
/// # Errors
/// [`Failed`] with 125 for an error of our own, 126 and 127 for a command that cannot be run.
pub fn run(
    place: &Place,
    asking: Asking<RunArgs>,
    walls: impl Fn(&Asked) -> Result<Container>,
) -> Result<u8> {
    let args = &asking.args;
    if args.tty && args.interactive && !std::io::stdin().is_terminal() {
        return Err(Failed { code: 1, text: "the input device is not a TTY".into() }.into());
    }
    let prepared = prepare(place, asking);
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
fn prepare(place: &Place, asking: Asking<RunArgs>) -> Result<(Held, Asked)> {
    // From here on the words count as they are kept: a start after this one reads the same.
    let containers = place.containers()?;
    let words = asking.words(&asking.args.settled(&containers)?);
    let args: RunArgs = Asking::read(&words)?;
    if let Some(name) = &args.name {
        check_name(name)?;
    }
    let store = place.store()?;
    let (image, _reading) = loop {
        let image = get(&store, &args.image(), args.pull, &args.registry)?;
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
        Recipe { words, image: asked.image.clone() }.write(&held.directory)?;
        asked.prepare_mounts()?;
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
        image: run.image(),
        image_id: image.config_digest,
        layers: image.chain_ids(),
        command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        created: now(),
        remove: run.remove,
        labels: asked.labels(),
        mounts: asked.mount_points(),
        network: asked.network_mode(),
        hostname: asked.hostname(),
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
