//! Volumes: directories that outlive the containers that use them.
//!
//! ```text
//!   volumes/NAME/volume.json   when it was made, and its labels
//!   volumes/NAME/_data         what containers see of it
//!   volumes/NAME/filling       there while it is filled from an image for the first time
//! ```

mod fill;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

pub use fill::Fill;

use crate::container::check_volume_name;
use crate::records::{Record, now};
use crate::{store, task};

/// The label by which Docker knows a volume that has no name of its own.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// No volume has a name that begins like this.
const GONE: &str = ".gone-";

/// All volumes of a state directory.
#[derive(Debug, Clone)]
pub struct Volumes {
    directory: PathBuf,
}

/// One volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    /// Its name, which is that of its directory.
    #[serde(skip)]
    pub name: String,
    /// Seconds since 1970.
    pub created: f64,
    /// What people have noted.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Volumes {
    /// Those of the state directory `root`, which need not be there.
    pub fn of(root: &Path) -> Self {
        Self { directory: root.join("volumes") }
    }

    /// What containers see of a volume.
    pub fn data(&self, name: &str) -> PathBuf {
        self.directory.join(name).join("_data")
    }

    // ANCHOR: ensure
    /// Makes a volume, unless it is there.
    ///
    /// # Errors
    /// The name is against the grammar, or the disk is full.
    pub fn ensure(&self, name: &str, labels: &[(String, String)], anonymous: bool) -> Result<()> {
        check_volume_name(name)?;
        let place = self.directory.join(name);
        if place.join("volume.json").exists() {
            return Ok(());
        }
        let cannot = || format!("cannot make the volume {name}");
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700).create(&self.directory).with_context(cannot)?;
        let mut labels: BTreeMap<_, _> = labels.iter().cloned().collect();
        if anonymous {
            labels.insert(ANONYMOUS.to_owned(), String::new());
        }
        let text = serde_json::to_vec(&Volume { name: name.to_owned(), created: now(), labels })?;
        // Made whole under another name: it is there or it is not.
        let half =
            tempfile::Builder::new().prefix(".new-").tempdir_in(&self.directory).with_context(cannot)?;
        let data = half.path().join("_data");
        // The container's users may enter it, whatever the host's umask is.
        fs::create_dir(&data)
            .and_then(|()| fs::set_permissions(&data, Permissions::from_mode(0o755)))
            .and_then(|()| fs::write(half.path().join("volume.json"), text))
            .with_context(cannot)?;
        match fs::rename(half.path(), &place) {
            Ok(()) => drop(half.keep()),
            // Somebody was faster.
            Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
            }
            other => other.with_context(cannot)?,
        }
        Ok(())
    }
    // ANCHOR_END: ensure

    /// Where a volume keeps its files.
    pub fn place(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn all(&self) -> Result<Vec<Volume>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.with_context(|| format!("cannot read {}", self.directory.display()))?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut all: Vec<_> = names.filter_map(|name| self.find(&name).ok()).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// One of them.
    ///
    /// # Errors
    /// There is none of this name, in Docker's words.
    pub fn find(&self, name: &str) -> Result<Volume> {
        let is_name = check_volume_name(name).is_ok();
        let text = if is_name { fs::read(self.directory.join(name).join("volume.json")).ok() } else { None };
        let Some(mut volume) = text.and_then(|text| serde_json::from_slice::<Volume>(&text).ok()) else {
            bail!("get {}: no such volume", crate::text::printable(name));
        };
        volume.name = name.to_owned();
        Ok(volume)
    }

    /// Removes a volume with all that is in it. `containers` are all that there are.
    ///
    /// # Errors
    /// A container has it, in Docker's words, or a file cannot be removed.
    pub fn remove(&self, name: &str, containers: &[Record]) -> Result<()> {
        self.find(name)?;
        let users: Vec<_> = users(name, containers).map(|record| record.id.clone()).collect();
        if !users.is_empty() {
            bail!("remove {name}: volume is in use - [{}]", users.join(", "));
        }
        // First it is no volume any more, and then it goes: what a kill in between leaves, the next command removes.
        let gone = self.directory.join(format!("{GONE}{name}"));
        let cannot = || format!("cannot remove the volume {name}");
        fs::rename(self.directory.join(name), gone).with_context(cannot)?;
        self.sweep().with_context(cannot)
    }

    /// Removes what others have begun to remove.
    fn sweep(&self) -> Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let place = entry?.path();
            let is_gone = place.file_name().is_some_and(|name| name.to_string_lossy().starts_with(GONE));
            // The ordinary user cannot remove what belongs to other ids.
            if is_gone && store::remove_tree(&place).is_err() && place.exists() {
                task::in_child(move || store::remove_tree(&place).context("cannot remove its files"))?;
            }
        }
        Ok(())
    }

    /// Removes the volumes that belonged to a container which has gone, unless another one has them.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove_of(&self, gone: &Record, containers: &[Record]) -> Result<()> {
        let others: Vec<_> = containers.iter().filter(|record| record.id != gone.id).cloned().collect();
        for mount in gone.mounts.iter().filter(|mount| mount.anonymous) {
            if self.find(&mount.name).is_ok() && users(&mount.name, &others).next().is_none() {
                self.remove(&mount.name, &others)?;
            }
        }
        Ok(())
    }

    /// Waits until nobody else is at the volume, for what must happen once.
    fn lock(&self, name: &str) -> Result<Flock<File>> {
        let place = self.directory.join(name);
        let cannot = || format!("cannot lock {}", place.display());
        let mut file = File::open(&place).with_context(cannot)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusive) {
                Ok(lock) => return Ok(lock),
                Err((same, Errno::EINTR)) => file = same,
                Err((_, errno)) => return Err(errno).with_context(cannot),
            }
        }
    }
}

/// The containers that have a volume, whether they run or not.
pub fn users<'a>(name: &'a str, containers: &'a [Record]) -> impl Iterator<Item = &'a Record> {
    containers.iter().filter(move |record| record.mounts.iter().any(|mount| mount.name == name))
}
