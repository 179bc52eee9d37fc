//! Records: what is written down of each container, and how the living are told from the dead.
//!
//! ```text
//!   containers/ID/config.json   what is known about it: only its name ever changes
//!   containers/ID/words         the words of `run`, settled: its walls are built from them
//!   containers/ID/image.json    the image, as it was when the container was made
//!   containers/ID/state.json    how far it has come
//!   ended/ID                    an empty file, once it has ended: see `ended`
//!   containers/ID/l upper work merged   its file system: see `Overlay`
//! ```
//! There is no daemon that would know what runs. Whoever runs a container holds a lock on its
//! directory, and the kernel takes the lock from the dead: a record that says "running" and
//! whose lock is free is of a container whose monitor was killed.

mod ended;
mod recipe;
mod record;
mod words;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

pub use recipe::Recipe;
pub use record::{Record, State, Status, now};
pub use words::{check_name, new_id, new_name};

use crate::monitor::STOPPED;
use crate::names::is_id;
use crate::store::Use;
use crate::task;
use crate::text::printable;
use crate::volumes::Volumes;

/// All containers of a state directory.
#[derive(Debug, Clone)]
pub struct Containers {
    directory: PathBuf,
}

/// A container that is ours to run or to remove: its directory is locked.
#[derive(Debug)]
pub struct Held {
    /// Where it keeps its files.
    pub directory: PathBuf,
    /// What is known about it.
    pub record: Record,
    lock: File,
}

