//! The log: each line that the container prints, as one line of JSON, as Docker's json-file
//! driver writes it: `{"log":"text\n","stream":"stdout","time":"2026-11-24T20:53:33.5Z"}`.

use std::fs::{self, File, OpenOptions};
use std::io::{Result, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::moment::utc;

/// A line that is longer is written in parts, of which only the last ends with a newline, in bytes.
const LONGEST: usize = 16 * 1024;

/// How large the files may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one file, in bytes; 0 means any size.
    pub size: u64,
    /// How many files there may be, the current one among them.
    pub files: u32,
}

// ANCHOR: log
/// A log that is written.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    size: u64,
    // Its last line is half of one: the disk was full, or whoever wrote it was killed.
    is_torn: bool,
    limits: Limits,
    // What has come of a line that has not ended, of each stream.
    begun: [Vec<u8>; 2],
}

impl Log {
    /// Goes on with a log, or begins it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(path: &Path, limits: Limits) -> Result<Self> {
        let file = append(path)?;
        let path = path.to_owned();
        let mut log = Self { path, file, size: 0, is_torn: false, limits, begun: Default::default() };
        log.look()?;
        Ok(log)
    }

    /// Writes what was printed: to the standard output (0) or to the standard error (1).
    ///
    /// # Errors
    /// The disk is full. What was not written is lost; later lines are not.
    pub fn write(&mut self, stream: usize, printed: &[u8]) -> Result<()> {
        let mut begun = std::mem::take(&mut self.begun[stream]);
        let mut text = Vec::new();
        for part in printed.split_inclusive(|byte| *byte == b'\n') {
            begun.extend(part);
            while begun.len() > LONGEST {
                let rest = begun.split_off(end_of_characters(&begun, LONGEST));
                line(&mut text, stream, &begun);
                begun = rest;
            }
            if begun.ends_with(b"\n") {
                line(&mut text, stream, &begun);
                begun.clear();
            }
        }
        self.begun[stream] = begun;
        self.append(&text)
    }

    /// Writes the lines that have not ended.
    ///
    /// # Errors
    /// The disk is full.
    pub fn end(&mut self) -> Result<()> {
        let mut text = Vec::new();
        for (stream, begun) in std::mem::take(&mut self.begun).iter().enumerate() {
            if !begun.is_empty() {
                line(&mut text, stream, begun);
            }
        }
        self.append(&text)
    }

    /// Whole lines, into as many files as they need.
    fn append(&mut self, mut text: &[u8]) -> Result<()> {
        while !text.is_empty() {
            let room = self.limits.size.saturating_sub(self.size);
            let is_full = self.limits.size > 0 && text.len() as u64 > room;
            let fits = if is_full { end_of_lines(text, room) } else { text.len() };
            if fits == 0 && self.size > 0 {
                self.rotate()?;
                continue;
            }
            // A line that is longer than a file may be gets one of its own.
            let fits = if fits == 0 { first_line(text) } else { fits };
            self.put(&text[..fits])?;
            text = &text[fits..];
        }
        Ok(())
    }

    /// Whole lines into the current file. What comes after half a line would be lost with it.
    fn put(&mut self, lines: &[u8]) -> Result<()> {
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.size += 1;
            self.is_torn = false;
        }
        let written = self.file.write_all(lines);
        self.size += lines.len() as u64;
        if written.is_err() {
            self.look()?;
        }
        written
    }

    /// How large the current file is, and how it ends.
    fn look(&mut self) -> Result<()> {
        self.size = self.file.metadata()?.len();
        let mut last = *b"\n";
        self.file.read_at(&mut last, self.size.saturating_sub(1))?;
        self.is_torn = last != *b"\n";
        Ok(())
    }

    /// The current file becomes number 1, 1 becomes 2, and the oldest goes.
    fn rotate(&mut self) -> Result<()> {
        for number in (1..self.limits.files.saturating_sub(1)).rev() {
            let _ = fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1));
        }
        if self.limits.files > 1 {
            fs::rename(&self.path, numbered(&self.path, 1))?;
        } else {
            fs::remove_file(&self.path)?;
        }
        self.file = append(&self.path)?;
        self.look()
    }
}
// ANCHOR_END: log

