//! Passwords: whoever ran `docker login` or `podman login` need not do it again.
//!
//! Docker's file is `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`, with logins as base64 of
//! `user:password`, or the name of a helper program that knows them (`docker-credential-NAME`, see docs.docker.com,
//! "docker login"). Podman's is of the same form (`man 5 containers-auth.json`). We read them ourselves, because of one
//! rule: a registry is asked without a password only if nothing is configured for it. What is configured and does not
//! work is an error, and no error shows a secret.
//!
//! In reading order:

mod file;
mod helper;
mod save;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use nix::unistd::{User, geteuid};

pub use file::login;
pub use save::{Kept, erase, save};

/// A user and a password. Not printable by accident.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, or a token that serves as one.
    pub password: String,
    /// In place of a password: what a token server gave out at the login, to be turned into tokens.
    pub identity_token: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Login({:?}, …)", self.user)
    }
}

/// What `--config` said: for all of this process and its children, as a variable would be.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Looks for Docker's file in this folder, whatever the variables say.
pub fn use_folder(folder: &Path) {
    let _ = FOLDER.set(folder.to_owned());
}

/// Docker's file, the one that `login` writes; `None` without a home.
pub fn docker_file() -> Option<PathBuf> {
    let of_variables = || variable("DOCKER_CONFIG").or_else(|| Some(home()?.join(".docker")));
    let folder = FOLDER.get().cloned().or_else(of_variables)?;
    Some(folder.join("config.json"))
}

/// All files that may have a login, the one that counts most first. `$REGISTRY_AUTH_FILE` was named for this purpose;
/// podman's own places come after Docker's.
pub fn default_files() -> Vec<PathBuf> {
    let uid = nix::unistd::geteuid();
    let runtime = variable("XDG_RUNTIME_DIR")
        .map_or_else(|| format!("/run/containers/{uid}").into(), |folder| folder.join("containers"));
    let config = variable("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")));
    let files = [
        variable("REGISTRY_AUTH_FILE"),
        docker_file(),
        Some(runtime.join("auth.json")),
        config.map(|folder| folder.join("containers/auth.json")),
    ];
    files.into_iter().flatten().collect()
}

/// The login for a repository of a registry: of the first file that has one.
pub fn find(files: &[PathBuf], registry: &str, repository: &str) -> Result<Option<Login>> {
    for file in files {
        if let Some(login) = login(file, registry, repository)? {
            return Ok(Some(login));
        }
    }
    Ok(None)
}

/// For [`crate::fuzzing`]: what is done with a file before a helper is asked.
pub(crate) fn take_apart(text: &[u8]) {
    file::take_apart(text);
}

/// The home directory, also where no variable tells it: in a timer's job, or a service's. It is asked first before there
/// is any user namespace, in which we would be somebody else.
pub(crate) fn home() -> Option<PathBuf> {
    static OF_USER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let of_user = || User::from_uid(geteuid()).ok().flatten().map(|user| user.dir);
    variable("HOME").or_else(|| OF_USER.get_or_init(of_user).clone().filter(|home| home.is_absolute()))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
