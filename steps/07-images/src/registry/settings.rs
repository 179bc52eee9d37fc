//! What the owner of the machine has decided about registries, in Docker's own file and words:
//!
//! ```json
//! { "registry-mirrors": ["https://mirror.example"], "insecure-registries": ["registry.example:5000", "10.0.0.0/8"] }
//! ```
//! `~/.config/docker/daemon.json` if it is there, as for rootless Docker, else `/etc/docker/daemon.json`. Everything else
//! in it is the daemon's affair (docs.docker.com, "dockerd", daemon configuration file).

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::http::parse;
use super::proxy::in_range;
use crate::text::printable;

/// The part of the file that is about registries.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Settings {
    registry_mirrors: Vec<String>,
    insecure_registries: Vec<String>,
}

/// The files, of which the first that is there counts.
pub(super) fn default_files() -> Vec<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    own.into_iter().chain([PathBuf::from("/etc")]).map(|place| place.join("docker/daemon.json")).collect()
}

impl Settings {
    pub fn read(files: &[PathBuf]) -> Result<Self> {
        for file in files {
            let text = match fs::read(file) {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                text => text.with_context(|| format!("cannot read {}", file.display()))?,
            };
            return serde_json::from_slice(&text).with_context(|| format!("cannot read {}", file.display()));
        }
        Ok(Self::default())
    }

    /// Whether a registry (`host`, `host:5000`) may do without https, and without a certificate in order.
    pub fn is_insecure(&self, host: &str) -> bool {
        let address = host.rsplit_once(':').map_or(host, |(address, _)| address);
        self.insecure_registries.iter().any(|word| word == host || in_range(address, word))
    }

    /// Who has copies of what Docker's registry has: addresses without a path.
    pub fn mirrors(&self) -> Result<Vec<String>> {
        let mirrors = self.registry_mirrors.iter().map(|mirror| {
            let address = mirror.trim_end_matches('/');
            let url = parse(address).with_context(|| format!("invalid mirror: {}", printable(mirror)))?;
            let has_path = url.path_and_query().is_some_and(|path| path.as_str() != "/");
            ensure!(!has_path, "invalid mirror: {} has a path", printable(mirror));
            Ok(address.to_owned())
        });
        mirrors.collect()
    }
}
