//! A container's log as it is read, while it grows and is rotated.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::monitor::log::numbered;

/// One line of it.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub log: String,
    pub stream: String,
    pub time: String,
}

/// A file, whatever its name is by now: the numbers of its device and of its inode.
type Number = (u64, u64);

#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    open: Option<BufReader<File>>,
    /// How much of it was read, in bytes.
    read: u64,
    /// The files that come after it, the next one last.
    newer: Vec<File>,
    begun: Vec<u8>,
}

// ANCHOR: reader
impl Reader {
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), open: None, read: 0, newer: files(path, None), begun: Vec::new() }
    }

    /// Where the log ends now, before anything is read: in which file, and after so many bytes.
    pub fn end(&self) -> Option<(Number, u64)> {
        let newest = self.newer.first()?.metadata().ok()?;
        Some((number(&newest), newest.len()))
    }

    /// Whether all has been read up to there.
    pub fn has_come_to(&self, end: Option<(Number, u64)>) -> bool {
        let open = self.open.as_ref().and_then(|file| file.get_ref().metadata().ok());
        end.zip(open).is_some_and(|((file, length), open)| file == number(&open) && self.read >= length)
    }

    /// The next whole line; nothing if there is none yet. What makes no sense is left out.
    pub fn next(&mut self) -> Option<Line> {
        loop {
            let Some(file) = &mut self.open else {
                if self.newer.is_empty() {
                    self.newer = files(&self.path, None);
                }
                self.open = Some(BufReader::new(self.newer.pop()?));
                (self.read, self.begun) = (0, Vec::new());
                continue;
            };
            let length = file.read_until(b'\n', &mut self.begun).unwrap_or(0);
            self.read += length as u64;
            if length > 0 {
                if self.begun.ends_with(b"\n") {
                    let line = serde_json::from_slice(&self.begun).ok();
                    self.begun.clear();
                    if line.is_some() {
                        return line;
                    }
                }
                continue;
            }
            if !self.newer.is_empty() {
                self.open = None;
                continue;
            }
            // It may have been rotated since we looked, more than once, and written before that: then its end is read
            // now, and after it all those that have come.
            let ours = file.get_ref().metadata().ok()?;
            self.newer = files(&self.path, Some(number(&ours)));
            if !self.newer.is_empty() {
                continue;
            }
            // Whoever needs room may have emptied it: then what comes now stands at its beginning.
            if ours.len() >= self.read || file.rewind().is_err() {
                return None;
            }
            (self.read, self.begun) = (0, Vec::new());
        }
    }
}

/// The files of a log that are newer than this one, or all of them, the newest first. They are opened at once: by the time
/// that they are read they have other names.
fn files(path: &Path, than: Option<Number>) -> Vec<File> {
    let (mut all, mut last, mut is_gap) = (Vec::new(), None, false);
    let names = std::iter::once(path.to_owned()).chain((1..).map(|number| numbered(path, number)));
    for name in names {
        let found = File::open(name).and_then(|file| file.metadata().map(|found| (number(&found), file)));
        let Ok((number, file)) = found else {
            // One name is free for a moment while the files are moved on.
            if std::mem::replace(&mut is_gap, true) {
                break;
            }
            continue;
        };
        is_gap = false;
        if Some(number) == than {
            break;
        }
        // Or else it was moved on between two looks.
        if last.replace(number) != Some(number) {
            all.push(file);
        }
    }
    all
}
// ANCHOR_END: reader

fn number(file: &Metadata) -> Number {
    (file.dev(), file.ino())
}
