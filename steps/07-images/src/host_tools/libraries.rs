//! The libraries that programs need, and the libraries that these need.
//!
//! The search is that of the dynamic loader (ld.so(8)): the paths that the file itself brings, then those of
//! /etc/ld.so.conf, then the default ones. It goes on until nobody needs anything new.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::elf::{self, Elf};
use super::sources::Stamp;
use super::tree::Tree;

/// The loader's own folders, of distributions with and without `lib64`.
const DEFAULT: [&str; 4] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];

/// What the C library loads by itself to look up users and hosts (nss(5)); newer ones have it built in.
const LOADED_LATER: [&str; 2] = ["libnss_files.so.2", "libnss_dns.so.2"];

// ANCHOR: add
/// Adds all libraries that files of the tree need.
///
/// # Errors
/// Names the first library that is not there.
pub fn add(tree: &mut Tree) -> Result<()> {
    let configured = configured(tree);
    let mut known = BTreeSet::new();
    loop {
        let new: Vec<(PathBuf, Elf)> =
            tree.elves().into_iter().filter(|(path, _)| known.insert(path.clone())).collect();
        if new.is_empty() {
            return Ok(());
        }
        for (path, elf) in new {
            if let Some(loader) = &elf.interpreter
                && !tree.add(loader)
            {
                bail!("{} needs the loader {}, which is not there", path.display(), loader.display());
            }
            for name in &elf.needed {
                if !add_one(tree, &path, &elf, name, &configured) {
                    bail!(
                        "{} needs the library {name}, which is not there\nit was looked for where /etc/ld.so.conf says, and in {}",
                        path.display(),
                        DEFAULT.join(", ")
                    );
                }
            }
            if elf.needed.iter().any(|name| name.starts_with("libc.so")) {
                for name in LOADED_LATER {
                    add_one(tree, &path, &elf, name, &configured);
                }
            }
        }
    }
}
// ANCHOR_END: add

fn add_one(tree: &mut Tree, user: &Path, elf: &Elf, name: &str, configured: &[PathBuf]) -> bool {
    if name.contains('/') {
        return tree.add(Path::new(name));
    }
    let origin = user.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let own = elf
        .paths
        .iter()
        .map(|path| PathBuf::from(path.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin)));
    for folder in own {
        let file = folder.join(name);
        if fits(tree, &file, elf) && tree.add(&file) {
            return true;
        }
    }
    for folder in configured.iter().cloned().chain(DEFAULT.map(PathBuf::from)) {
        let file = folder.join(name);
        if fits(tree, &file, elf) && tree.add(&file) {
            make_findable(tree, &folder, name, configured);
            return true;
        }
    }
    false
}

/// There may be libraries of the same name for other processors.
fn fits(tree: &mut Tree, file: &Path, user: &Elf) -> bool {
    let machine = elf::machine_of(file);
    if machine.is_none() {
        tree.remember(file, Stamp::of(file));
    }
    machine == Some(user.machine)
}

/// The image has no cache of the loader's (ldconfig(8)), and without it only the built-in folders are searched: the
/// default ones, and the one in which the distribution has its C library.
fn make_findable(tree: &mut Tree, folder: &Path, name: &str, configured: &[PathBuf]) {
    let is_built_in = |folder: &Path| {
        DEFAULT.iter().any(|known| folder == Path::new(known))
            || ["libc.so.6", "libc.so"].iter().any(|libc| folder.join(libc).exists())
    };
    let built_in = configured
        .iter()
        .map(PathBuf::as_path)
        .chain(DEFAULT.map(Path::new))
        .find(|folder| is_built_in(folder) && folder.exists());
    if let Some(built_in) = built_in
        && !is_built_in(folder)
        && tree.add(built_in)
    {
        let real = fs::canonicalize(built_in).unwrap_or(built_in.to_path_buf());
        tree.link(&real.join(name), &folder.join(name));
    }
}

/// The folders of /etc/ld.so.conf and of the files that it includes.
fn configured(tree: &mut Tree) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut files = vec![PathBuf::from("/etc/ld.so.conf")];
    let mut read = 0;
    while let Some(file) = files.get(read).cloned() {
        read += 1;
        tree.remember(&file, Stamp::of(&file));
        let text = fs::read_to_string(&file).unwrap_or_default();
        for line in text.lines().map(|line| line.split('#').next().unwrap_or("").trim()) {
            match line.strip_prefix("include") {
                // A file that includes itself ends here.
                Some(pattern) if read < 100 => files.extend(matching(pattern.trim())),
                Some(_) => {}
                None if line.starts_with('/') => folders.push(PathBuf::from(line)),
                None => {}
            }
        }
    }
    folders
}

/// What a pattern like `ld.so.conf.d/*.conf` means; a star stands in the last part alone.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let pattern = Path::new("/etc").join(pattern);
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let Some((start, end)) = name.split_once('*') else { return vec![pattern.clone()] };
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let fits =
        |name: &str| name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end);
    let mut files: Vec<PathBuf> =
        names.filter(|name| name.to_str().is_some_and(fits)).map(|name| folder.join(name)).collect();
    files.sort();
    files
}
