//! Logins are written where Docker would write them: into a helper, if one is configured, else into the file.

use std::fs::{self, DirBuilder};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value, json};

use super::file::{File, is_host, key_of, parse, read};
use super::{Login, helper};

/// Where a login is kept now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// By this helper.
    Helper(String),
    /// In the file, which everybody who may read it can decode.
    InTheOpen,
}

/// Keeps the login for a registry.
pub fn save(file: &Path, registry: &str, login: &Login) -> Result<Kept> {
    let server = key_of(registry);
    let mut document = Document::open(file)?;
    let helper = document.helper(registry)?;
    if let Some(name) = &helper {
        helper::store(name, server, login)?;
    }
    let entry = document.auths()?.entry(server).or_insert_with(|| json!({}));
    let entry = entry.as_object_mut().context("the entry of the registry is no object")?;
    for secret in ["auth", "username", "password", "identitytoken"] {
        entry.remove(secret);
    }
    // With a helper, an entry without content says that there is a login.
    if helper.is_none() {
        let Login { user, password, identity_token } = login;
        let password = if identity_token.is_some() { "" } else { password };
        entry.insert("auth".to_owned(), STANDARD.encode(format!("{user}:{password}")).into());
        if let Some(token) = identity_token {
            entry.insert("identitytoken".to_owned(), token.as_str().into());
        }
    }
    document.write()?;
    Ok(helper.map_or(Kept::InTheOpen, Kept::Helper))
}

/// Forgets the login for a registry, under all of its names. There may be none.
pub fn erase(file: &Path, registry: &str) -> Result<()> {
    if !file.exists() {
        return Ok(());
    }
    let mut document = Document::open(file)?;
    let helper = document.helper(registry)?;
    let before = document.auths()?.len();
    document.auths()?.retain(|key, _| !is_host(key, registry));
    if document.auths()?.len() < before {
        document.write()?;
    }
    helper.map_or(Ok(()), |name| helper::erase(&name, key_of(registry)))
}

/// The file, while nobody else of us changes it. What we do not know of it is kept as it is.
struct Document {
    file: PathBuf,
    content: Map<String, Value>,
    _lock: Flock<fs::File>,
}

impl Document {
    fn open(file: &Path) -> Result<Self> {
        // Where the name is a link, the file behind it is the one to replace.
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let folder = file.parent().unwrap_or(Path::new("."));
        let cannot = || format!("cannot change {}", file.display());
        DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(cannot)?;
        let opened = fs::File::open(folder).with_context(cannot)?;
        let lock =
            Flock::lock(opened, FlockArg::LockExclusive).map_err(|(_, errno)| errno).with_context(cannot)?;
        let content = parse(&read(&file)?, &file)?;
        let document = Self { file, content, _lock: lock };
        // Somebody was killed while he wrote: nobody else is here now.
        let _ = fs::remove_file(document.half_written());
        Ok(document)
    }

    /// The helper that keeps the login of this registry, if there is one.
    fn helper(&self, registry: &str) -> Result<Option<String>> {
        let text = serde_json::to_vec(&self.content).context("cannot read the logins")?;
        let file: File = parse(&text, &self.file)?;
        Ok(file.helper_of(registry, "").or(file.store()).map(str::to_owned))
    }

    fn auths(&mut self) -> Result<&mut Map<String, Value>> {
        let auths = self.content.entry("auths").or_insert_with(|| json!({}));
        match auths.as_object_mut() {
            Some(auths) => Ok(auths),
            None => bail!("\"auths\" of {} is no object", self.file.display()),
        }
    }

    /// What is not yet the file. Always called the same, so that no copy of a password is left anywhere.
    fn half_written(&self) -> PathBuf {
        self.file.with_extension("coracle-new")
    }

    /// Whole or not at all, and for its owner alone: a new file, renamed.
    fn write(&self) -> Result<()> {
        let new = self.half_written();
        let write = || -> Result<()> {
            let mut text = Vec::new();
            // With tabs, as Docker writes it.
            let formatter = PrettyFormatter::with_indent(b"\t");
            self.content.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
            let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            Ok(fs::rename(&new, &self.file)?)
        };
        let written = write();
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.with_context(|| format!("cannot write {}", self.file.display()))
    }
}