/// How many bytes whole lines have that fit into so many bytes.
fn end_of_lines(text: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(text.len());
    text[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn first_line(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1)
}

/// Not more than so many bytes, and no part of a character (`man 7 utf-8`), which would be none in either half.
fn end_of_characters(text: &[u8], most: usize) -> usize {
    (most - 3..=most).rev().find(|at| text[*at] & 0xc0 != 0x80).unwrap_or(most)
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Where a container's log is, in its directory.
pub fn path_in(directory: &Path, id: &str) -> PathBuf {
    directory.join(format!("{id}-json.log"))
}

/// An older file of a log: `log.1`.
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn line(text: &mut Vec<u8>, stream: usize, printed: &[u8]) {
    text.extend(br#"{"log":""#);
    for character in String::from_utf8_lossy(printed).chars() {
        match character {
            '"' => text.extend(br#"\""#),
            '\\' => text.extend(br"\\"),
            '\n' => text.extend(br"\n"),
            '\r' => text.extend(br"\r"),
            '\t' => text.extend(br"\t"),
            control if control < ' ' => {
                text.extend(format!("\\u{:04x}", u32::from(control)).bytes());
            }
            other => text.extend(other.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stream = ["stdout", "stderr"][stream];
    let time = rfc3339(now.as_secs(), now.subsec_nanos());
    text.extend(format!("\",\"stream\":\"{stream}\",\"time\":\"{time}\"}}\n").bytes());
}

/// A time since 1970 as text (RFC 3339), with as many digits behind the dot as it has.
fn rfc3339(seconds: u64, nanoseconds: u32) -> String {
    let fraction = format!(".{nanoseconds:09}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{}{fraction}Z", utc(seconds as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_208_001, 500_000_000), "2024-02-29T12:00:01.5Z");
        assert_eq!(rfc3339(1_795_540_610, 1), "2026-11-24T17:16:50.000000001Z");
        assert_eq!(rfc3339(951_868_799, 0), "2000-02-29T23:59:59Z");
    }

    fn logged(path: &Path) -> Vec<(String, String)> {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines
            .map(|line| (line["stream"].as_str().unwrap().into(), line["log"].as_str().unwrap().into()))
            .collect()
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::open(&path, Limits { size: 0, files: 1 }).unwrap();
        log.write(0, b"on").unwrap();
        log.write(1, b"\"error\\\"\t\x1b\xff\n").unwrap();
        log.write(0, b"e\ntwo\nthr").unwrap();
        log.end().unwrap();
        let wanted = [
            ("stderr", "\"error\\\"\t\u{1b}\u{fffd}\n"),
            ("stdout", "one\n"),
            ("stdout", "two\n"),
            ("stdout", "thr"),
        ];
        assert_eq!(logged(&path), wanted.map(|(stream, text)| (stream.to_owned(), text.to_owned())));
    }

    #[test]
    fn long_line_comes_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::open(&path, Limits { size: 0, files: 1 }).unwrap();
        log.write(0, &[b'x'; 40_000]).unwrap();
        log.write(0, b"\n").unwrap();
        let lengths: Vec<_> = logged(&path).iter().map(|(_, text)| text.len()).collect();
        assert_eq!(lengths, [LONGEST, LONGEST, 40_001 - 2 * LONGEST]);
        // Wherever the characters begin, each is whole.
        for offset in 0..4 {
            let text = "x".repeat(offset) + &"🛶".repeat(10_000) + "\n";
            fs::write(&path, "").unwrap();
            log.write(0, text.as_bytes()).unwrap();
            assert_eq!(logged(&path).into_iter().map(|(_, part)| part).collect::<String>(), text);
        }
    }

    #[test]
    fn half_a_line_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let half = r#"{"log":"ha"#;
        fs::write(&path, half).unwrap();
        let mut log = Log::open(&path, Limits { size: 0, files: 1 }).unwrap();
        log.write(0, b"one\n").unwrap();
        log.write(0, b"two\n").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.strip_prefix(&format!("{half}\n")).unwrap()).unwrap();
        let wanted = ["one\n", "two\n"].map(|text| ("stdout".to_owned(), text.to_owned()));
        assert_eq!(logged(&path), wanted);
    }

    #[test]
    fn full_files_are_rotated_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::open(&path, Limits { size: 200, files: 3 }).unwrap();
        for number in 0..20 {
            log.write(0, format!("{number}\n").as_bytes()).unwrap();
        }
        let all = [numbered(&path, 2), numbered(&path, 1), path.clone()].map(|path| logged(&path));
        let numbers: Vec<_> =
            all.iter().flatten().map(|(_, text)| text.trim().parse::<u32>().unwrap()).collect();
        assert_eq!(numbers, (20 - numbers.len() as u32..20).collect::<Vec<_>>());
        assert!(numbers.len() < 12 && !numbered(&path, 3).exists());
        assert!(all.iter().all(|lines| !lines.is_empty()));
    }
}
