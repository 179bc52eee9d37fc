//! `pull`: an image from a registry, or from this machine itself.

use std::ffi::OsString;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::Place;
use super::options::When;
use crate::manifest::{Image, Platform};
use crate::names::{Reference, Version};
use crate::pull::{PullOptions, pull, unpack_image};
use crate::records::Record;
use crate::registry::{self, Registry};
use crate::store::Store;
use crate::text::{answer, tell};
use crate::{full_disk, host_tools, task};

const TRUST: &str = "--disable-content-trust=false is not part of Coracle\nan image is trusted by its digest: pull NAME@sha256:…";

/// Get an image from a registry.
#[derive(Debug, Args)]
pub struct Pull {
    #[command(flatten)]
    registry: PullArgs,
    /// Get all tags of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// As with Docker nobody is asked whether one can trust the image
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set, hide = true)]
    disable_content_trust: bool,
    /// The image: [REGISTRY/]NAME[:TAG] or [REGISTRY/]NAME@DIGEST
    image: String,
}

/// How to ask a registry.
#[derive(Debug, Clone, Default, Args)]
pub struct PullArgs {
    /// For whom the image is: OS/ARCHITECTURE[/VARIANT]
    #[arg(long)]
    pub platform: Option<Platform>,
    /// Print only the image's name
    #[arg(short, long)]
    pub quiet: bool,
    /// Whether to insist on https and on certificates that are in order
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub tls_verify: bool,
    /// Say whom a password is sent to
    #[arg(long)]
    pub verbose: bool,
}

impl Pull {
    pub(super) fn execute(&self, place: &Place) -> Result<u8> {
        ensure!(self.disable_content_trust, "{TRUST}");
        refuse_trust(&self.image)?;
        let store = place.store()?;
        let reference: Reference = self.image.parse()?;
        // What stands behind the last slash may have a tag or a digest; before it, only a port.
        let is_exact = self.image.rsplit('/').next().is_some_and(|name| name.contains([':', '@']));
        if self.all_tags {
            ensure!(!is_exact, "tag can't be used with --all-tags/-a");
            self.fetch_all(store, reference.clone())?;
            answer(format_args!("{}/{}\n", reference.registry, reference.repository))?;
            return Ok(0);
        }
        if !is_exact && !self.registry.quiet {
            answer("Using default tag: latest\n")?;
        }
        fetch(&store, &reference, &self.registry, true)?;
        answer(format_args!("{reference}\n"))?;
        Ok(0)
    }

    fn fetch_all(&self, store: Store, reference: Reference) -> Result<()> {
        let options = self.registry.options(true)?;
        task::in_child(move || {
            for tag in Registry::connect(&reference, &options.registry)?.tags()? {
                let one = Reference { version: Version::Tag(tag), ..reference.clone() };
                pull(&store, &one, &options)?;
            }
            Ok(())
        })
    }
}

impl PullArgs {
    /// The one that was asked for, or else the one that Docker's variable names.
    fn platform(&self) -> Result<Option<Platform>> {
        let variable = std::env::var("DOCKER_DEFAULT_PLATFORM").ok().filter(|text| !text.is_empty());
        match (&self.platform, variable) {
            (None, Some(text)) => Ok(Some(text.parse().context("DOCKER_DEFAULT_PLATFORM")?)),
            (asked, _) => Ok(asked.clone()),
        }
    }

    fn options(&self, to_stdout: bool) -> Result<PullOptions> {
        Ok(PullOptions {
            platform: self.platform()?,
            quiet: self.quiet,
            to_stdout,
            registry: registry::Options {
                tls_verify: self.tls_verify,
                verbose: self.verbose,
                ..registry::Options::default()
            },
        })
    }
}

/// Whoever wants signatures to be checked must not believe that they are. A digest needs none.
fn refuse_trust(name: &str) -> Result<()> {
    let wanted = std::env::var_os("DOCKER_CONTENT_TRUST").filter(|value| !value.is_empty());
    // As Docker reads it: what is no word for no is a yes.
    let is_no = |value: &OsString| ["0", "f", "F", "false", "FALSE", "False"].iter().any(|no| value == no);
    match wanted.filter(|value| !is_no(value)) {
        Some(_) if !name.contains('@') => bail!(
            "DOCKER_CONTENT_TRUST is set, and nobody here checks signatures\n\
             name the image by its digest, NAME@sha256:…, or unset DOCKER_CONTENT_TRUST"
        ),
        _ => Ok(()),
    }
}

