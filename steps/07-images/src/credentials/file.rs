//! The file with the logins: whose is whose.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::{Login, helper};
use crate::names::DEFAULT_REGISTRY;

/// How Docker writes its own registry in the file.
const DOCKER_IO_KEY: &str = "https://index.docker.io/v1/";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct File {
    auths: HashMap<String, Entry>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// The login for a repository of a registry (`docker.io`, `localhost:5000`), if the file has one. There may be no file.
pub fn login(file: &Path, registry: &str, repository: &str) -> Result<Option<Login>> {
    parse::<File>(&read(file)?, file)?
        .login(registry, repository)
        .with_context(|| format!("cannot use the login for {registry} in {}", file.display()))
}

/// The text; nothing where there is no file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>> {
    match fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.with_context(|| format!("cannot read {}", file.display())),
    }
}

pub(super) fn parse<T: Default + for<'a> Deserialize<'a>>(text: &[u8], file: &Path) -> Result<T> {
    if text.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    // serde_json's own text could show a piece of a password: the place says enough.
    serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow!("{} is not valid at line {line}, column {column}", file.display())
    })
}

impl File {
    fn login(&self, registry: &str, repository: &str) -> Result<Option<Login>> {
        let server = key_of(registry);
        if let Some(name) = self.helper_of(registry, repository) {
            return helper::get(name, server);
        }
        let keys = self.auths.keys().map(|key| &**key);
        if let Some(key) = best(keys, registry, repository)
            && let Some(login) = self.auths.get(key).map(Entry::login).transpose()?.flatten()
        {
            return Ok(Some(login));
        }
        match self.store() {
            Some(name) => helper::get(name, server),
            None => Ok(None),
        }
    }

    /// The helper for this registry alone.
    pub fn helper_of(&self, registry: &str, repository: &str) -> Option<&str> {
        let key = best(self.cred_helpers.keys().map(|key| &**key), registry, repository)?;
        self.cred_helpers.get(key).map(|name| &**name)
    }

    /// The helper for all others.
    pub fn store(&self) -> Option<&str> {
        self.creds_store.as_deref().filter(|name| !name.is_empty())
    }
}

/// Reads all that is in a file, asks for a login that it may have, and calls nobody.
pub(super) fn take_apart(text: &[u8]) {
    let Ok(file) = parse::<File>(text, Path::new("config.json")) else { return };
    for (registry, repository) in
        [(DEFAULT_REGISTRY, "library/box"), ("localhost:5000", "a/b"), ("[::1]", "")]
    {
        let _ = (file.helper_of(registry, repository), file.store());
        let _ = best(file.auths.keys().map(|key| &**key), registry, repository);
    }
    for login in file.auths.values().filter_map(|entry| entry.login().ok().flatten()) {
        assert!(!login.user.is_empty() || login.identity_token.is_some());
    }
}

/// What a registry is called in the file, and by helpers.
pub(super) fn key_of(registry: &str) -> &str {
    if registry == DEFAULT_REGISTRY { DOCKER_IO_KEY } else { registry }
}

/// The key that counts most for a repository.
fn best<'a>(keys: impl Iterator<Item = &'a str>, registry: &str, repository: &str) -> Option<&'a str> {
    keys.filter_map(|key| Some((rank(key, registry, repository)?, key))).max().map(|(_, key)| key)
}

/// Podman's keys may name a part of a registry, `host/name`: the longest that fits counts. Docker's are a host, or an
/// address as old versions wrote them.
fn rank(key: &str, registry: &str, repository: &str) -> Option<usize> {
    let below =
        key.strip_prefix(registry).and_then(|path| path.strip_prefix('/')).filter(|path| !path.is_empty());
    let rest = below.and_then(|path| repository.strip_prefix(path));
    match rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        true => Some(2 + key.len()),
        false if key == key_of(registry) => Some(1),
        false => is_host(key, registry).then_some(0),
    }
}

/// Whether a key is another way to write a registry.
pub(super) fn is_host(key: &str, registry: &str) -> bool {
    let address = key.trim_start_matches("https://").trim_start_matches("http://");
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    // Without a scheme, a path is a part of the registry and not an old address.
    let is_whole = address.len() < key.len() || matches!(path.trim_end_matches('/'), "" | "v1" | "v2");
    is_whole && one_name(host) == one_name(registry)
}

/// Docker's registry has three.
fn one_name(host: &str) -> &str {
    match host {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY,
        host => host,
    }
}

impl Entry {
    /// An entry without content says only that a helper knows more.
    fn login(&self) -> Result<Option<Login>> {
        let mut login = Login::default();
        if let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) {
            login = decode(auth)?;
        } else if let (Some(user), Some(password)) = (&self.username, &self.password) {
            login = Login { user: user.clone(), password: password.clone(), identity_token: None };
        }
        login.identity_token = self.identitytoken.clone().filter(|token| !token.is_empty());
        Ok(Some(login).filter(|login| !login.user.is_empty() || login.identity_token.is_some()))
    }
}

fn decode(auth: &str) -> Result<Login> {
    let padding = base64::engine::DecodePaddingMode::Indifferent;
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let text = engine.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (user, password) = text
        .as_deref()
        .and_then(|text| text.split_once(':'))
        .context("\"auth\" is not the base64 of user:password")?;
    ensure!(!user.is_empty(), "\"auth\" has no user");
    // Docker once wrote zero bytes behind the password.
    let password = password.trim_end_matches('\0').to_owned();
    Ok(Login { user: user.to_owned(), password, identity_token: None })
}