impl Containers {
    /// The containers of the state directory `root`, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(root: &Path) -> Result<Self> {
        let directory = root.join("containers");
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&directory).with_context(|| cannot(&directory))?;
        Ok(Self { directory })
    }

    // ANCHOR: create
    /// Writes the record of a new container, before there is a process: what was begun can be
    /// found and removed.
    ///
    /// # Errors
    /// The name is taken, or the disk is full.
    pub fn create(&self, record: Record) -> Result<Held> {
        // Between looking for the name and taking it nobody else may do the same.
        let _alone = self.lock()?;
        self.refuse_taken(&record.name)?;
        let directory = self.directory.join(&record.id);
        fs::create_dir(&directory).with_context(|| cannot(&directory))?;
        let lock = try_lock(&directory)?.context("the new container is locked by somebody else")?;
        let held = Held { directory, record, lock };
        held.record.write_config(&held.directory)?;
        held.write_state()?;
        Ok(held)
    }
    // ANCHOR_END: create

    /// Gives a container another name, whoever runs it.
    ///
    /// # Errors
    /// The name is taken or none, or the container has gone.
    pub fn rename(&self, mut record: Record, name: &str) -> Result<()> {
        check_name(name)?;
        let _alone = self.lock()?;
        self.refuse_taken(name)?;
        record.name = name.to_owned();
        record.write_config(&self.directory.join(&record.id))
    }

    fn refuse_taken(&self, name: &str) -> Result<()> {
        match self.all()?.into_iter().find(|other| other.name == name) {
            Some(other) => bail!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". \
                 You have to remove (or rename) that container to be able to reuse that name.",
                other.id
            ),
            None => Ok(()),
        }
    }

    /// Reads all records, the newest first. A directory without a record is half-made and no
    /// container.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn all(&self) -> Result<Vec<Record>> {
        self.read(&HashSet::new())
    }

    /// Reads the records of those that have not ended, and perhaps of some that have. The others cost nothing.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn not_ended(&self) -> Result<Vec<Record>> {
        self.read(&ended::all(&self.directory))
    }

    fn read(&self, passed_over: &HashSet<OsString>) -> Result<Vec<Record>> {
        let entries = fs::read_dir(&self.directory).with_context(|| cannot(&self.directory))?.flatten();
        let read = |entry: fs::DirEntry| {
            let record = Record::read(&entry.path());
            if record.as_ref().is_ok_and(|record| record.state.status == Status::Exited) {
                return record.ok();
            }
            // Should it be noted as ended, after a power cut: the next sweep looks what is wrong with it.
            let _ = ended::forget(&entry.path());
            record.ok()
        };
        let mut records: Vec<_> =
            entries.filter(|entry| !passed_over.contains(&entry.file_name())).filter_map(read).collect();
        records.sort_by(|one, other| other.created.total_cmp(&one.created));
        Ok(records)
    }

    /// The folder with a folder for each.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What containers stand on.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn uses(&self) -> Result<Vec<Use>> {
        let uses = self.all()?.into_iter().map(|record| Use {
            running: matches!(record.state.status, Status::Running | Status::Restarting),
            container: record.id,
            image: record.image_id,
            layers: record.layers,
        });
        Ok(uses.collect())
    }

    /// Finds a container by its name, its id, or a beginning of its id that no other has.
    ///
    /// # Errors
    /// None or several are found, in Docker's words.
    pub fn find(&self, text: &str) -> Result<Record> {
        // A whole id is the name of its directory.
        if is_id(text)
            && let Ok(record) = Record::read(&self.directory.join(text))
        {
            return Ok(record);
        }
        let all = self.all()?;
        let exact =
            all.iter().find(|record| record.id == text || record.name == text.trim_start_matches('/'));
        if let Some(record) = exact {
            return Ok(record.clone());
        }
        let mut beginning = all.into_iter().filter(|record| !text.is_empty() && record.id.starts_with(text));
        match (beginning.next(), beginning.next()) {
            (Some(record), None) => Ok(record),
            (Some(_), Some(_)) => bail!("multiple IDs found with provided prefix: {}", printable(text)),
            (None, _) => bail!("No such container: {}", printable(text)),
        }
    }

    /// Where a container keeps its files.
    pub fn directory_of(&self, record: &Record) -> PathBuf {
        self.directory.join(&record.id)
    }

    /// The record as it is now; nothing if the container has been removed.
    pub fn again(&self, record: &Record) -> Option<Record> {
        Record::read(&self.directory_of(record)).ok()
    }

    /// Remembers that a container is to stay down, whatever its restart policy says. One that is
    /// gone stays down.
    pub fn stop(&self, record: &Record) {
        let _ = File::create(self.directory_of(record).join(STOPPED));
    }

    /// Takes a container that nobody runs, as it is now.
    ///
    /// # Errors
    /// It has gone. `None` if somebody runs it.
    pub fn hold(&self, record: Record) -> Result<Option<Held>> {
        // Whoever only looks holds it for a moment too: it must not be taken for one who runs it.
        let _alone = self.lock()?;
        let directory = self.directory.join(&record.id);
        let gone = || format!("No such container: {}", record.name);
        if !directory.exists() {
            bail!(gone());
        }
        let Some(lock) = try_lock(&directory)? else { return Ok(None) };
        let Ok(record) = Record::read(&directory) else { bail!(gone()) };
        Ok(Some(Held { directory, record, lock }))
    }

    /// Whether somebody runs it.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn is_held(&self, record: &Record) -> Result<bool> {
        let _alone = self.lock()?;
        let directory = self.directory.join(&record.id);
        Ok(directory.exists() && try_lock(&directory)?.is_none())
    }

    // ANCHOR: sweep
    /// Cleans up after those who were killed: a container that says it runs, and whose lock is
    /// free, has ended. Every command does this first.
    ///
    /// # Errors
    /// The directory cannot be read or changed.
    pub fn sweep(&self) -> Result<()> {
        let _alone = self.lock()?;
        let ended = ended::all(&self.directory);
        for entry in fs::read_dir(&self.directory).with_context(|| cannot(&self.directory))? {
            let directory = entry.with_context(|| cannot(&self.directory))?.path();
            if directory.file_name().is_some_and(|id| ended.contains(id)) {
                continue;
            }
            // Reading is cheaper than locking, and says nothing about most of them.
            let record = Record::read(&directory);
            if record.as_ref().is_ok_and(|record| record.state.status == Status::Exited && !record.remove) {
                continue;
            }
            let Some(lock) = try_lock(&directory)? else { continue };
            // Its end may have been written down since.
            let Ok(record) = Record::read(&directory) else {
                remove_directory(&directory)?;
                continue;
            };
            let mut held = Held { directory, record, lock };
            let state = &held.record.state;
            if held.is_half_made() || held.record.remove && !state.waits {
                held.remove()?;
            } else if matches!(state.status, Status::Running | Status::Restarting) {
                held.record.state.end(137, "its monitor was killed");
                held.write_state()?;
            }
        }
        Ok(())
    }
    // ANCHOR_END: sweep

    /// As long as this is held, nobody makes a container.
    ///
    /// # Errors
    /// The directory has gone.
    pub fn lock(&self) -> Result<Flock<File>> {
        let file = File::open(&self.directory).with_context(|| cannot(&self.directory))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| errno)
            .with_context(|| format!("cannot lock {}", self.directory.display()))
    }
}

