//! The two words of `cp`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// `NAME:PATH`
    Container(String, Words),
    /// A path of the host's.
    Host(Words),
    /// `-`
    Stream,
}

/// A path, and what its end says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Without the slashes and dots at its end.
    pub path: PathBuf,
    /// It ends with a slash, or with `/.`: so it means a directory.
    pub is_directory: bool,
    /// It ends with `/.`: so it means what is in that directory.
    pub is_content: bool,
}

// ANCHOR: end
impl End {
    /// What is before the colon is a container, unless it begins like a path.
    ///
    /// # Errors
    /// Nothing stands behind the colon.
    pub fn of(word: &OsStr) -> Result<Self> {
        let bytes = word.as_bytes();
        let colon = bytes.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0);
        match colon {
            _ if word == "-" => Ok(Self::Stream),
            Some(colon) if !matches!(bytes[0], b'.' | b'/') => {
                let (name, path) = (&bytes[..colon], &bytes[colon + 1..]);
                if path.is_empty() {
                    bail!("bad parameter: path cannot be empty");
                }
                let words = Words::of(path);
                let name = String::from_utf8_lossy(name).into_owned();
                Ok(Self::Container(name, Words { path: cleaned(&words.path), ..words }))
            }
            _ => Ok(Self::Host(Words::of(bytes))),
        }
    }
}
// ANCHOR_END: end

impl Words {
    fn of(text: &[u8]) -> Self {
        let is_content = text == b"." || text.ends_with(b"/.");
        let is_directory = is_content || text.ends_with(b"/");
        let mut path = text;
        while path.len() > 1 {
            match path.strip_suffix(b"/.").or_else(|| path.strip_suffix(b"/")) {
                Some(b"") => path = b"/",
                Some(rest) => path = rest,
                None => break,
            }
        }
        Self { path: OsStr::from_bytes(path).into(), is_directory, is_content }
    }
}

/// As Docker reads a path inside: from the root, and `..` by the text alone.
pub fn cleaned(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for part in path.components() {
        match part {
            std::path::Component::Normal(name) => cleaned.push(name),
            std::path::Component::ParentDir => drop(cleaned.pop()),
            _ => {}
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_docker_reads_them() {
        let container = |text: &str| match End::of(text.as_ref()).unwrap() {
            End::Container(name, words) => (name, words.path, words.is_directory, words.is_content),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(container("c:/a/b"), ("c".into(), "/a/b".into(), false, false));
        assert_eq!(container("c:a/../../b/"), ("c".into(), "/b".into(), true, false));
        assert_eq!(container("c:/a/."), ("c".into(), "/a".into(), true, true));
        assert_eq!(container("c:/"), ("c".into(), "/".into(), true, false));
        assert_eq!(container("c:/.//./"), ("c".into(), "/".into(), true, false));
        assert_eq!(container("c:b:/x"), ("c".into(), "/b:/x".into(), false, false));
        for host in ["./c:x", "/c:x", "x", ":/x", ""] {
            assert!(matches!(End::of(host.as_ref()).unwrap(), End::Host(_)), "{host}");
        }
        assert_eq!(End::of("-".as_ref()).unwrap(), End::Stream);
        assert!(End::of("c:".as_ref()).is_err());
    }
}
