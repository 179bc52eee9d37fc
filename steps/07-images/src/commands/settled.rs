//! What the words of `run` mean at this moment, written down: whoever starts the container again, tomorrow and from
//! another directory, shall get the same.

use std::ffi::OsString;

use anyhow::{Result, bail};

use super::network_options::Connection;
use super::options::RunArgs;
use super::sharing_options::Sharing;
use crate::container::{Mount, MountPoint, settle_mount, settle_volume, settled_labels, settled_variables};
use crate::preferences::Preferences;
use crate::records::Containers;

// ANCHOR: settled
impl RunArgs {
    /// What depends on this moment, as it is now: for [`Asking::words`](super::Asking::words).
    ///
    /// # Errors
    /// A file of variables or another container is not there; an option is not there yet.
    pub fn settled(&self, containers: &Containers) -> Result<Vec<(&'static str, Vec<OsString>)>> {
        self.later.refuse()?;
        let storage = &self.storage;
        let volumes = storage.volumes.iter().map(|mount| settle_volume(&mount.asked));
        let mut mounts: Vec<_> =
            storage.mounts.iter().map(|mount| settle_mount(&mount.asked)).collect::<Result<_>>()?;
        mounts.extend(self.mounts_of_others(containers)?);
        let network = match &self.network.network {
            Some(Connection::Container(other)) => vec![format!("container:{}", containers.find(other)?.id)],
            _ => Vec::new(),
        };
        let mut variables = settled_variables(&self.env_file, &self.env)?;
        variables.extend(Preferences::read().proxies(&variables));
        let mut settled = vec![
            ("env", variables),
            ("env_file", Vec::new()),
            ("label", settled_labels(&self.label_file, &self.label)?),
            ("label_file", Vec::new()),
            ("volumes", words(volumes.collect::<Result<_>>()?)),
            ("mounts", words(mounts)),
            ("volumes_from", Vec::new()),
        ];
        if !network.is_empty() {
            settled.push(("network", words(network)));
        }
        for (name, sharing) in [("pid", &self.sharing.pid), ("ipc", &self.sharing.ipc)] {
            if let Some(Sharing::Container(other)) = sharing {
                settled.push((name, words(vec![format!("container:{}", containers.find(other)?.id)])));
            }
        }
        Ok(settled)
    }
}
// ANCHOR_END: settled

impl RunArgs {
    /// `--volumes-from`: what others have mounted, unless something else was asked for at that place.
    fn mounts_of_others(&self, containers: &Containers) -> Result<Vec<String>> {
        let storage = &self.storage;
        let ours = |mount: &MountPoint| {
            let mut all = storage.volumes.iter().chain(&storage.mounts).chain(&storage.tmpfs);
            all.any(|own: &Mount| own.target == mount.destination)
        };
        let mut all: Vec<(MountPoint, bool)> = Vec::new();
        for text in &storage.volumes_from {
            let (name, mode) = text.split_once(':').unwrap_or((text, "rw"));
            if name.is_empty() || !mode.split(',').all(|word| ["ro", "rw", "z", "Z"].contains(&word)) {
                bail!("invalid volumes-from specification: {text}");
            }
            for mount in containers.find(name)?.mounts {
                if mount.kind != "tmpfs" && !ours(&mount) {
                    all.retain(|(other, _)| other.destination != mount.destination);
                    let writable = mount.writable && !mode.split(',').any(|word| word == "ro");
                    all.push((mount, writable));
                }
            }
        }
        Ok(all.into_iter().map(|(mount, writable)| mount.as_option(writable)).collect())
    }
}

fn words(all: Vec<String>) -> Vec<OsString> {
    all.into_iter().map(OsString::from).collect()
}
