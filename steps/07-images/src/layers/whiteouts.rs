//! Whiteouts: how a layer says that something below is gone.
//!
//! In an archive they are names, in overlayfs they are inodes. A whiteout is about lower layers only: what the same
//! layer brings stays, whether it comes before or after (OCI image specification, layer.md, "Whiteouts").

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{self, FileType, Mode};

use super::metadata::named;
use super::parents::Missing;
use super::place::Placer;
use super::{remove, stack};

/// What the name of an entry means.
#[derive(Debug, PartialEq)]
pub enum Meaning {
    /// Itself.
    Entry,
    /// That this path is deleted.
    Deleted(PathBuf),
    /// That this directory shows nothing of the lower layers.
    Opaque(PathBuf),
    /// Nothing: aufs, from which the names come, left its own bookkeeping in archives.
    Leftover,
}

/// Reads the meaning of a cleaned path.
///
/// # Errors
/// For whiteouts of "", "." and "..", which would be of other things than they say, and for anything inside a whiteout.
pub fn meaning(path: &Path) -> Result<Meaning> {
    if path.iter().any(|name| name.as_bytes().starts_with(b".wh..wh.") && name != ".wh..wh..opq") {
        return Ok(Meaning::Leftover);
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    if parent.iter().any(|name| name.as_bytes().starts_with(b".wh.")) {
        bail!("a whiteout holds nothing");
    }
    let Some(deleted) = path.file_name().and_then(|name| name.as_bytes().strip_prefix(b".wh.")) else {
        return Ok(Meaning::Entry);
    };
    match deleted {
        b".wh..opq" => Ok(Meaning::Opaque(parent.to_path_buf())),
        b"" | b"." | b".." => bail!("a whiteout without a name"),
        _ => Ok(Meaning::Deleted(parent.join(std::ffi::OsStr::from_bytes(deleted)))),
    }
}

impl Placer {
    // ANCHOR: white_out
    /// Hides what lower layers have at `path`.
    pub fn white_out(&mut self, path: &Path) -> Result<()> {
        let above = path.parent().unwrap_or(Path::new(""));
        let Some(parent) = self.resolve(above, Missing::Leave)? else { return Ok(()) };
        let name = path.file_name().unwrap_or_default();
        let path = parent.join(name);
        match self.stack.look(&path)? {
            None => Ok(()),
            Some(seen) if seen.layer == 0 && seen.kind() == FileType::Directory => self.hide_below(&path),
            Some(seen) if seen.layer == 0 => Ok(()),
            Some(_) => {
                let parent = self.parent(above)?;
                fs::mknodat(&parent.inode, name, FileType::CharacterDevice, Mode::empty(), 0)
                    .map_err(named)
                    .context("cannot make the whiteout")
            }
        }
    }
    // ANCHOR_END: white_out

    /// Hides what lower layers have in the directory at `path`.
    pub fn make_opaque(&mut self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() {
            // overlayfs always merges the root directories: everything in them is hidden one by one.
            for name in self.stack.lower_root_names()? {
                self.white_out(&name)?;
            }
            return Ok(());
        }
        let Some(real) = self.resolve(path, Missing::Leave)? else { return Ok(()) };
        self.resolve(path, Missing::Make)?;
        self.hide_below(&real)
    }

    /// Makes a directory of the layer being filled opaque.
    pub fn hide_below(&mut self, path: &Path) -> Result<()> {
        use rustix::fs::OFlags;
        let top = self.stack.top();
        let directory = stack::beneath(top, path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(named)?;
        stack::set_opaque(std::os::fd::AsFd::as_fd(&directory))?;
        remove::remove_whiteouts(top, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l8_names_of_whiteouts_mean_one_thing_or_are_refused() {
        let of = |path: &str| meaning(Path::new(path));
        assert_eq!(of("a/.wh.x").unwrap(), Meaning::Deleted("a/x".into()));
        assert_eq!(of(".wh.proc").unwrap(), Meaning::Deleted("proc".into()));
        assert_eq!(of(".wh..x").unwrap(), Meaning::Deleted(".x".into()));
        assert_eq!(of(".wh....").unwrap(), Meaning::Deleted("...".into()));
        assert_eq!(of("a/.wh..wh..opq").unwrap(), Meaning::Opaque("a".into()));
        assert_eq!(of(".wh..wh..opq").unwrap(), Meaning::Opaque("".into()));
        assert_eq!(of(".wh..wh.plnk/1.2").unwrap(), Meaning::Leftover);
        assert_eq!(of(".wh..wh.aufs").unwrap(), Meaning::Leftover);
        assert_eq!(of("a/.whx").unwrap(), Meaning::Entry);
        for bad in [".wh.", "a/.wh..", ".wh...", ".wh.a/b", "a/.wh.b/.wh.c", ".wh..wh..opq/x"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
