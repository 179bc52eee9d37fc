//! Whiteouts: how a layer says that something below is gone.
//!
//! In an archive they are names, in overlayfs they are inodes. A whiteout is about lower layers only: what the same
//! layer brings stays, whether it comes before or after (OCI image specification, layer.md, "Whiteouts").

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{self, FileType, Mode, OFlags};

use super::metadata::named;
use super::parents::Missing;
use super::place::Placer;
use super::remove;
use super::stack::{self, beneath};

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
        _ => Ok(Meaning::Deleted(parent.join(OsStr::from_bytes(deleted)))),
    }
}

impl Placer {
    // ANCHOR: white_out
    /// Hides what lower layers have at `path`.
    pub fn white_out(&mut self, path: &Path) -> Result<()> {
        let above = path.parent().unwrap_or(Path::new(""));
        let Some((parent, merged)) = self.resolve(above, Missing::Leave)? else { return Ok(()) };
        let name = path.file_name().unwrap_or_default();
        match merged.look(name)? {
            None => Ok(()),
            Some(seen) if seen.layer == 0 && seen.kind() == FileType::Directory => {
                self.hide_below(&parent.join(name))
            }
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
            for name in self.root.names_below()? {
                self.white_out(Path::new(&name))?;
            }
            return Ok(());
        }
        if self.resolve(path, Missing::Leave)?.is_none() {
            return Ok(());
        }
        let directory = self.parent(path)?;
        self.hide_below(&directory.path)
    }

    /// Makes a directory of the layer being filled opaque.
    pub fn hide_below(&mut self, path: &Path) -> Result<()> {
        let top = self.top();
        let directory = beneath(top.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(named)?;
        stack::set_opaque(directory.as_fd())?;
        remove::remove_whiteouts(top.as_fd(), path)
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
