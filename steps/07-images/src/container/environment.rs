//! The environment: built from nothing, then the image's, then what was asked for.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Asked;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A longer line Docker does not read either, in bytes.
const LONGEST_LINE: usize = 64 << 10;

impl Asked {
    // ANCHOR: environment
    /// The last one of a name counts; an image's line without a name or a value is dropped. A name alone, which had no
    /// value where it was asked for, takes the image's one away.
    pub(super) fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut all = BTreeMap::from([
            ("PATH".into(), DEFAULT_PATH.into()),
            ("HOSTNAME".into(), self.hostname().into()),
        ]);
        if self.run.tty {
            all.insert("TERM".into(), "xterm".into());
        }
        for line in &self.image.settings.env {
            match line.split_once('=') {
                Some((name, value)) if !name.is_empty() && !line.contains('\0') => {
                    all.insert(name.into(), value.into());
                }
                _ => {}
            }
        }
        for asked in &self.run.env {
            match split(asked) {
                (name, Some(value)) => all.insert(name.to_owned(), value.to_owned()),
                (name, None) => all.remove(name),
            };
        }
        all
    }
    // ANCHOR_END: environment
}

/// Reads one `-e`.
///
/// # Errors
/// It has no name, in Docker's words.
pub fn variable(asked: OsString) -> Result<OsString, String> {
    match split(&asked) {
        (name, _) if name.is_empty() => {
            Err(format!("invalid environment variable: {}", asked.to_string_lossy()))
        }
        _ => Ok(asked),
    }
}

fn split(asked: &OsStr) -> (&OsStr, Option<&OsStr>) {
    let bytes = asked.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (OsStr::from_bytes(&bytes[..at]), Some(OsStr::from_bytes(&bytes[at + 1..]))),
        None => (asked, None),
    }
}

// ANCHOR: settled
/// `--env-file` and `-e` as they are at this moment: files first, and a name alone has the value that it has here.
///
/// # Errors
/// A file is not there or makes no sense.
pub fn settled(files: &[impl AsRef<Path>], asked: &[OsString]) -> Result<Vec<OsString>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(lines(file.as_ref(), true)?);
    }
    all.extend(asked.iter().map(|asked| match split(asked) {
        (name, None) => with_value(name).unwrap_or_else(|| name.to_owned()),
        _ => asked.clone(),
    }));
    Ok(all)
}
// ANCHOR_END: settled

fn with_value(name: &OsStr) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    Some([name, OsStr::new("="), &value].into_iter().collect())
}

/// The lines of a file of variables or labels. With `inherit` a name alone takes its value from our environment or is
/// left out. Docker's rules and texts: quotes mean nothing, `#` begins a comment at the start of a line only.
pub(super) fn lines(file: &Path, inherit: bool) -> Result<Vec<OsString>> {
    let bytes = fs::read(file).map_err(|error| {
        let text = error.to_string();
        // As Go names it: without the number, and in small letters.
        let reason = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        anyhow::anyhow!("open {}: {reason}", file.display())
    })?;
    lines_of(&bytes, inherit).with_context(|| format!("invalid env file ({})", file.display()))
}

/// The same of what is in it.
pub(crate) fn lines_of(bytes: &[u8], inherit: bool) -> Result<Vec<OsString>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut all = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        all.extend(read_line(line, number + 1, inherit)?);
    }
    Ok(all)
}

fn read_line(line: &[u8], number: usize, inherit: bool) -> Result<Option<OsString>> {
    if line.len() > LONGEST_LINE {
        bail!("line {number} is longer than {LONGEST_LINE} bytes: token too long");
    }
    let Ok(text) = str::from_utf8(line) else {
        let bytes: Vec<_> = line.iter().take(64).map(u8::to_string).collect();
        bail!("invalid utf8 bytes at line {number}: [{}]", bytes.join(" "));
    };
    let text = text.trim_start();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    if name.is_empty() {
        bail!("no variable name on line '{text}'");
    }
    if name.contains(char::is_whitespace) {
        bail!("variable '{name}' contains whitespaces");
    }
    if text.contains('\0') {
        bail!("line {number} has a NUL byte in it");
    }
    Ok(match value {
        None if inherit => with_value(OsStr::new(name)),
        _ => Some(OsString::from_vec(text.as_bytes().to_vec())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<Vec<String>> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), content)?;
        Ok(lines(file.path(), true)?.into_iter().map(|line| line.into_string().unwrap()).collect())
    }

    #[test]
    fn i6_files_are_read_as_docker_reads_them() {
        let content = b"\xef\xbb\xbfA=1\n# not this\n\n  B='2' # kept \nC=\r\nCORACLE_NOT_SET\nPATH\n";
        let path = format!("PATH={}", std::env::var("PATH").unwrap());
        assert_eq!(read(content).unwrap(), ["A=1", "B='2' # kept ", "C=", &path]);
    }

    #[test]
    fn i6_wrong_files_get_dockers_texts() {
        let error = |content: &[u8]| format!("{:#}", read(content).unwrap_err());
        assert!(error(b"=bad\n").ends_with("): no variable name on line '=bad'"));
        assert!(error(b"A B=1\n").ends_with("): variable 'A B' contains whitespaces"));
        assert!(error(b"ok=1\nA=\xff\n").ends_with("): invalid utf8 bytes at line 2: [65 61 255]"));
        assert!(error(&[b'x'; 70_000]).ends_with("token too long"));
        let absent = format!("{:#}", lines(Path::new("/nonexistent"), true).unwrap_err());
        assert_eq!(absent, "open /nonexistent: no such file or directory");
    }
}
