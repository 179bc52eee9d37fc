//! `save`: images, as one archive.

use std::fs::{self, File};
use std::io::{BufWriter, IsTerminal, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::Place;
use super::images::none_such;
use super::platform::ForPlatform;
use crate::archive::{Opened, Wanted, open, save};
use crate::names::{Reference, Version};
use crate::store::{Named, Store};
use crate::waiting::Waiting;

/// Write images into one archive.
#[derive(Debug, Clone, Args)]
pub struct Save {
    /// The file to write; without it the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    platform: ForPlatform,
    /// Names or ids; a name without a tag means all of its tags
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Save {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        if self.output.is_none() && std::io::stdout().is_terminal() {
            bail!("cowardly refusing to save to a terminal. Use the -o flag or redirect");
        }
        let store = place.store()?;
        // Nobody removes them until they are open. Whoever reads the archive may take his time.
        let reading = store.reading()?;
        let mut wanted: Vec<Wanted> = Vec::new();
        for text in &self.images {
            for (named, names) in found(&store, text)? {
                self.platform.check(&named.image, text)?;
                match wanted.iter_mut().find(|other| other.image.digest == named.image.digest) {
                    Some(other) => names.into_iter().for_each(|name| {
                        if !other.names.contains(&name) {
                            other.names.push(name);
                        }
                    }),
                    None => wanted.push(Wanted { image: named.image, names }),
                }
            }
        }
        let opened = open(&store, &wanted)?;
        drop(reading);
        match &self.output {
            None => write(&opened, Waiting::copy(std::io::stdout())?)?,
            Some(path) => write_file(&opened, path)?,
        }
        Ok(0)
    }
}

/// The images that a word means, and under which names they are saved: the one that was said. An id has none.
fn found(store: &Store, text: &str) -> Result<Vec<(Named, Vec<Reference>)>> {
    let reference = text.parse::<Reference>().ok();
    let tagged = |named: &Named| {
        let name: Reference = named.name.as_deref()?.parse().ok()?;
        matches!(name.version, Version::Tag(_)).then_some(name)
    };
    if let Some(said) = reference.filter(|said| !said.familiar().eq(text) && said.familiar_name() == text) {
        let all = store.images()?.into_iter().filter_map(|named| Some((tagged(&named)?, named)));
        let all = all.filter(|(name, _)| name.familiar_name() == said.familiar_name());
        let all: Vec<_> = all.map(|(name, named)| (named, vec![name])).collect();
        if !all.is_empty() {
            return Ok(all);
        }
    }
    let named = store.find_all_names(text)?.into_iter().next().with_context(|| none_such(text))?;
    let is_said = |name: &Reference| text.parse::<Reference>().is_ok_and(|said| said == *name);
    let names = tagged(&named).filter(is_said).into_iter().collect();
    Ok(vec![(named, names)])
}

// ANCHOR: file
/// A file appears whole or not at all. What is no file, such as a pipe, is written into.
fn write_file(opened: &Opened<'_>, path: &Path) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let output = File::options().write(true).open(path).with_context(cannot)?;
        return write(opened, Waiting::copy(&output).with_context(cannot)?);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(folder).with_context(cannot)?;
    // Without a name it is gone if we are killed. Not every file system has such files (`man 2 open`, O_TMPFILE).
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let Ok(file) = openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR).map(File::from) else {
        let file = NamedTempFile::new_in(folder).with_context(cannot)?;
        write(opened, file.as_file()).with_context(cannot)?;
        return file.persist(path).map(drop).with_context(cannot);
    };
    write(opened, &file).with_context(cannot)?;
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    let call = |name: &Path| linkat(CWD, &nameless, CWD, name, AtFlags::SYMLINK_FOLLOW);
    match call(path) {
        // Another one is replaced by one with a name only.
        Err(Errno::EXIST) => {
            let named =
                tempfile::Builder::new().make_in(folder, |name| Ok(call(name)?)).with_context(cannot)?;
            named.persist(path).map(drop).with_context(cannot)
        }
        called => called.with_context(cannot),
    }
}
// ANCHOR_END: file

fn write(opened: &Opened<'_>, output: impl Write) -> Result<()> {
    let mut output = BufWriter::with_capacity(128 << 10, output);
    save(opened, &mut output)?;
    output.flush().context("cannot write the archive")
}
