//! The two words of `cp`.

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
    pub fn of(word: &str) -> Result<Self> {
        match word.split_once(':') {
            _ if word == "-" => Ok(Self::Stream),
            _ if word.starts_with(['.', '/']) => Ok(Self::Host(Words::of(word))),
            Some((_, "")) => bail!("bad parameter: path cannot be empty"),
            Some((name, path)) if !name.is_empty() => {
                let words = Words::of(path);
                Ok(Self::Container(name.to_owned(), Words { path: cleaned(&words.path), ..words }))
            }
            _ => Ok(Self::Host(Words::of(word))),
        }
    }
}
// ANCHOR_END: end

impl Words {
    fn of(text: &str) -> Self {
        let is_content = text == "." || text.ends_with("/.");
        let is_directory = is_content || text.ends_with('/');
        let mut path = text;
        while path.len() > 1 {
            match path.strip_suffix("/.").or_else(|| path.strip_suffix('/')) {
                Some("") => path = "/",
                Some(rest) => path = rest,
                None => break,
            }
        }
        Self { path: path.into(), is_directory, is_content }
    }
}

/// As Docker reads a path inside: from the root, and `..` by the text alone.
fn cleaned(path: &Path) -> PathBuf {
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
        let container = |text: &str| match End::of(text).unwrap() {
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
            assert!(matches!(End::of(host).unwrap(), End::Host(_)), "{host}");
        }
        assert_eq!(End::of("-").unwrap(), End::Stream);
        assert!(End::of("c:").is_err());
    }
}
