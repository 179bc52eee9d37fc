//! From what was asked for to what is mounted.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use step04_mount::{Entry, What};

use super::csv::quote;
use super::{Mount, MountPoint, Propagation, Source, check_target};
use crate::commands::RunArgs;
use crate::digest::Digest;
use crate::manifest::Image;
use crate::text::printable;
use crate::volumes::Volumes;

// ANCHOR: all
/// All mounts of a container: those that were asked for, and a volume of its own for each place that the image names
/// and nobody asked for. Those further up in the tree come first.
///
/// # Errors
/// One place is asked for twice, or an image wants a volume where none can be.
pub fn all(run: &RunArgs, image: &Image) -> Result<Vec<Mount>> {
    let mut all: Vec<Mount> = Vec::new();
    for mount in run.storage.volumes.iter().chain(&run.storage.mounts).chain(&run.storage.tmpfs) {
        if all.iter().any(|other| other.target == mount.target) {
            bail!("Duplicate mount point: {}", mount.target.display());
        }
        all.push(mount.clone());
    }
    for path in image.settings.volumes.keys() {
        let target = target_of_image(path)?;
        if all.iter().all(|other| other.target != target) {
            let source = Source::Volume { name: None, fill: true, labels: Vec::new() };
            all.push(Mount { source, target, read_only: false, mode: String::new(), asked: path.clone() });
        }
    }
    // One below another must come after it, or it would be covered.
    all.sort_by_key(|mount| mount.target.components().count());
    Ok(all)
}
// ANCHOR_END: all

/// The path is a stranger's: it may not cover what keeps the container apart.
pub(crate) fn target_of_image(path: &str) -> Result<PathBuf> {
    let wrong = || format!("the image asks for a volume at \"{}\"", printable(path));
    if path.contains('\0') || Path::new(path).components().any(|part| part.as_os_str() == "..") {
        bail!("{}: no such place can be", wrong());
    }
    let target = check_target(path, &Path::new("/").join(path)).with_context(wrong)?;
    if ["/proc", "/sys", "/dev"].iter().any(|place| target.starts_with(place)) {
        bail!("{}, which is not for an image to cover", wrong());
    }
    Ok(target)
}

impl Mount {
    /// The name of its volume, if it is one. One that has none is found by whose it is and where.
    pub fn volume_name(&self, id: &str) -> Option<String> {
        match &self.source {
            Source::Volume { name: Some(name), .. } => Some(name.clone()),
            Source::Volume { name: None, .. } => {
                Some(Digest::of(format!("{id} {}", self.target.display())).hex())
            }
            _ => None,
        }
    }

    /// Whether mounts of the host's appear in it later.
    pub fn follows(&self) -> bool {
        matches!(self.source, Source::Bind { propagation: Propagation::Slave, .. })
    }

    /// Whether it is filled from the image, if it is empty.
    pub fn is_filled(&self) -> bool {
        matches!(self.source, Source::Volume { fill: true, .. })
    }

    /// Sees to it that there is something to mount: the volume, and for `-v` the host's directory.
    ///
    /// # Errors
    /// It is not there and cannot or shall not be made.
    pub fn prepare(&self, id: &str, volumes: &Volumes) -> Result<()> {
        match &self.source {
            Source::Tmpfs(_) => Ok(()),
            Source::Volume { name, labels, .. } => {
                let real = self.volume_name(id).unwrap_or_default();
                volumes.ensure(&real, labels, name.is_none())
            }
            Source::Bind { path, create, .. } => match fs::metadata(path) {
                // A folder in its place would be found by the next daemon, which could not begin.
                Err(error) if error.kind() == ErrorKind::NotFound && path.ends_with("docker.sock") => bail!(
                    "cannot mount {}: there is no daemon here, and nobody listens at such a socket",
                    path.display()
                ),
                Err(error) if error.kind() == ErrorKind::NotFound && *create => fs::create_dir_all(path)
                    .with_context(|| format!("error while creating mount source path '{}'", path.display())),
                Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                    "invalid mount config for type \"bind\": bind source path does not exist: {}",
                    path.display()
                ),
                other => other.map(drop).with_context(|| format!("cannot mount {}", path.display())),
            },
        }
    }

    /// As the record has it.
    pub fn point(&self, id: &str, volumes: &Volumes) -> MountPoint {
        let name = self.volume_name(id);
        let (kind, source, propagation) = match &self.source {
            Source::Bind { path, propagation, .. } => (
                "bind",
                path.clone(),
                match propagation {
                    Propagation::Private => "rprivate",
                    Propagation::Slave => "rslave",
                },
            ),
            Source::Volume { .. } => ("volume", volumes.data(name.as_deref().unwrap_or_default()), ""),
            Source::Tmpfs(_) => ("tmpfs", PathBuf::new(), ""),
        };
        MountPoint {
            kind: kind.to_owned(),
            driver: if name.is_some() { "local".to_owned() } else { String::new() },
            name: name.unwrap_or_default(),
            source,
            destination: self.target.clone(),
            mode: self.mode.clone(),
            writable: !self.read_only,
            propagation: propagation.to_owned(),
            anonymous: matches!(self.source, Source::Volume { name: None, .. }),
        }
    }
}

impl MountPoint {
    /// As `--mount` has it.
    pub fn as_option(&self, writable: bool) -> String {
        let source = if self.name.is_empty() { self.source.display().to_string() } else { self.name.clone() };
        let mut fields = vec![
            format!("type={}", self.kind),
            format!("source={source}"),
            format!("target={}", self.destination.display()),
        ];
        if self.kind == "bind" && !self.propagation.is_empty() {
            fields.push(format!("bind-propagation={}", self.propagation));
        }
        if !writable {
            fields.push("readonly".to_owned());
        }
        fields.iter().map(|field| quote(field)).collect::<Vec<_>>().join(",")
    }
}

/// The mounts as step 04 makes them.
///
/// # Errors
/// Something of the host's is not there any more.
pub fn entries(mounts: &[Mount], id: &str, volumes: &Volumes) -> Result<Vec<Entry>> {
    let entry = |mount: &Mount| -> Result<Entry> {
        let real = |path: &Path| {
            path.canonicalize().with_context(|| format!("cannot mount the volume {}", path.display()))
        };
        let what = match &mount.source {
            Source::Tmpfs(tmpfs) => What::Tmpfs(tmpfs.clone()),
            Source::Bind { path, propagation: Propagation::Private, .. } => What::Bind(real(path)?),
            Source::Bind { path, propagation: Propagation::Slave, .. } => What::Following(real(path)?),
            Source::Volume { .. } => What::Bind(volumes.data(&mount.volume_name(id).unwrap_or_default())),
        };
        Ok(Entry { what, target: mount.target.clone(), read_only: mount.read_only })
    };
    mounts.iter().map(entry).collect()
}
