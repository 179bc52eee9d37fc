//! Volumes: directories that outlive the containers that use them.
//!
//! ```text
//!   volumes/NAME/volume.json   when it was made, and its labels
//!   volumes/NAME/_data         what containers see of it
//!   volumes/NAME/filling       there while it is filled from an image for the first time
//!   volumes/.new-* .gone-*     half made, and half removed: what the killed have left of it the next command takes away
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

pub use fill::{Fill, Place};

use crate::container::check_volume_name;
use crate::records::{Record, new_id, now, try_lock};
use crate::{store, task};

/// The label by which Docker knows a volume that has no name of its own.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";

/// No volume has a name that begins like these: what is half made, and what is half removed.
const NEW: &str = ".new-";
const GONE: &str = ".gone-";

/// All volumes of a state directory.
#[derive(Debug, Clone)]
pub struct Volumes {
    directory: PathBuf,
}

/// One volume.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
        // Whoever makes one is alone, so what is half made is of somebody who was killed.
        let _alone = self.lock("")?;
        self.remove_halves().with_context(cannot)?;
        let mut labels: BTreeMap<_, _> = labels.iter().cloned().collect();
        if anonymous {
            labels.insert(ANONYMOUS.to_owned(), String::new());
        }
        let text = serde_json::to_vec(&Volume { name: name.to_owned(), created: now(), labels })?;
        // Made whole under another name: it is there or it is not.
        let half = tempfile::Builder::new().prefix(NEW).tempdir_in(&self.directory).with_context(cannot)?;
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
        let file = self.directory.join(name).join("volume.json");
        let is_name = check_volume_name(name).is_ok();
        let Some(text) = is_name.then(|| fs::read(&file).ok()).flatten() else {
            bail!("get {}: no such volume", crate::text::printable(name));
        };
        // A power cut may have cut what is written about it. What is in it is there all the same.
        let volume = serde_json::from_slice(&text).unwrap_or_default();
        Ok(Volume { name: name.to_owned(), ..volume })
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
        let cannot = || format!("cannot remove the volume {name}");
        // Those who sweep leave it to us.
        let _ours = self.lock(name)?;
        // First it is no volume any more, and then it goes: what a kill in between leaves, the next command removes. Its
        // own name could be too long for one more word, or left there by an older one that was called so.
        let gone = self.directory.join(format!("{GONE}{}", &new_id()?[..16]));
        fs::rename(self.directory.join(name), &gone).with_context(cannot)?;
        remove_files(gone).with_context(cannot)
    }

    /// Removes what the dead have left: volumes that were half made, and those that were half removed.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn sweep(&self) -> Result<()> {
        // Mostly nothing, and it is known after one look.
        if self.left(".").is_empty() {
            return Ok(());
        }
        if !self.left(NEW).is_empty() {
            let _alone = self.lock("")?;
            self.remove_halves()?;
        }
        for place in self.left(GONE) {
            // Somebody may be at it.
            if let Some(_ours) = try_lock(&place)? {
                remove_files(place)?;
            }
        }
        Ok(())
    }

    fn remove_halves(&self) -> Result<()> {
        self.left(NEW).into_iter().try_for_each(remove_files)
    }

    /// What is called so, and is no volume.
    fn left(&self, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let is_so =
            |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
        entries.filter(is_so).map(|entry| entry.path()).collect()
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

/// The ordinary user cannot remove what belongs to other ids.
fn remove_files(place: PathBuf) -> Result<()> {
    match store::remove_tree(&place) {
        Err(_) if place.exists() => {
            task::in_child(move || store::remove_tree(&place).context("cannot remove its files"))
        }
        _ => Ok(()),
    }
}

/// The containers that have a volume, whether they run or not.
pub fn users<'a>(name: &'a str, containers: &'a [Record]) -> impl Iterator<Item = &'a Record> {
    containers.iter().filter(move |record| record.mounts.iter().any(|mount| mount.name == name))
}
