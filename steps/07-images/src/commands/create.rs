//! `create`: a container that has not begun.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::pull::get;
use super::{Asking, Place, RunArgs, with_code};
use crate::container::Asked;
use crate::manifest::Image;
use crate::records::{Held, Recipe, Record, State, check_name, new_id, new_name, now};
use crate::text::answer;
use crate::{container, store};

/// Makes the record of a container and prints its id; `start` runs it.
///
/// # Errors
/// As [`run`](super::run): with 125.
pub fn create_only(place: &Place, asking: Asking<RunArgs>) -> Result<u8> {
    let (mut held, _) =
        create(place, asking, false).map_err(|error| with_code(place.explained(error), 125))?;
    held.record.state.waits = true;
    held.write_state()?;
    answer(format_args!("{}\n", held.record.id))?;
    Ok(0)
}

// ANCHOR: create
/// Everything before there is a process: the image, and the record.
pub(super) fn create(place: &Place, asking: Asking<RunArgs>, detached: bool) -> Result<(Held, Asked)> {
    // From here on the words count as they are kept: a start after this one reads the same.
    let containers = place.containers()?;
    let words = asking.words(&asking.args.settled(&containers)?);
    let args: RunArgs = Asking::read(&words)?;
    args.life.check(args.remove)?;
    if let Some(file) = args.cidfile.as_ref().filter(|file| file.symlink_metadata().is_ok()) {
        bail!(cidfile_found(file));
    }
    if let Some(name) = &args.name {
        check_name(without_slash(name))?;
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
    asked.warn();
    let held = containers.create(Record { detached, ..record(&asked) })?;
    let rest = || {
        asked.prepare_mounts()?;
        asked.run.cidfile.as_ref().map_or(Ok(()), |file| write_cidfile(file, &asked.id))?;
        container::prepare_overlay(&held.directory, &layers(&store, &asked.image))?;
        Recipe { words, image: asked.image.clone() }.write(&held.directory)
    };
    match rest() {
        Ok(()) => Ok((held, asked)),
        Err(error) => held.remove_volumes().and_then(|()| held.remove()).and(Err(error)),
    }
}
// ANCHOR_END: create

fn record(asked: &Asked) -> Record {
    let Asked { id, image, run, command, .. } = asked;
    Record {
        id: id.clone(),
        name: run.name.as_deref().map_or_else(|| new_name(id), |name| without_slash(name).to_owned()),
        image: run.image(),
        image_id: image.config_digest,
        layers: image.chain_ids(),
        command: command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        created: now(),
        remove: run.remove,
        detached: false,
        labels: asked.labels(),
        mounts: asked.mount_points(),
        network: asked.network_mode(),
        hostname: asked.hostname(),
        state: State::default(),
    }
}

/// Docker keeps names with a slash before them, and takes them so, as `inspect` shows them.
fn without_slash(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// The topmost first, as overlayfs counts.
fn layers(store: &store::Store, image: &Image) -> Vec<PathBuf> {
    image.layers.iter().rev().map(|layer| store.layer(&layer.chain_id)).collect()
}

fn cidfile_found(path: &Path) -> String {
    let path = path.display();
    format!("container ID file found, make sure the other container isn't running or delete {path}")
}

fn write_cidfile(path: &Path, id: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => bail!(cidfile_found(path)),
        other => other.and_then(|mut file| file.write_all(id.as_bytes())),
    }
    .with_context(|| format!("cannot write {}", path.display()))
}
