//! The image's tree while it is collected: which of the machine's files are in it, under which names.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::elf::{self, Elf};
use super::sources::Stamp;

/// Names, each with what is there. All paths are absolute, as on the machine.
#[derive(Debug, Default)]
pub struct Tree {
    pub nodes: BTreeMap<PathBuf, Node>,
    /// What was looked at on the way, whether it was there or not: if none of it changes, the image stays the same.
    pub sources: BTreeMap<PathBuf, Stamp>,
}

/// One thing of the tree.
#[derive(Debug)]
pub enum Node {
    /// With its mode.
    Folder(u32),
    /// With its target.
    Link(PathBuf),
    /// With its content, and whether it is a program.
    File { content: Vec<u8>, executable: bool },
}

impl Tree {
    /// Whether something is there under this very name.
    pub fn has(&self, path: &Path) -> bool {
        self.nodes.contains_key(path)
    }

    // ANCHOR: add
    /// Adds a file or folder of the machine with all that leads to it: each link on its way, and where that points to.
    /// False if there is none that we may read; what led there is left in the tree.
    pub fn add(&mut self, path: &Path) -> bool {
        let mut ahead: VecDeque<OsString> = parts(path);
        let mut here = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                here.pop();
                continue;
            }
            let next = here.join(name);
            if !self.has(&next) {
                self.look(&next);
            }
            match self.nodes.get(&next) {
                Some(Node::Link(_)) if links == 40 => return false,
                Some(Node::Link(target)) => {
                    links += 1;
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    let behind = std::mem::replace(&mut ahead, parts(target));
                    ahead.extend(behind);
                }
                Some(Node::Folder(_)) => here = next,
                Some(Node::File { .. }) => return ahead.is_empty(),
                None => return false,
            }
        }
        true
    }
    // ANCHOR_END: add

    /// Adds what the machine has at a path whose parents are folders.
    fn look(&mut self, path: &Path) {
        let stamp = Stamp::of(path);
        let node = match (fs::read_link(path), fs::metadata(path)) {
            (Ok(target), _) => Node::Link(target),
            (Err(_), Ok(status)) if status.is_dir() => {
                // A folder changes with whatever is put into it: only what we take from it counts.
                self.nodes.insert(path.to_path_buf(), Node::Folder(0o755));
                return;
            }
            (Err(_), Ok(status)) if status.is_file() => match fs::read(path) {
                Ok(content) => Node::File { content, executable: status.permissions().mode() & 0o111 != 0 },
                Err(_) => return self.remember(path, stamp),
            },
            _ => return self.remember(path, stamp),
        };
        self.remember(path, stamp);
        self.nodes.insert(path.to_path_buf(), node);
    }

    /// Notes how a file was, or that there was none.
    pub fn remember(&mut self, path: &Path, stamp: Stamp) {
        self.sources.insert(path.to_path_buf(), stamp);
    }

    /// Adds a program, if it can be read and what runs it is known: the kernel, or a shell.
    pub fn add_program(&mut self, path: &Path) -> bool {
        let runs_on_its_own = match fs::read(path) {
            Ok(content) if elf::is_elf(&content) => true,
            Ok(content) => [&b"#!/bin/sh"[..], b"#! /bin/sh"].iter().any(|start| content.starts_with(start)),
            Err(_) => {
                self.remember(path, Stamp::of(path));
                false
            }
        };
        runs_on_its_own && self.add(path)
    }

    /// All files that are in the executable and linkable format, under their real names.
    pub fn elves(&self) -> Vec<(PathBuf, Elf)> {
        let elf = |(path, node): (&PathBuf, &Node)| match node {
            Node::File { content, .. } => elf::read(content).map(|elf| (path.clone(), elf)),
            _ => None,
        };
        self.nodes.iter().filter_map(elf).collect()
    }

    /// Adds a link of our own.
    pub fn link(&mut self, path: &Path, target: &Path) {
        self.nodes.insert(path.to_path_buf(), Node::Link(target.to_path_buf()));
    }

    /// Adds a folder of our own, whatever the machine has there.
    pub fn folder(&mut self, path: &str, mode: u32) {
        let path = PathBuf::from(path);
        for above in path.ancestors().skip(1) {
            if above.parent().is_some() {
                self.nodes.entry(above.to_path_buf()).or_insert(Node::Folder(0o755));
            }
        }
        self.nodes.insert(path, Node::Folder(mode));
    }

    /// Adds a file of our own.
    pub fn text(&mut self, path: &str, text: &str) {
        self.nodes.insert(path.into(), Node::File { content: text.into(), executable: false });
    }
}

/// The names of a path, without those that lead nowhere else.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.iter().filter(|name| *name != "/" && *name != ".").map(OsStr::to_os_string).collect()
}
