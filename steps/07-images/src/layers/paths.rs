//! Names in archives: bytes that nobody has checked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Linux' limits for a name and for a path with its closing NUL (`limits.h`).
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4096;

/// A name as the path that it means below the tree's root: `/x`, `./x` and `a/../../x` are all `x`. What means the root
/// itself is the empty path.
///
/// Only the text is looked at, as all engines do it. Links that stand in the tree are another matter: see `parents`.
pub fn clean(name: &[u8]) -> Result<PathBuf> {
    let mut path: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(path.pop()),
            _ => path.push(part),
        }
    }
    let path = PathBuf::from(OsStr::from_bytes(&path.join(&b'/')));
    if path.as_os_str().as_bytes().contains(&0) {
        bail!("bad name {}: it contains a NUL byte", shown(&path));
    }
    if path.as_os_str().len() >= PATH_MAX || path.iter().any(|part| part.len() > NAME_MAX) {
        bail!("bad name {}: it is too long for Linux", shown(&path));
    }
    Ok(path)
}

/// A path for a message: whatever bytes it has, they do nothing to a terminal, and it does not fill the screen.
pub fn shown(path: &Path) -> String {
    const AT_MOST: usize = 120;
    let bytes = path.as_os_str().as_bytes();
    let text = match str::from_utf8(bytes) {
        Ok("") => "/".into(),
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => bytes.escape_ascii().to_string(),
    };
    if text.chars().count() <= AT_MOST {
        return text;
    }
    text.chars().take(AT_MOST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_no_name_leads_out_of_the_tree() {
        for (name, path) in [
            ("../../x", "x"),
            ("/x", "x"),
            ("a/../../x", "x"),
            ("./x", "x"),
            ("", ""),
            (".", ""),
            ("/", ""),
            ("./", ""),
            ("a//b/./c/", "a/b/c"),
            ("..", ""),
            ("a/..", ""),
            ("/../../", ""),
            (".../x", ".../x"),
        ] {
            assert_eq!(clean(name.as_bytes()).unwrap(), Path::new(path), "{name:?}");
        }
    }

    #[test]
    fn l15_long_names_are_refused_and_cut_in_the_message() {
        for name in ["n".repeat(256), "d/".repeat(2050)] {
            let error = clean(name.as_bytes()).unwrap_err().to_string();
            assert!(error.len() < 200 && error.ends_with("it is too long for Linux"), "{error}");
        }
    }

    #[test]
    fn l24_bytes_are_kept_and_escaped_in_messages() {
        assert_eq!(clean(b"caf\xe9").unwrap().as_os_str().as_bytes(), b"caf\xe9");
        assert_eq!(shown(&clean(b"caf\xe9").unwrap()), r"caf\xe9");
        assert_eq!(shown(&clean("a\n\u{1b}[2J:,ü".as_bytes()).unwrap()), r"a\n\u{1b}[2J:,ü");
        assert!(clean(b"a\0b").unwrap_err().to_string().contains(r"a\0b"));
    }
}
