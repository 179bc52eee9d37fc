//! A blob on its way in: verified while it comes, and continued where an earlier pull was cut.
//!
//! It grows in `tmp/partial-<hex>`, and gets its name in `blobs/` when its size and its hash are right. A pull that
//! ends before its time, by ^C or kill -9 too, leaves that file, and the next one asks for the rest only. Nobody
//! believes what is there: it is hashed again first, and if the whole turns out wrong, it starts anew. Whoever writes it
//! has it locked.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::locks::{Held, Lock, hold_file, hold_if_free};
use super::{Store, remove_tree};
use crate::digest::Hasher;
use crate::manifest::Descriptor;
use crate::sizes;

/// The beginning of the names in `tmp/` that outlive whoever made them.
const PARTIAL: &str = "partial-";

/// What nobody has continued for so long is removed.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest ETag that is remembered, in bytes.
const LONGEST_ETAG: u64 = 1024;

/// A blob that is not all here. Dropped before its time, it waits for the next pull, unless its content was wrong.
#[derive(Debug)]
pub struct Incoming {
    lock: Lock,
    path: PathBuf,
    place: PathBuf,
    hasher: Hasher,
    expected: Descriptor,
    /// An earlier pull has left the beginning.
    inherited: bool,
    /// It is of no use to the next pull.
    done: bool,
}

impl Incoming {
    pub(super) fn new(store: &Store, expected: &Descriptor, busy: &dyn Fn()) -> Result<Option<Self>> {
        let path = partial(store.root(), &expected.digest.hex());
        let place = store.blob(&expected.digest);
        let cannot = || format!("cannot open {}", path.display());
        let lock = hold_file(&path, busy).with_context(cannot)?;
        let mut incoming = Self {
            lock,
            path: path.clone(),
            place,
            hasher: Hasher::default(),
            expected: expected.clone(),
            inherited: false,
            done: false,
        };
        // Who held the lock before us may have brought it.
        if store.has_verified_blob(expected)? {
            incoming.done = true;
            return Ok(None);
        }
        incoming.look_at_what_is_there().with_context(cannot)?;
        Ok(Some(incoming))
    }

    fn look_at_what_is_there(&mut self) -> Result<()> {
        let length = self.lock.file().metadata()?.len();
        if length == 0 {
            return Ok(());
        }
        if length > self.expected.size {
            return self.restart();
        }
        let mut piece = vec![0; 128 << 10];
        loop {
            match self.lock.file().read(&mut piece)? {
                0 => break,
                count => self.hasher.update(&piece[..count]),
            }
        }
        self.inherited = true;
        Ok(())
    }

    /// How many bytes are here.
    pub fn position(&self) -> u64 {
        self.hasher.length()
    }

    /// What the registry called this content when the first of its bytes came (RFC 9110, section 8.8.3).
    pub fn etag(&self) -> Option<String> {
        let mut text = String::new();
        let file = super::blobs::open_regular(&self.etag_path()).ok()?;
        file.take(LONGEST_ETAG + 1).read_to_string(&mut text).ok()?;
        (text.len() as u64 <= LONGEST_ETAG).then_some(text)
    }

    /// Remembers what the registry calls this content. That it cannot be written is no harm: the digest decides.
    pub fn set_etag(&self, etag: Option<&str>) {
        let _ = match etag {
            Some(etag) => fs::write(self.etag_path(), etag),
            None => fs::remove_file(self.etag_path()),
        };
    }

    fn etag_path(&self) -> PathBuf {
        self.path.with_extension("etag")
    }

