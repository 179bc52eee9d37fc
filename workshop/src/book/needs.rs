//! `console,needs=qemu-system-x86_64+vmlinuz`: what a session needs that a reader's machine may lack.
//!
//! Such a session is run where all of it is there, and listed as *not run* elsewhere.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::blocks::Block;
use crate::workspace;

/// One thing that a session needs.
pub enum Need {
    /// A program in one of the usual folders.
    Program(String),
    /// A Linux kernel image to start in a machine; it is copied to `vmlinuz` in the page's folder.
    Kernel(Option<PathBuf>),
}

/// What the block says that it needs.
pub fn of(block: &Block) -> Vec<Need> {
    let words = block.value("needs").unwrap_or_default().split('+').filter(|word| !word.is_empty());
    words
        .map(|word| if word == "vmlinuz" { Need::Kernel(kernel()) } else { Need::Program(word.to_owned()) })
        .collect()
}

impl Need {
    pub fn is_here(&self) -> bool {
        match self {
            Self::Program(name) => is_program(name),
            Self::Kernel(image) => image.is_some(),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Program(name) => name,
            Self::Kernel(_) => "a kernel image in /boot (or that of tests/kernel/run)",
        }
    }

    pub fn kernel(&self) -> Option<PathBuf> {
        match self {
            Self::Program(_) => None,
            Self::Kernel(image) => image.clone(),
        }
    }
}

/// The folders are those of a session's PATH, behind the steps'.
fn is_program(name: &str) -> bool {
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let unpacked = workspace::root().ok().map(|root| root.join(super::binaries::UNPACKED));
    let folders = folders.iter().map(PathBuf::from).chain(unpacked);
    folders.into_iter().any(|folder| folder.join(name).is_file())
}

/// The kernel that the tests boot, if they have fetched it; else one of this machine that we may read.
fn kernel() -> Option<PathBuf> {
    let fetched = workspace::root().ok().map(|root| root.join("target/kernel/root/boot"));
    fetched.into_iter().chain([PathBuf::from("/boot")]).find_map(|folder| newest(&folder))
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_kernel = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
            && File::open(path).is_ok()
    };
    entries.filter(is_kernel).max_by_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok())
}
