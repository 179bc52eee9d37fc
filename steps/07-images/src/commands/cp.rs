//! `cp`: files between a container and the host.

use std::ffi::OsString;
use std::io::{BufReader, BufWriter, ErrorKind, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use anyhow::{Error, Result, bail};
use clap::Args;
use nix::errno::Errno;

use super::Place;
use crate::copy::{
    Copier, End, Owner, Source, Target, Tree, Words, existing_directory, pack, source, target, unpack,
    with_files,
};
use crate::human::size;
use crate::text::{printable, tell};
use crate::waiting::Waiting;

/// Copy files between a container and this machine.
#[derive(Debug, Clone, Args)]
pub struct Cp {
    /// Keep user and group, by their numbers
    #[arg(short, long)]
    archive: bool,
    /// Follow a link that is the source itself
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Do not tell how much was copied
    #[arg(short, long)]
    quiet: bool,
    /// CONTAINER:PATH, a path of this machine, or - for an archive from the standard input
    source: OsString,
    /// The same; - is for an archive to the standard output
    destination: OsString,
}

impl Cp {
    // ANCHOR: cp
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        if self.source.is_empty() || self.destination.is_empty() {
            let which = if self.source.is_empty() { "source" } else { "destination" };
            bail!("{which} can not be empty");
        }
        let (from, to) = (End::of(&self.source)?, End::of(&self.destination)?);
        let containers = place.containers()?;
        let (name, this) = match (&from, &to) {
            (End::Container(..), End::Container(..)) => bail!("copying between containers is not supported"),
            (End::Container(name, _), _) | (_, End::Container(name, _)) => (name, self.clone()),
            _ => bail!("must specify at least one container source"),
        };
        let record = containers.find(name)?;
        let host = Tree::host()?;
        let directory = containers.directory_of(&record);
        let own = [directory.join("upper"), directory].into_iter().filter_map(|place| {
            let found = place.metadata().ok()?;
            Some((found.dev(), found.ino()))
        });
        let own: Vec<_> = own.collect();
        with_files(&containers, record, move |inside| match (&from, &to) {
            (End::Container(_, from), End::Host(to)) => this.copy((inside, from), (&host, to), &own),
            (End::Container(_, from), _) => this.pack(inside, from),
            (End::Host(from), End::Container(_, to)) => this.copy((&host, from), (inside, to), &own),
            (_, End::Container(_, to)) => this.unpack(inside, to),
            _ => bail!("must specify at least one container source"),
        })?;
        Ok(0)
    }

    fn copy(
        &self,
        (from_tree, from): (&Tree, &Words),
        (to_tree, to): (&Tree, &Words),
        own: &[(u64, u64)],
    ) -> Result<()> {
        let source: Source = source(from_tree, from, self.follow_link)?;
        let target: Target = target(to_tree, to, &source)?;
        let owner = match (self.archive, to_tree.is_host()) {
            (true, _) => Owner::Source,
            (false, true) => Owner::Us,
            (false, false) => Owner::Root,
        };
        let mut copier = Copier::new(owner, own.to_vec());
        let directory = match &target {
            Target::Name(parent, _) => parent,
            Target::Directory(directory) => directory,
        };
        copier.copy(&source, &target).map_err(|error| explain(error, to_tree, directory.as_fd()))?;
        copier.left_out().for_each(tell);
        if !self.quiet && std::io::stderr().is_terminal() {
            let to = printable(&self.destination.to_string_lossy());
            tell(format_args!("Successfully copied {} to {to}", size(copier.bytes)));
        }
        Ok(())
    }
    // ANCHOR_END: cp

    fn pack(&self, inside: &Tree, from: &Words) -> Result<()> {
        let source = source(inside, from, self.follow_link)?;
        let output = Waiting::copy(std::io::stdout())?;
        match pack(&source, BufWriter::with_capacity(64 << 10, output)) {
            // That nobody reads it to the end is no error.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            other => other,
        }
    }

    fn unpack(&self, inside: &Tree, to: &Words) -> Result<()> {
        let Some(into) = existing_directory(inside, to)? else {
            bail!("destination \"{}\" must be a directory", printable(&self.destination.to_string_lossy()));
        };
        let left_out = unpack(&mut BufReader::new(Waiting::copy(std::io::stdin())?), &into)
            .map_err(|error| explain(error, inside, into.as_fd()))?;
        left_out.iter().for_each(tell);
        Ok(())
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
    };
    error.chain().any(|cause| kind(cause) == Some(ErrorKind::BrokenPipe))
}

/// Docker's words for what the kernel calls EROFS.
fn explain(error: Error, tree: &Tree, directory: std::os::fd::BorrowedFd<'_>) -> Error {
    let is_read_only = error.chain().any(|cause| cause.downcast_ref::<Errno>() == Some(&Errno::EROFS));
    match is_read_only && !tree.is_host() {
        true if tree.is_on_the_root(directory) => Error::msg("container rootfs is marked read-only"),
        true => Error::msg("mounted volume is marked read-only"),
        false => error,
    }
}
