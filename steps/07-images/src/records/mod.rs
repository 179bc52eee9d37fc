//! Records: what is written down of each container, and how the living are told from the dead.
//!
//! ```text
//!   containers/ID/config.json   what is known about it: only its name ever changes
//!   containers/ID/words         the words of `run`, settled: its walls are built from them
//!   containers/ID/image.json    the image, as it was when the container was made
//!   containers/ID/state.json    how far it has come
//!   containers/ID/goes          an empty file, from when it is being removed
//!   ended/ID                    an empty file, once it has ended: see `ended`
//!   containers/ID/l upper work merged   its file system: see `Overlay`
//! ```
//! There is no daemon that would know what runs. Whoever runs a container holds a lock on its
//! directory, and the kernel takes the lock from the dead: a record that says "running" and
//! whose lock is free is of a container whose monitor was killed.

mod ended;
mod held;
mod recipe;
mod record;
mod state;
mod sweep;
mod words;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};

pub use held::Held;
pub use recipe::Recipe;
pub use record::Record;
pub(crate) use state::first_child;
pub use state::{State, Status, now};
pub use words::{check_name, new_id, new_name};

use held::remove_directory;
pub(crate) use held::try_lock;

use crate::monitor::{KEPT, STOPPED};
use crate::names::is_id;
use crate::store::Use;
use crate::text::printable;

/// All containers of a state directory.
#[derive(Debug, Clone)]
pub struct Containers {
    directory: PathBuf,
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
        let written = held.record.write_config(&held.directory).and_then(|()| held.write_state());
        if let Err(error) = written {
            // What fails here, the next sweep makes good.
            let _ = remove_directory(&held.directory);
            return Err(error);
        }
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

    /// Remembers that a container will be started again: its end is no reason to remove it.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn keep(&self, record: &Record) -> Result<()> {
        let wish = self.directory_of(record).join(KEPT);
        File::create(&wish).map(drop).with_context(|| cannot(&wish))
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

fn cannot(path: &Path) -> String {
    format!("cannot change {}", path.display())
}
