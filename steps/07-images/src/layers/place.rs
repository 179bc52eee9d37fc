//! Placing entries into the directory of a layer.
//!
//! Rules, each of them the answer to an attack that has worked on somebody:
//! - the parent directory is opened contained (see `parents`), and an entry is made in it by its last name alone;
//! - what is made is new (O_CREAT with O_EXCL, mkdirat, symlinkat …): nothing that stands there already is opened or
//!   followed, it is removed first, unless both are directories;
//! - metadata goes through descriptors of what was just made.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Timespec};
use rustix::io::Errno;

use super::ids::Ids;
use super::metadata::{self, LeftOut, Metadata, named};
use super::parents::Directory;
use super::stack::{self, Merged, beneath};
use super::walk::{Entry, Kind};
use super::whiteouts::{self, Meaning};
use super::{paths, remove};

/// Fills the directory of one layer.
pub struct Placer {
    /// The root of the stack that this layer is put upon, with this layer.
    pub root: Merged,
    top: Rc<OwnedFd>,
    pub last_parent: Option<(PathBuf, Directory)>,
    ids: Ids,
    left_out: LeftOut,
    /// The times of all directories made or described: each entry placed inside changes them, so they are set last.
    directory_times: BTreeMap<PathBuf, Timespec>,
    buffer: Vec<u8>,
}

impl Placer {
    /// Begins with the empty directory `into`, which gets the metadata of the root directory below it.
    pub fn new(into: &Path, lower: &[PathBuf]) -> Result<Self> {
        let root = Merged::root(into, lower)?;
        let metadata = match root.below() {
            Some(lower) => Metadata::of(lower.as_fd(), &fs::fstat(&lower).map_err(named)?)?,
            None => Metadata { mode: 0o755, ..Metadata::default() },
        };
        let mut placer = Self {
            top: root.top().context("the stack has no top")?,
            root,
            last_parent: None,
            ids: Ids::of_this_process()?,
            left_out: LeftOut::default(),
            directory_times: BTreeMap::new(),
            buffer: vec![0; 128 << 10],
        };
        if !stack::list(placer.top.as_fd(), Path::new(""))?.is_empty() {
            bail!("{} is not empty", into.display());
        }
        placer.describe_directory(Path::new(""), &metadata)?;
        Ok(placer)
    }

    /// The directory that is being filled.
    pub fn top(&self) -> Rc<OwnedFd> {
        Rc::clone(&self.top)
    }

