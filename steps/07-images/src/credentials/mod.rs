//! Passwords from Docker's own file: whoever ran `docker login` need not do it again.
//!
//! `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`, with logins as base64 of `user:password`, or the name
//! of a helper program that knows them (`docker-credential-NAME`, see docs.docker.com, "docker login"). We
//! read it ourselves, because of one rule: a registry is asked without a password only if nothing is configured for it.
//! What is configured and does not work is an error, and no error shows a secret.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::names::DEFAULT_REGISTRY;

mod helper;

/// How Docker writes its own registry in the file.
const DOCKER_IO_KEY: &str = "https://index.docker.io/v1/";

/// A user and a password. Not printable by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, or a token that serves as one.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Login({:?}, …)", self.user)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
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

/// Docker's file: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. `None` without a home.
pub fn default_file() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = named("DOCKER_CONFIG").or_else(|| Some(named("HOME")?.join(".docker")))?;
    Some(folder.join("config.json"))
}

/// The login for a registry (`docker.io`, `localhost:5000`), if the file has one. There may be no file.
pub fn login(file: &Path, registry: &str) -> Result<Option<Login>> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    // serde_json's own text could show a piece of a password: the place says enough.
    let content: File = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        anyhow!("cannot read {}: not valid at line {line}, column {column}", file.display())
    })?;
    content
        .login(registry)
        .with_context(|| format!("cannot use the login for {registry} in {}", file.display()))
}

impl File {
    fn login(&self, registry: &str) -> Result<Option<Login>> {
        let server = if registry == DEFAULT_REGISTRY { DOCKER_IO_KEY } else { registry };
        if let Some((_, name)) = self.cred_helpers.iter().find(|(key, _)| host_of(key) == host_of(server)) {
            return helper::ask(name, server);
        }
        let same_host = |(key, _): &(&String, &Entry)| host_of(key) == host_of(server);
        let exact = self.auths.get_key_value(server);
        if let Some((_, entry)) = exact.or_else(|| self.auths.iter().find(same_host))
            && let Some(login) = entry.login()?
        {
            return Ok(Some(login));
        }
        match self.creds_store.as_deref() {
            Some(name) if !name.is_empty() => helper::ask(name, server),
            _ => Ok(None),
        }
    }
}

/// Keys may be a host, or an address as old versions wrote them. Docker's registry has three names.
fn host_of(key: &str) -> &str {
    let without_scheme = key.trim_start_matches("https://").trim_start_matches("http://");
    match without_scheme.split('/').next().unwrap_or("") {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY,
        host => host,
    }
}

impl Entry {
    /// An entry without content says only that a helper knows more.
    fn login(&self) -> Result<Option<Login>> {
        if self.identitytoken.as_ref().is_some_and(|token| !token.is_empty()) {
            bail!("identity tokens are not supported\nlog in with a user and a password");
        }
        if let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) {
            return decode(auth).map(Some);
        }
        match (&self.username, &self.password) {
            (Some(user), Some(password)) if !user.is_empty() => {
                Ok(Some(Login { user: user.clone(), password: password.clone() }))
            }
            _ => Ok(None),
        }
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
    Ok(Login { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() })
}
