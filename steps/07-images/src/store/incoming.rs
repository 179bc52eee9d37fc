//! A blob on its way in: verified while it comes, and continued where an earlier pull was cut.
//!
//! It grows in `tmp/partial-<hex>`, and gets its name in `blobs/` when its size and its hash are right. A pull that
//! ends before its time, by ^C or kill -9 too, leaves that file, and the next one asks for the rest only. Nobody
//! believes what is there: it is hashed again first, and if the whole turns out wrong, it starts anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Store, remove_tree};
use crate::digest::Hasher;
use crate::manifest::Descriptor;

/// The beginning of the names in `tmp/` that outlive whoever made them.
const PARTIAL: &str = "partial-";

/// What nobody has continued for so long is removed.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest ETag that is remembered, in bytes.
const LONGEST_ETAG: u64 = 1024;

/// A blob that is not all here. Dropped before its time, it waits for the next pull, unless its content was wrong.
#[derive(Debug)]
pub struct Incoming {
    file: File,
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
    pub(super) fn new(store: &Store, expected: &Descriptor) -> Result<Self> {
        let path = store.root().join("tmp").join(format!("{PARTIAL}{}", expected.digest.hex()));
        let place = store.blob(&expected.digest);
        let cannot = || format!("cannot open {}", path.display());
        let file = open(&path).with_context(cannot)?;
        let mut incoming = Self {
            file,
            path: path.clone(),
            place,
            hasher: Hasher::default(),
            expected: expected.clone(),
            inherited: false,
            done: false,
        };
        incoming.look_at_what_is_there().with_context(cannot)?;
        Ok(incoming)
    }

    fn look_at_what_is_there(&mut self) -> Result<()> {
        let length = self.file.metadata()?.len();
        if length == 0 {
            return Ok(());
        }
        if length > self.expected.size {
            return self.restart();
        }
        let mut piece = vec![0; 128 << 10];
        loop {
            match self.file.read(&mut piece)? {
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
        let written = self.file.write_all(piece);
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Forgets what is here.
    pub fn restart(&mut self) -> Result<()> {
        let empty = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
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

    /// Gives the blob its name, if it is what was expected.
    pub(super) fn keep(mut self) -> Result<()> {
        let (digest, size, came) = (self.expected.digest, self.expected.size, self.position());
        self.done = self.is_complete();
        ensure!(came == size, "blob {digest} has {came} bytes, but the manifest tells {size}");
        let is = self.hasher.digest();
        ensure!(is == digest, "blob {digest} has other content: its digest is {is}");
        fs::rename(&self.path, &self.place).with_context(|| format!("cannot write {}", self.place.display()))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What fails here, the sweep makes good.
        if self.done || self.position() == 0 {
            let _ = fs::remove_file(&self.path);
            self.set_etag(None);
        }
    }
}

/// What is there is opened only if it is a plain file of ours; otherwise it makes room.
fn open(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600).custom_flags(flags);
    if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        remove_tree(path)?;
    }
    options.open(path)
}

/// Empties `tmp/`. Only a writer leaves something there, and the caller is the only one: this was left by the dead.
/// What a pull can continue stays for a week.
pub(super) fn sweep(root: &Path, warn: impl Fn(&Path, io::Error)) -> Result<()> {
    for left in fs::read_dir(root.join("tmp")).context("cannot read tmp of the store")? {
        let path = left?.path();
        if may_be_continued(&path) {
            continue;
        }
        if let Err(error) = remove_tree(&path) {
            warn(&path, error);
        }
    }
    Ok(())
}

fn may_be_continued(path: &Path) -> bool {
    let is_named_so =
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PARTIAL.as_bytes()));
    let age =
        || path.symlink_metadata().ok().filter(|there| there.is_file())?.modified().ok()?.elapsed().ok();
    is_named_so && age().is_some_and(|age| age < PATIENCE)
}