    /// Takes the next piece. Fails as soon as there is more than was expected.
    pub fn write(&mut self, piece: &[u8]) -> Result<()> {
        let size = self.expected.size;
        let room = size - self.position();
        self.done = piece.len() as u64 > room;
        let digest = self.expected.digest;
        ensure!(!self.done, "blob {digest} is longer than the {size} bytes that the manifest tells");
        self.hasher.update(piece);
        let written = self.lock.file().write_all(piece);
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Forgets what is here.
    pub fn restart(&mut self) -> Result<()> {
        let mut file = self.lock.file();
        let empty = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        empty.with_context(|| format!("cannot empty {}", self.path.display()))?;
        self.set_etag(None);
        self.hasher = Hasher::default();
        self.inherited = false;
        Ok(())
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.position() == self.expected.size
    }

    /// Whether it is what was expected.
    pub fn is_right(&self) -> bool {
        self.is_complete() && self.hasher.digest() == self.expected.digest
    }

    /// Whether an earlier pull has left the beginning, which may be the reason why the whole is wrong.
    pub fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// Gives the blob its name, if it is what was expected. Nobody waits until it is on the disk: what a power cut makes of
    /// it has another size or another hash, and is fetched again.
    pub fn keep(mut self) -> Result<()> {
        let (digest, size, came) = (self.expected.digest, self.expected.size, self.position());
        self.done = self.is_complete();
        ensure!(came == size, "blob {digest} has {came} bytes, but the manifest tells {size}");
        let is = self.hasher.digest();
        ensure!(is == digest, "blob {digest} has other content: its digest is {is}");
        self.set_etag(None);
        fs::rename(&self.path, &self.place).with_context(|| format!("cannot write {}", self.place.display()))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What fails here, the sweep makes good. Once it has its own name, another may be on its way under this one.
        if (self.done || self.position() == 0) && self.lock.is_of(&self.path) {
            let _ = fs::remove_file(&self.path);
            self.set_etag(None);
        }
    }
}

fn partial(root: &Path, hex: &str) -> PathBuf {
    root.join("tmp").join(format!("{PARTIAL}{hex}"))
}

/// Empties `tmp/`, but for what somebody holds: the rest was left by the dead. What a pull can continue stays for a week.
/// Returns how many bytes that were.
pub(super) fn sweep(root: &Path, warn: impl Fn(&Path, io::Error)) -> Result<u64> {
    let mut bytes = 0;
    for left in fs::read_dir(root.join("tmp")).context("cannot read tmp of the store")? {
        let path = left?.path();
        if may_be_continued(&path) {
            continue;
        }
        let held = hold_if_free(&path);
        if matches!(held, Held::Taken) {
            continue;
        }
        let size = sizes::of_any(&path);
        match remove_tree(&path) {
            Ok(()) => bytes += size,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn(&path, error),
        }
    }
    // Whose pull nobody goes on with for so long, its blobs are anybody's.
    for left in fs::read_dir(root.join("pulls")).into_iter().flatten().flatten() {
        let path = left.path();
        if !is_young(&path) && hold_if_free(&path).is_free() {
            let _ = remove_tree(&path);
        }
    }
    Ok(bytes)
}

/// The beginnings of blobs, by their path; and whether somebody goes on with it now.
pub(super) fn partials(root: &Path) -> Vec<(PathBuf, Held)> {
    let entries = fs::read_dir(root.join("tmp")).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| may_be_continued(path) && path.extension().is_none();
    entries.filter(is_one).map(|path| (hold_if_free(&path), path)).map(|(held, path)| (path, held)).collect()
}

/// Removes those that nobody goes on with now. Returns how many bytes that were.
pub(super) fn remove_partials(root: &Path) -> Result<u64> {
    let mut bytes = 0;
    for (path, held) in partials(root).into_iter().filter(|(_, held)| held.is_free()) {
        let size = path.symlink_metadata().map_or(0, |there| there.len());
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        let _ = fs::remove_file(path.with_extension("etag"));
        bytes += size;
        drop(held);
    }
    Ok(bytes)
}

/// Removes one of them, unless somebody goes on with it now.
pub(super) fn remove_partial(root: &Path, hex: &str) {
    let path = partial(root, hex);
    if hold_if_free(&path).is_free() {
        let _ = fs::remove_file(&path);
        let _ = fs::remove_file(path.with_extension("etag"));
    }
}

fn may_be_continued(path: &Path) -> bool {
    let is_named_so =
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PARTIAL.as_bytes()));
    is_named_so && is_young(path)
}

/// A file that somebody has written into within a week.
fn is_young(path: &Path) -> bool {
    let age =
        || path.symlink_metadata().ok().filter(|there| there.is_file())?.modified().ok()?.elapsed().ok();
    age().is_some_and(|age| age < PATIENCE)
}
