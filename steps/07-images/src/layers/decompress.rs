//! What a layer is compressed by, as told by its first bytes.
//!
//! Media types lie (gzip announced, zstd delivered), magic numbers do not. A gzip file may consist of several members
//! and a zstd file of several frames (`pigz`, `zstd -T`, and seekable layers make them): whoever stops after the first loses
//! files, silently.

use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, Result, bail};
use flate2::bufread::GzDecoder;

/// The largest window that a zstd frame may ask for, as a power of two: 128 MiB, zstd's own limit without `--long`.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The uncompressed bytes of `blob`: gzip, zstd, or as they are.
pub fn by_magic(blob: &mut dyn Read) -> Result<Box<dyn Read + '_>> {
    let mut source = Peekable { source: BufReader::with_capacity(128 << 10, blob), peeked: Vec::new() };
    let magic = source.peek(6).context("cannot read")?.to_vec();
    Ok(match *magic {
        [0x1f, 0x8b, ..] => Box::new(Members { member: Some(GzDecoder::new(source)) }),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let mut frames = zstd::stream::read::Decoder::with_buffer(source).context("cannot read zstd")?;
            frames.window_log_max(ZSTD_WINDOW_LOG).context("cannot limit the window of zstd")?;
            Box::new(frames)
        }
        [b'B', b'Z', b'h', ..] => bail!("compressed by bzip2: only gzip and zstd are supported"),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => bail!("compressed by xz: only gzip and zstd are supported"),
        _ => Box::new(source),
    })
}

/// All members of a gzip file, one after the other (RFC 1952, section 2.2).
///
/// What follows the last member and is no member itself is padding: it belongs to the blob and its digest, not to the
/// archive.
struct Members<'a> {
    member: Option<GzDecoder<Peekable<'a>>>,
}

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(member) = self.member.take() else { break };
            let mut source = member.into_inner();
            if source.peek(2)? == [0x1f, 0x8b] {
                self.member = Some(GzDecoder::new(source));
            } else {
                io::copy(&mut source, &mut io::sink())?;
            }
        }
        Ok(0)
    }
}

/// A buffered reader whose next bytes can be looked at, however few the buffer has left.
struct Peekable<'a> {
    source: BufReader<&'a mut dyn Read>,
    /// Bytes taken from `source` to be looked at, which nobody has read yet.
    peeked: Vec<u8>,
}

impl Peekable<'_> {
    /// The next `count` bytes; fewer only where the source ends.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let missing = count.saturating_sub(self.peeked.len());
        (&mut self.source).take(missing as u64).read_to_end(&mut self.peeked)?;
        Ok(&self.peeked)
    }
}

impl Read for Peekable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Peekable<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.peeked.is_empty() { self.source.fill_buf() } else { Ok(&self.peeked) }
    }

    fn consume(&mut self, count: usize) {
        if self.peeked.is_empty() {
            self.source.consume(count);
        } else {
            self.peeked.drain(..count);
        }
    }
}
