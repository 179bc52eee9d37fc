//! A tree as text: one line for each entry, with all that must be right about it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use step07_images::digest::Digest;

/// Path → type, mode, owner, size, time, target, extended attributes, content.
pub type Tree = BTreeMap<String, String>;

/// Everything below `root`; the root itself is `.`.
pub fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut ahead = vec![root.to_path_buf()];
    while let Some(path) = ahead.pop() {
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
        tree.insert(if name.is_empty() { ".".into() } else { name }, describe(&path));
        if path.symlink_metadata().unwrap().is_dir() {
            ahead.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    tree
}

/// The paths alone.
pub fn names(root: &Path) -> Vec<String> {
    tree(root).into_keys().filter(|name| name != ".").collect()
}

pub fn describe(path: &Path) -> String {
    let Ok(status) = path.symlink_metadata() else { return "a name without an inode".into() };
    let kind = status.file_type();
    let (letter, more) = if kind.is_dir() {
        ('d', String::new())
    } else if kind.is_file() {
        ('-', format!(" {} {}", status.size(), &Digest::of(fs::read(path).unwrap()).hex()[..16]))
    } else if kind.is_symlink() {
        ('l', format!(" -> {}", fs::read_link(path).unwrap().as_os_str().as_bytes().escape_ascii()))
    } else if kind.is_fifo() {
        ('p', String::new())
    } else {
        let letter = if kind.is_char_device() { 'c' } else { 'b' };
        (letter, format!(" {}:{}", rustix::fs::major(status.rdev()), rustix::fs::minor(status.rdev())))
    };
    let mode = status.mode() & 0o7777;
    let time = format!("{}.{:09}", status.mtime(), status.mtime_nsec());
    format!("{letter}{mode:04o} {}:{} {time}{more}{}", status.uid(), status.gid(), xattrs(path))
}

fn xattrs(path: &Path) -> String {
    let mut list = vec![0; 64 << 10];
    let length = rustix::fs::llistxattr(path, &mut list).unwrap_or(0);
    let mut text = String::new();
    let mut names: Vec<&[u8]> =
        list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    for name in names {
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
        text += &format!(" {}={}", name.escape_ascii(), value[..length].escape_ascii());
    }
    text
}