impl Held {
    /// Writes down how far the container has come.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write_state(&self) -> Result<()> {
        let has_ended = self.record.state.status == Status::Exited && !self.record.remove;
        if !has_ended {
            ended::forget(&self.directory)?;
        }
        self.record.write_state(&self.directory)?;
        if has_ended {
            ended::note(&self.directory);
        }
        Ok(())
    }

    /// The lock, to be handed on to another process.
    ///
    /// # Errors
    /// EMFILE: no descriptor is free.
    pub fn lock(&self) -> Result<OwnedFd> {
        self.lock.as_fd().try_clone_to_owned().context("cannot duplicate a descriptor")
    }

    /// What was handed on: the container's lock, which this process holds already.
    ///
    /// # Errors
    /// Somebody else has it.
    pub fn take_over(directory: PathBuf, lock: OwnedFd) -> Result<Self> {
        let lock = File::from(lock);
        flock(&lock, FlockOperation::NonBlockingLockExclusive).context("the container is not ours to run")?;
        let here = fs::metadata(&directory).with_context(|| cannot(&directory))?;
        let locked = lock.metadata().context("cannot look at the lock")?;
        if (here.dev(), here.ino()) != (locked.dev(), locked.ino()) {
            bail!("the lock is that of another container");
        }
        Ok(Self { record: Record::read(&directory)?, directory, lock })
    }

    /// Whether whoever made it was killed before it could be run.
    fn is_half_made(&self) -> bool {
        self.record.state.status == Status::Created && !self.directory.join(recipe::WORDS).exists()
    }

    /// Whether somebody wants it to stay down.
    pub fn is_stopped(&self) -> bool {
        self.directory.join(STOPPED).exists()
    }

    /// It is started, on somebody's wish.
    pub fn forget_stop(&self) {
        let _ = fs::remove_file(self.directory.join(STOPPED));
    }

    /// Removes the container with all its files. If it was to be removed at its end, the volumes go along that were
    /// made for it alone.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove(self) -> Result<()> {
        if self.record.remove || self.is_half_made() {
            self.remove_volumes()?;
        }
        remove_directory(&self.directory)?;
        drop(self.lock);
        Ok(())
    }
}

impl Held {
    /// Removes the volumes that were made for this container alone, unless somebody else has them by now.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove_volumes(&self) -> Result<()> {
        let Some(directory) = self.directory.parent() else { return Ok(()) };
        let Some(root) = directory.parent() else { return Ok(()) };
        if self.record.mounts.iter().all(|mount| !mount.anonymous) {
            return Ok(());
        }
        let containers = Containers { directory: directory.to_owned() };
        Volumes::of(root).remove_of(&self.record, &containers.all()?)
    }
}

/// The record goes last, so that what is left after a kill in between is still known.
fn remove_directory(directory: &Path) -> Result<()> {
    ended::forget(directory)?;
    for name in ["merged", "work", "upper", "l"] {
        let path = directory.join(name);
        if !path.exists() {
            continue;
        }
        // The ordinary user cannot remove what belongs to other ids of the container.
        if crate::store::remove_tree(&path).is_err() {
            let path = path.clone();
            task::in_child(move || crate::store::remove_tree(&path).with_context(|| cannot(&path)))?;
        }
    }
    match fs::remove_dir_all(directory) {
        // Somebody else was faster.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| cannot(directory)),
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot change {}", path.display())
}

/// A lock on a directory; `None` if another process has it. It is freed when the last copy of the
/// descriptor is closed, and not before: it can be handed on (`man 2 flock`).
fn try_lock(directory: &Path) -> Result<Option<File>> {
    let file = match File::open(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| cannot(directory))?,
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno).with_context(|| format!("cannot lock {}", directory.display())),
    }
}
