//! What people have set in Docker's file beside their logins: how lists look, which keys leave a container, which proxies
//! are for those in there, and whose Docker they mean. ("docker CLI configuration properties" in Docker's manual.)

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::credentials::docker_file;
use crate::digest::Digest;
use crate::monitor::detach::DetachKeys;
use crate::text::tell;

/// As far as it has a meaning here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Preferences {
    /// Of `ps`, as `--format` has it,
    pub ps_format: Option<String>,
    /// of `images`,
    pub images_format: Option<String>,
    /// and of `volume ls`.
    pub volumes_format: Option<String>,
    detach_keys: Option<String>,
    proxies: Option<HashMap<String, Proxies>>,
    current_context: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Proxies {
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    ftp_proxy: Option<String>,
    no_proxy: Option<String>,
    all_proxy: Option<String>,
}

impl Preferences {
    /// Reads the file. Without one, or with one that makes no sense, there are none; the latter is said, as by Docker.
    pub fn read() -> Self {
        Self::quietly().unwrap_or_else(|why| {
            tell(format_args!("WARNING: Error loading config file: {why}"));
            Self::default()
        })
    }

    fn quietly() -> Result<Self, String> {
        let Some(file) = docker_file() else { return Ok(Self::default()) };
        let text = match fs::read(&file) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Vec::new()
            }
            other => other.map_err(|error| format!("{}: {error}", file.display()))?,
        };
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        // serde_json's own text could show a piece of a password: the place says enough.
        serde_json::from_slice(&text).map_err(|error| {
            format!("{} is not valid at line {}, column {}", file.display(), error.line(), error.column())
        })
    }

    /// The variables that a container gets for its proxies, in large and in small letters: those that nobody has set.
    pub fn proxies(&self, variables: &[OsString]) -> Vec<OsString> {
        let Some(proxies) = self.proxies.as_ref().and_then(|all| all.get("default")) else {
            return Vec::new();
        };
        let all = [
            ("HTTP_PROXY", &proxies.http_proxy),
            ("HTTPS_PROXY", &proxies.https_proxy),
            ("FTP_PROXY", &proxies.ftp_proxy),
            ("NO_PROXY", &proxies.no_proxy),
            ("ALL_PROXY", &proxies.all_proxy),
        ];
        let is_set = |name: &str| {
            let its_name = |variable: &OsString| {
                variable.as_bytes().split(|byte| *byte == b'=').next() == Some(name.as_bytes())
            };
            variables.iter().any(its_name)
        };
        let all = all
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref().filter(|v| !v.is_empty())?)));
        all.flat_map(|(name, value)| [(name.to_owned(), value), (name.to_lowercase(), value)])
            .filter(|(name, _)| !is_set(name))
            .map(|(name, value)| format!("{name}={value}").into())
            .collect()
    }
}

/// The keys that leave a container: those that were asked for now, or else in the file, or else Docker's.
///
/// # Errors
/// Those of the file make no sense.
pub(crate) fn detach_keys(asked: Option<&DetachKeys>) -> Result<DetachKeys> {
    match asked {
        Some(keys) => Ok(keys.clone()),
        None => {
            Preferences::read().detach_keys.map_or_else(|| Ok(DetachKeys::default()), |text| text.parse())
        }
    }
}

/// Whose Docker is meant, if it is one of another machine: what says so, and which. A socket is of this one.
pub(crate) fn elsewhere() -> Option<(String, String)> {
    let set = |name: &str| {
        std::env::var_os(name)
            .map(|value| value.to_string_lossy().into_owned())
            .filter(|text| !text.is_empty())
    };
    let is_other =
        |host: &String| !["unix://", "npipe://", "fd://"].iter().any(|kind| host.starts_with(kind));
    if let Some(host) = set("DOCKER_HOST") {
        return Some(host).filter(is_other).map(|host| ("DOCKER_HOST".to_owned(), host));
    }
    let of_file = || Preferences::quietly().unwrap_or_default().current_context;
    let context = set("DOCKER_CONTEXT").or_else(of_file).filter(|name| name != "default")?;
    // Where Docker keeps what it knows of a context (docker/cli, `cli/context/store`).
    let folder = docker_file()?.parent()?.join("contexts/meta").join(Digest::of(&context).hex());
    let known: Value = serde_json::from_slice(&fs::read(folder.join("meta.json")).ok()?).ok()?;
    let host = known["Endpoints"]["docker"]["Host"].as_str()?.to_owned();
    Some(host).filter(is_other).map(|host| (format!("the context {context}"), host))
}