// ANCHOR: get
/// The image called `name`, unpacked: the one that is here, or else pulled.
pub(super) fn get(store: &Store, name: &str, when: When, args: &PullArgs) -> Result<Image> {
    let found = if when == When::Always { None } else { find(store, name)? };
    refuse_trust(name)?;
    let platform = args.platform()?;
    let fits = |image: &Image| platform.as_ref().is_none_or(|wanted| image.platform.fits(wanted).is_some());
    if let Some(image) = found.filter(fits) {
        return unpacked(store, image);
    }
    let reference: Reference = name.parse()?;
    if host_tools::is_it(&reference) {
        let image = make_host_tools(store)?;
        ensure!(fits(&image), "no matching manifest: this machine's own tools are for {}", image.platform);
        return Ok(image);
    }
    if when == When::Never {
        bail!("No such image: {}", reference.familiar());
    }
    if when == When::Missing && !args.quiet {
        tell(format_args!("Unable to find image '{}' locally", reference.familiar()));
    }
    fetch(store, &reference, args, false)?;
    find(store, name)?.with_context(|| format!("cannot find the image {name} that was just pulled"))
}
// ANCHOR_END: get

/// The image that is here. `host-tools` is here only as long as it is like the machine, and unpacked: what can be made
/// again is not unpacked from a blob that may be damaged.
fn find(store: &Store, name: &str) -> Result<Option<Image>> {
    match name.parse::<Reference>() {
        Ok(reference) if host_tools::is_it(&reference) => {
            Ok(host_tools::current(store)?.filter(|image| store.is_unpacked(image)))
        }
        _ => store.find(name),
    }
}

fn unpacked(store: &Store, image: Image) -> Result<Image> {
    if !store.is_unpacked(&image) {
        let (store, again) = (store.clone(), image.clone());
        task::in_child(move || {
            let (unpacking, writer) = store.pulling(&again.digest)?;
            drop(writer);
            // Somebody may have removed it while we waited.
            let id = again.config_digest.to_string();
            ensure!(store.find(&id)?.is_some(), "No such image: {id}");
            let omissions = unpack_image(&store, &again);
            unpacking.done();
            warn(omissions.map_err(|error| full_disk::told(error, store.root()))?)
        })?;
    }
    Ok(image)
}

/// Unpacks the layers of a container once more, where they may have been on their way to the disk when the machine
/// went down. Nobody stands on such a tree: whoever starts a container comes by here.
pub(super) fn renew_layers(place: &Place, record: &Record) -> Result<()> {
    let store = place.store()?;
    if record.layers.iter().all(|chain_id| store.has_tree(chain_id)) {
        return Ok(());
    }
    match store.find(&record.image_id.to_string())? {
        Some(image) => unpacked(&store, image).map(drop),
        // Whatever is missing will be said by whoever misses it.
        None => Ok(()),
    }
}

fn make_host_tools(store: &Store) -> Result<Image> {
    let child = store.clone();
    task::in_child(move || {
        host_tools::ensure(&child).map(drop).map_err(|error| full_disk::told(error, child.root()))
    })?;
    host_tools::current(store)?.context("cannot find the image host-tools that was just made")
}

/// `to_stdout`: what is said is what was asked for, and not said beside it.
fn fetch(store: &Store, reference: &Reference, args: &PullArgs, to_stdout: bool) -> Result<()> {
    if host_tools::is_it(reference) {
        return make_host_tools(store).map(drop);
    }
    let options = args.options(to_stdout)?;
    let (store, reference) = (store.clone(), reference.clone());
    task::in_child(move || pull(&store, &reference, &options).map(drop))
}

fn warn(sentences: Vec<String>) -> Result<()> {
    for sentence in sentences {
        tell(format_args!("warning: {sentence}"));
    }
    Ok(())
}
