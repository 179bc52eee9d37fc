//! Hard links: a further name for a file that may be a lower layer's.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::{self, AtFlags, FileType, OFlags};

use super::metadata::{Metadata, named};
use super::parents::{Directory, Missing};
use super::paths;
use super::place::Placer;
use super::stack::{Seen, beneath};
use super::walk::{Entry, Kind};

impl Placer {
    /// Makes `name` in `directory` a further name of the file at `target`.
    pub fn hard_link(&mut self, directory: &Directory, name: &Path, target: &Path) -> Result<()> {
        let cannot = || format!("cannot link it to {}", paths::shown(target));
        let above = target.parent().unwrap_or(Path::new(""));
        let last = target.file_name().unwrap_or_default();
        let Some((real, merged)) = self.resolve(above, Missing::Leave).with_context(cannot)? else {
            bail!("cannot link it to {}: there is no such file", paths::shown(target));
        };
        if last.is_empty() {
            bail!("cannot link it to {}: it is a directory", paths::shown(target));
        }
        let Some(seen) = merged.look(last)? else {
            bail!("cannot link it to {}: there is no such file", paths::shown(target));
        };
        if seen.kind() == FileType::Directory {
            bail!("cannot link it to {}: it is a directory", paths::shown(target));
        }
        if real == directory.path && last == name {
            bail!("cannot link it to itself");
        }
        if seen.layer > 0 {
            self.copy_up(&real.join(last), &seen).with_context(cannot)?;
        }
        let parent = self.parent(above)?;
        self.replacing(directory, name, || {
            fs::linkat(&parent.inode, last, &directory.inode, name, AtFlags::empty())
        })
        .with_context(cannot)
    }

    /// Places a file of a lower layer as if it were an entry of this one, since no link crosses directories of layers.
    /// overlayfs does the same when such a file is changed, under the same name.
    fn copy_up(&mut self, path: &Path, seen: &Seen) -> Result<()> {
        let mut content: Box<dyn Read> = Box::new(io::empty());
        let kind = match seen.kind() {
            FileType::RegularFile => {
                let name = Path::new(path.file_name().unwrap_or_default());
                let file = beneath(seen.directory.as_fd(), name, OFlags::RDONLY).map_err(named)?;
                content = Box::new(File::from(file));
                Kind::File
            }
            FileType::Symlink => {
                Kind::Symlink(fs::readlinkat(&seen.inode, "", Vec::new()).map_err(named)?.into_bytes())
            }
            FileType::Fifo => Kind::Fifo,
            kind => Kind::Device(kind, seen.stat.st_rdev),
        };
        let metadata = Metadata::of(seen.inode.as_fd(), &seen.stat)?;
        self.put(&Entry { path: path.to_path_buf(), kind, metadata }, &mut content)
    }
}
