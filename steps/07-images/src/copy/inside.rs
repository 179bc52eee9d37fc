//! A container's files, whether it runs or not.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use rustix::fs::{Mode, open};
use rustix::io::Errno;
use step03_pid::Container;
use step04_mount::{Contained, Entry, MountNamespace, What};
use step05_userns::{User, is_root};

use super::tree::{DIRECTORY, Tree};
use crate::commands::{Asking, RunArgs};
use crate::container::{Asked, MountPoint, Overlay};
use crate::layers::named;
use crate::records::{Containers, Held, Recipe, Record};
use crate::task;

// ANCHOR: inside
/// Does some work with a container's files, in a child that has the rights for it. What is mounted in there, such as
/// volumes, is seen as the container sees it.
///
/// Of one that runs it is the root that its process has: a descriptor of it, and everything is looked up below that. Of
/// one that does not, the file system is put together once more, in a mount namespace that ends with the child.
///
/// # Errors
/// Those of the work, as text; or somebody else has the container in hand.
pub fn with_files(
    containers: &Containers,
    record: Record,
    work: impl Fn(&Tree) -> Result<()> + 'static,
) -> Result<()> {
    let mut container = Container::new();
    if !is_root() {
        container = container.with(User::new(None)?);
    }
    let name = record.name.clone();
    if let Some(root) = root_of_running(&record)? {
        let work = move || work(&Tree::below(root.try_clone()?, &name));
        return task::inside(container, work);
    }
    let Held { directory, record, .. } = &hold(containers, record)?;
    let overlay =
        Overlay { directory: directory.clone(), layers: record.layers.len().max(1), volatile: false };
    let (merged, mounts) = (directory.join("merged"), record.mounts.clone());
    let words = Recipe::read(directory).and_then(|recipe| Ok(Asking::<RunArgs>::read(&recipe.words)?));
    let is_read_only = words.is_ok_and(|run| run.storage.read_only);
    container = container.with(MountNamespace::default()).with(overlay);
    if let Ok(mut fill) = asked(directory, record).map(|asked| asked.fill()) {
        // What is copied into an empty volume comes beside what the image has there, and not in its place.
        fill.places.retain(|place| fill.volumes.data(&place.volume).exists());
        container = container.with(fill);
    }
    task::inside(container, move || {
        let root = put_together(&merged, &mounts, is_read_only)?;
        work(&Tree::below(root, &name))
    })
}
// ANCHOR_END: inside

/// What was said when it was made.
fn asked(directory: &Path, record: &Record) -> Result<Asked> {
    let recipe = Recipe::read(directory)?;
    let run = Asking::<RunArgs>::read(&recipe.words)?;
    Asked::new(record.id.clone(), directory.to_owned(), recipe.image, run)
}

/// While we hold it, nobody starts it: two mounts of one upper directory would spoil it.
fn hold(containers: &Containers, record: Record) -> Result<Held> {
    for _ in 0..200 {
        if let Some(held) = containers.hold(record.clone())? {
            return Ok(held);
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    bail!("another command has the container {} in hand", record.name)
}

/// A descriptor of the root of the container's process (`man 5 proc_pid_root`); `None` if it does not run.
fn root_of_running(record: &Record) -> Result<Option<OwnedFd>> {
    let Some(pid) = record.state.open_pid() else { return Ok(None) };
    let root = match open(format!("/proc/{pid}/root"), DIRECTORY, Mode::empty()) {
        // It is about to end.
        Err(Errno::NOENT | Errno::SRCH) => return Ok(None),
        other => other.map_err(named).with_context(|| format!("cannot open the root of process {pid}"))?,
    };
    // The number may have been somebody else's by then.
    Ok(record.state.running_pid().map(|_| root))
}

/// The overlay is there; what was mounted over it comes now.
fn put_together(merged: &PathBuf, mounts: &[MountPoint], is_read_only: bool) -> Result<OwnedFd> {
    let root =
        || open(merged, DIRECTORY, Mode::empty()).map_err(named).context("cannot open the container's root");
    let contained = Contained::new(root()?);
    for mount in mounts.iter().filter(|mount| mount.kind != "tmpfs" && mount.source.exists()) {
        let what = What::Bind(mount.source.clone());
        Entry { what, target: mount.destination.clone(), read_only: !mount.writable }.mount(&contained)?;
    }
    if is_read_only {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, merged, None::<&str>, flags, None::<&str>)
            .context("cannot make its root read-only")?;
    }
    root()
}
