//! The entries of a tar archive, one after the other, from a stream.
//!
//! An archive is a row of entries, each a header block and the content, padded to whole blocks; two empty blocks end it.
//! Nothing is kept but the entry at hand, and what an entry claims is bounded before memory is given for it.

use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::FileType;

use super::header::{self, Fields};
use super::metadata::Metadata;
use super::pax::Extended;
use super::{ids, paths};

const BLOCK: u64 = 512;
/// The longest name or set of records that an entry may bring: 1 MiB, as in Go's archive/tar.
const EXTENDED_LIMIT: i64 = 1 << 20;

/// One thing to place.
#[derive(Debug)]
pub struct Entry {
    /// Where it belongs, relative to the tree's root and without `..`; empty for the root itself.
    pub path: PathBuf,
    pub kind: Kind,
    pub metadata: Metadata,
}

/// What an entry is.
#[derive(Debug)]
pub enum Kind {
    File,
    Directory,
    Fifo,
    /// A further name of the file at this path, which is cleaned as an entry's own.
    HardLink(PathBuf),
    /// The text as it stands: the kernel resolves it later, inside the container.
    Symlink(Vec<u8>),
    /// A character or block device, and its number.
    Device(FileType, u64),
}

/// Walks over the entries of an archive; reading from it gives the content of the entry that came last.
pub struct Walk<'a> {
    source: &'a mut dyn Read,
    /// How many bytes of the archive were read.
    at: u64,
    /// How many bytes of the entry's content were not.
    content: u64,
    padding: u64,
    closed: bool,
}

impl<'a> Walk<'a> {
    pub fn new(source: &'a mut dyn Read) -> Self {
        Self { source, at: 0, content: 0, padding: 0, closed: false }
    }