    /// Places one entry; `content` is a file's.
    pub fn place(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<()> {
        match whiteouts::meaning(&entry.path)? {
            Meaning::Entry => self.put(entry, content),
            Meaning::Deleted(path) => self.white_out(&path),
            Meaning::Opaque(path) => self.make_opaque(&path),
            Meaning::Leftover => Ok(()),
        }
    }

    // ANCHOR: put
    /// Places what is no whiteout.
    pub fn put(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<()> {
        self.ids.check(entry.metadata.uid, entry.metadata.gid)?;
        let Some(name) = entry.path.file_name().map(Path::new) else {
            let Kind::Directory = entry.kind else { bail!("the root can only be a directory") };
            return self.describe_directory(Path::new(""), &entry.metadata);
        };
        let parent = self.parent(entry.path.parent().unwrap_or(Path::new("")))?;
        let (inode, kind) = match &entry.kind {
            Kind::Directory => return self.make_directory(&parent.path.join(name), &entry.metadata),
            Kind::HardLink(target) => return self.hard_link(&parent, name, target),
            Kind::File => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = self.replacing(&parent, name, || {
                    fs::openat(&parent.inode, name, flags, Mode::RUSR | Mode::WUSR)
                })?;
                (self.write(file, content)?, FileType::RegularFile)
            }
            Kind::Symlink(target) => {
                self.replacing(&parent, name, || fs::symlinkat(target.as_slice(), &parent.inode, name))?;
                (made(&parent, name)?, FileType::Symlink)
            }
            Kind::Fifo => {
                self.replacing(&parent, name, || {
                    fs::mknodat(&parent.inode, name, FileType::Fifo, Mode::empty(), 0)
                })?;
                (made(&parent, name)?, FileType::Fifo)
            }
            Kind::Device(FileType::CharacterDevice, 0) => {
                bail!("a character device 0:0, which overlayfs would take for a whiteout")
            }
            &Kind::Device(kind, number) => {
                let make = || match fs::mknodat(&parent.inode, name, kind, Mode::empty(), number) {
                    Err(Errno::PERM) => Ok(false),
                    result => result.map(|()| true),
                };
                if !self.replacing(&parent, name, make)? {
                    self.left_out.device(paths::shown(&entry.path));
                    // Nor is what lower layers have there.
                    return self.white_out(&entry.path);
                }
                (made(&parent, name)?, kind)
            }
        };
        entry.metadata.apply(inode.as_fd(), kind, &mut self.left_out)
    }
    // ANCHOR_END: put

    /// Makes the directory at a path without links, whose parent is there, or describes it anew where it is.
    pub fn make_directory(&mut self, path: &Path, metadata: &Metadata) -> Result<()> {
        let top = self.top();
        let parent = path.parent().unwrap_or(Path::new(""));
        let name = path.file_name().unwrap_or_default();
        let parent = beneath(top.as_fd(), parent, OFlags::PATH | OFlags::DIRECTORY).map_err(named)?;
        match fs::mkdirat(&parent, name, Mode::RWXU) {
            Ok(()) => self.describe_directory(path, metadata),
            Err(Errno::EXIST) => {
                let stat = fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(named)?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    return self.describe_directory(path, metadata);
                }
                // What was there stood for the whole tree below it: that must not come back.
                self.remove(path)?;
                fs::mkdirat(&parent, name, Mode::RWXU).map_err(named)?;
                self.describe_directory(path, metadata)?;
                self.hide_below(path)
            }
            Err(error) => Err(named(error).into()),
        }
    }

    fn describe_directory(&mut self, path: &Path, metadata: &Metadata) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = beneath(self.top.as_fd(), path, flags).map_err(named)?;
        metadata::clear_xattrs(directory.as_fd())?;
        metadata.apply(directory.as_fd(), FileType::Directory, &mut self.left_out)?;
        self.directory_times.insert(path.to_path_buf(), metadata.time());
        Ok(())
    }

    /// Makes something that must not be there yet; what is there goes first, whatever it is.
    pub fn replacing<T>(
        &mut self,
        directory: &Directory,
        name: &Path,
        make: impl Fn() -> Result<T, Errno>,
    ) -> Result<T> {
        match make() {
            Err(Errno::EXIST) => {
                self.remove(&directory.path.join(name))?;
                Ok(make().map_err(named)?)
            }
            result => Ok(result.map_err(named)?),
        }
    }

    fn remove(&mut self, path: &Path) -> Result<()> {
        self.last_parent = None;
        remove::remove(self.top.as_fd(), path)
    }

    fn write(&mut self, file: OwnedFd, content: &mut dyn Read) -> Result<OwnedFd> {
        let mut file = File::from(file);
        loop {
            match content.read(&mut self.buffer) {
                Ok(0) => return Ok(file.into()),
                Ok(count) => file.write_all(&self.buffer[..count]).map_err(errno)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    bail!("unexpected end of its content")
                }
                Err(error) => return Err(error).context("cannot read its content"),
            }
        }
    }

    /// Sets what could only be set last, and tells what was left out.
    pub fn finish(self) -> Result<Vec<String>> {
        for (path, time) in &self.directory_times {
            match beneath(self.top.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY) {
                Ok(directory) => metadata::set_time(directory.as_fd(), *time)
                    .with_context(|| format!("cannot set the time of {}", paths::shown(path)))?,
                // A later entry has replaced it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => bail!("cannot open {}: {}", paths::shown(path), named(error)),
            }
        }
        Ok(self.left_out.sentences())
    }
}

/// Opens what was just made, the link itself where it is one.
fn made(directory: &Directory, name: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(&directory.inode, name, flags, Mode::empty()).map_err(named)?)
}

fn errno(error: std::io::Error) -> nix::errno::Errno {
    error.raw_os_error().map_or(nix::errno::Errno::EIO, nix::errno::Errno::from_raw)
}
