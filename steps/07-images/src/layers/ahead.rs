//! Decompression on a thread of its own, a little ahead of whoever places the files.
//!
//! To decompress is work for a processor, to make files is work for the kernel: on two processors a layer is unpacked
//! in the time of the longer one.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, Result};

use super::decompress;
use crate::digest::{Digest, HashingReader};

/// How much is handed over at once, in bytes.
const PIECE: usize = 64 << 10;
/// How many pieces may wait: 1 MiB, enough for the longest pauses of the file system, and not much memory.
const WAITING: usize = 16;

/// What the archive was, to its last byte.
pub struct Decompressed {
    pub digest: Digest,
    /// In bytes.
    pub length: u64,
}

/// Lets `work` read what `blob` decompresses to. Where `work` ends before the archive, nobody waits for the rest.
// ANCHOR: ahead
pub fn decompress_ahead<T>(
    blob: &mut (dyn Read + Send),
    work: impl FnOnce(&mut Ahead) -> Result<T>,
) -> Result<(T, Decompressed)> {
    let (sender, receiver) = sync_channel(WAITING);
    thread::scope(|scope| {
        let decompressing = thread::Builder::new()
            .spawn_scoped(scope, move || decompress(blob, &sender))
            .context("cannot start a thread")?;
        let mut ahead = Ahead { receiver, piece: Vec::new(), at: 0 };
        let done = work(&mut ahead);
        // The other side can hand over nothing more: it ends.
        drop(ahead);
        let decompressed = decompressing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((done?, decompressed))
    })
}
// ANCHOR_END: ahead

fn decompress(blob: &mut dyn Read, sender: &SyncSender<io::Result<Vec<u8>>>) -> Result<Decompressed> {
    let mut archive = HashingReader::new(decompress::by_magic(blob)?);
    loop {
        let mut piece = vec![0; PIECE];
        let read = match archive.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                piece.truncate(count);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = read.is_err();
        // Who does not listen any more has an error of its own to tell.
        if sender.send(read).is_err() || is_last {
            break;
        }
    }
    Ok(Decompressed { digest: archive.digest(), length: archive.length() })
}

/// The reading end.
pub struct Ahead {
    receiver: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    /// How many bytes of the piece have been read.
    at: usize,
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            // No sender any more is the end of the archive.
            let Ok(next) = self.receiver.recv() else { return Ok(0) };
            (self.piece, self.at) = (next?, 0);
        }
        let left = &self.piece[self.at..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(count)
    }
}