    /// The next entry, after skipping what was not read of the one before.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut extended = None;
        loop {
            io::copy(self, &mut io::sink()).map_err(|error| self.cannot_read(error))?;
            self.skip_padding()?;
            let start = self.at;
            let Some(fields) = self.header()? else {
                if extended.is_some() && !self.closed {
                    return Err(self.cannot_read(io::ErrorKind::UnexpectedEof.into()));
                }
                if extended.is_some() {
                    return Err(bad_header(start, "the archive ends after an extended header"));
                }
                return Ok(None);
            };
            match fields.kind {
                // Global headers are about the archive as a whole; engines agree on not applying them.
                b'g' => self.begin_content(fields.size)?,
                b'x' => {
                    let records = self.text(fields.size)?;
                    extended
                        .get_or_insert_with(Extended::default)
                        .read(&records)
                        .map_err(|why| bad_header(start, why))?;
                }
                b'L' => {
                    let name = self.text(fields.size)?;
                    extended.get_or_insert_with(Extended::default).gnu_path = Some(up_to_nul(name));
                }
                b'K' => {
                    let name = self.text(fields.size)?;
                    extended.get_or_insert_with(Extended::default).gnu_link = Some(up_to_nul(name));
                }
                _ => return self.entry(fields, extended.unwrap_or_default()).map(Some),
            }
        }
    }

    /// Reads what follows the archive's end, so that it is hashed with the rest. Tells whether there was an end: the
    /// two empty blocks, and not only the end of the stream.
    pub fn finish(mut self) -> Result<bool> {
        io::copy(&mut self.source, &mut io::sink()).map_err(|error| self.cannot_read(error))?;
        Ok(self.closed)
    }

    fn entry(&mut self, fields: Fields, extended: Extended) -> Result<Entry> {
        let raw_path = extended.path.or(extended.gnu_path).unwrap_or(fields.path);
        let path = paths::clean(&raw_path)?;
        let raw_link = extended.link.or(extended.gnu_link).unwrap_or(fields.link);
        let shown = || paths::shown(&path);
        if extended.sparse || fields.kind == b'S' {
            bail!("{} is a sparse file, which is not supported", shown());
        }
        let kind = match fields.kind {
            b'0' => Kind::File,
            b'1' => {
                Kind::HardLink(paths::clean(&raw_link).with_context(|| format!("hard link {}", shown()))?)
            }
            b'2' => Kind::Symlink(raw_link),
            b'3' => Kind::Device(FileType::CharacterDevice, device(fields.device).with_context(shown)?),
            b'4' => Kind::Device(FileType::BlockDevice, device(fields.device).with_context(shown)?),
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => bail!("{} has the type {:?}, which is not supported", shown(), char::from(other)),
        };
        // Only files have content: a size in any other header is ignored, as by Go's archive/tar.
        let size = if matches!(kind, Kind::File) { extended.size.unwrap_or(fields.size) } else { 0 };
        self.begin_content(size)?;

        let (modified, nanoseconds) = extended.modified.unwrap_or((fields.modified, 0));
        let metadata = Metadata {
            mode: (fields.mode & 0o7777) as u32,
            uid: ids::id("user", extended.uid.unwrap_or(fields.uid)).with_context(shown)?,
            gid: ids::id("group", extended.gid.unwrap_or(fields.gid)).with_context(shown)?,
            modified,
            nanoseconds,
            xattrs: extended.xattrs,
        };
        Ok(Entry { path, kind, metadata })
    }

    /// The next header; nothing where the archive ends, with or without its two empty blocks.
    fn header(&mut self) -> Result<Option<Fields>> {
        let start = self.at;
        let Some(block) = self.block()? else { return Ok(None) };
        if block.iter().all(|byte| *byte == 0) {
            match self.block()? {
                None => {}
                Some(second) if second.iter().all(|byte| *byte == 0) => self.closed = true,
                Some(_) => return Err(bad_header(start, "an empty block, and then more")),
            }
            return Ok(None);
        }
        header::parse(&block).map(Some).map_err(|why| bad_header(start, why))
    }

    /// The next block, or nothing where the stream ends before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK as usize]>> {
        let mut block = [0; BLOCK as usize];
        let mut filled = 0;
        while filled < block.len() {
            match self.source.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(self.cannot_read(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.cannot_read(error)),
            }
        }
        self.at += BLOCK;
        Ok(Some(block))
    }

    /// The whole content of an extended header.
    fn text(&mut self, size: i64) -> Result<Vec<u8>> {
        if size > EXTENDED_LIMIT {
            let why = format!("a name or records of {size} bytes, where 1 MiB is the limit");
            return Err(bad_header(self.at - BLOCK, &why));
        }
        self.begin_content(size)?;
        let mut text = Vec::new();
        self.read_to_end(&mut text).map_err(|error| self.cannot_read(error))?;
        Ok(text)
    }

    fn begin_content(&mut self, size: i64) -> Result<()> {
        self.content = size.try_into().map_err(|_| bad_header(self.at - BLOCK, "its size is negative"))?;
        self.padding = self.content.next_multiple_of(BLOCK) - self.content;
        Ok(())
    }

    /// The last padding may be missing, as from umoci 0.4: nothing is lost by it, and what the archive should have
    /// been, its digest tells.
    fn skip_padding(&mut self) -> Result<()> {
        self.content = std::mem::take(&mut self.padding);
        match io::copy(self, &mut io::sink()) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.content = 0,
            other => drop(other.map_err(|error| self.cannot_read(error))?),
        }
        Ok(())
    }

    fn cannot_read(&self, error: io::Error) -> anyhow::Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return anyhow!("unexpected end at byte {} of the uncompressed archive", self.at);
        }
        anyhow!(error).context(format!("cannot read on at byte {} of the uncompressed archive", self.at))
    }
}

impl Read for Walk<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = self.content.min(buffer.len() as u64) as usize;
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.source.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content -= count as u64;
        self.at += count as u64;
        Ok(count)
    }
}

fn bad_header(start: u64, why: &str) -> anyhow::Error {
    anyhow!("bad tar header at byte {start}: {why}")
}

/// The kernel takes 12 bits of the major and 20 of the minor number, and forgets the others: 4096:0 would become 0:0,
/// the whiteout.
fn device((major, minor): (i64, i64)) -> Result<u64> {
    if !(0..1 << 12).contains(&major) || !(0..1 << 20).contains(&minor) {
        bail!("there is no device {major}:{minor}");
    }
    Ok(rustix::fs::makedev(major as u32, minor as u32))
}

fn up_to_nul(mut name: Vec<u8>) -> Vec<u8> {
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    name
}
