//! A copy as a tar archive: `-` in place of a path.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use super::data;
use super::entries::{self, is_kernels, look, make_directory, open_made, replacing, still};
use super::target::Source;
use super::tree::Found;
use crate::layers::{Entry, Kind, LeftOut, Walk, beneath, by_magic, list, named};
use crate::text::printable;

// ANCHOR: pack
/// Writes the source as an archive: a directory with all that is in it.
///
/// # Errors
/// Nobody reads it, or a file cannot be read.
pub fn pack(source: &Source, output: impl Write) -> Result<()> {
    let mut packer = Packer { archive: Builder::new(output), links: HashMap::new() };
    let name = if source.is_content { PathBuf::from(".") } else { PathBuf::from(&source.name) };
    packer.add(&source.found, &name)?;
    if source.found.kind() == FileType::Directory {
        let top = entries::directory(&source.found)?;
        let mut pending = vec![PathBuf::new()];
        while let Some(path) = pending.pop() {
            let folder = beneath(top.as_fd(), &path, OFlags::RDONLY | OFlags::DIRECTORY);
            // What has gone meanwhile, or has become a link, is not copied.
            let Some(folder) = still(folder)? else { continue };
            let mut names = list(folder.as_fd(), Path::new(""))?;
            names.sort_by(|one, other| one.0.cmp(&other.0));
            for (child, _) in names {
                let Some(found) = look(folder.as_fd(), &child)? else { continue };
                if is_kernels(&found) {
                    continue;
                }
                let path = path.join(&child);
                packer.add(&found, &name.join(&path))?;
                if found.kind() == FileType::Directory {
                    pending.push(path);
                }
            }
        }
    }
    packer.archive.into_inner().and_then(|mut output| output.flush()).context("cannot write the archive")
}
// ANCHOR_END: pack

struct Packer<W: Write> {
    archive: Builder<W>,
    links: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<W> {
    fn add(&mut self, found: &Found, name: &Path) -> Result<()> {
        self.try_to_add(found, name).with_context(|| format!("cannot write {} into the archive", shown(name)))
    }

    fn try_to_add(&mut self, found: &Found, name: &Path) -> Result<()> {
        let stat = &found.stat;
        let mut header = header(stat);
        match found.kind() {
            FileType::Directory => {
                header.set_entry_type(EntryType::Directory);
                let mut name = name.as_os_str().to_owned();
                name.push("/");
                self.archive.append_data(&mut header, name, std::io::empty())?;
            }
            FileType::Symlink => {
                header.set_entry_type(EntryType::Symlink);
                self.archive.append_link(&mut header, name, found.link()?)?;
            }
            FileType::Fifo => {
                header.set_entry_type(EntryType::Fifo);
                self.archive.append_data(&mut header, name, std::io::empty())?;
            }
            FileType::RegularFile => {
                let first = self.links.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| name.to_owned());
                if stat.st_nlink > 1 && first != name {
                    header.set_entry_type(EntryType::Link);
                    return Ok(self.archive.append_link(&mut header, name, first)?);
                }
                header.set_size(stat.st_size as u64);
                // It may grow or shrink meanwhile, and its length is written already.
                let content = data::read(found)?.chain(std::io::repeat(0)).take(stat.st_size as u64);
                self.archive.append_data(&mut header, name, content)?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn header(stat: &Stat) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(stat.st_mtime.try_into().unwrap_or(0));
    header.set_size(0);
    header
}

// ANCHOR: unpack
/// Unpacks an archive into an open directory. A link that stands in there, or comes with the archive, leads at most to
/// other places of that directory.
///
/// # Errors
/// It is no archive, or something cannot be made.
pub fn unpack(input: &mut dyn Read, into: &OwnedFd) -> Result<Vec<String>> {
    let mut left_out = LeftOut::default();
    let mut content = by_magic(input)?;
    let mut walk = Walk::new(&mut content);
    let mut directories = Vec::new();
    while let Some(entry) = walk.next_entry()? {
        place(&entry, &mut walk, into, &mut left_out)
            .with_context(|| format!("cannot place {}", shown(&entry.path)))?;
        if matches!(entry.kind, Kind::Directory) {
            directories.push(entry);
        }
    }
    walk.finish()?;
    for entry in directories.into_iter().rev().filter(|entry| !entry.path.as_os_str().is_empty()) {
        if let Ok(directory) = contained(into, &entry.path, OFlags::RDONLY | OFlags::DIRECTORY) {
            entry.metadata.set_time(directory.as_fd())?;
        }
    }
    Ok(left_out.sentences())
}

fn place(entry: &Entry, content: &mut dyn Read, into: &OwnedFd, left_out: &mut LeftOut) -> Result<()> {
    let Some(name) = entry.path.file_name() else { return Ok(()) };
    let parent = parent(into, entry.path.parent().unwrap_or(Path::new("")))?;
    let to = parent.as_fd();
    let (made, kind) = match &entry.kind {
        Kind::Directory => (make_directory(to, name)?, FileType::Directory),
        Kind::File => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = replacing(to, name, || fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR))?;
            std::io::copy(content, &mut std::fs::File::from(file.try_clone()?))?;
            (file, FileType::RegularFile)
        }
        Kind::Symlink(link) => {
            replacing(to, name, || fs::symlinkat(OsStr::from_bytes(link), to, name))?;
            (open_made(to, name)?, FileType::Symlink)
        }
        Kind::Fifo => {
            replacing(to, name, || fs::mknodat(to, name, FileType::Fifo, Mode::empty(), 0))?;
            (open_made(to, name)?, FileType::Fifo)
        }
        Kind::HardLink(first) => {
            let folder =
                contained(into, first.parent().unwrap_or(Path::new("")), OFlags::PATH | OFlags::DIRECTORY);
            let folder = folder.map_err(named).context("cannot find what it is a name of")?;
            let first = first.file_name().context("a hard link to the root")?;
            return replacing(to, name, || fs::linkat(&folder, first, to, name, AtFlags::empty()));
        }
        Kind::Device(..) => {
            left_out.device(shown(&entry.path));
            return Ok(());
        }
    };
    entry.metadata.apply(made.as_fd(), kind, left_out)
}
// ANCHOR_END: unpack

/// The directory at a path, whose missing parts are made.
fn parent(into: &OwnedFd, path: &Path) -> Result<OwnedFd> {
    match contained(into, path, OFlags::PATH | OFlags::DIRECTORY) {
        Err(Errno::NOENT) if !path.as_os_str().is_empty() => {}
        other => return Ok(other.map_err(named)?),
    }
    let above = parent(into, path.parent().unwrap_or(Path::new("")))?;
    let Some(name) = path.file_name() else { bail!("it has no name") };
    let made = make_directory(above.as_fd(), name)?;
    fs::fchmod(&made, Mode::from_raw_mode(0o755)).map_err(named)?;
    Ok(made)
}

fn contained(top: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    fs::openat2(top, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// A name for a message.
pub fn shown(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    printable(&str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned))
}
