//! Who sits in front of a terminal: an ordinary user, or root; with an environment built from nothing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Uid, User, getuid};

/// A user whose shells are started.
pub struct Person {
    /// `None`: whoever runs this program.
    pub change_to: Option<(Uid, Gid)>,
    pub environment: Vec<(String, String)>,
}

/// The people of a run: the ordinary user always, and root if we are root.
pub struct People {
    pub ordinary: Person,
    pub root: Option<Person>,
}

/// The ordinary user's name unless `--user` says it: `coracle` if there is one, or may be made, else who called sudo.
pub fn default_name(may_change_host: bool) -> String {
    let own = "coracle".to_owned();
    if may_change_host || matches!(User::from_name(&own), Ok(Some(_))) {
        return own;
    }
    std::env::var("SUDO_USER").ok().filter(|name| name != "root").unwrap_or(own)
}

impl People {
    /// Finds them; `binaries` is the folder that comes first in PATH, `home` is where HOME is.
    pub fn find(name: &str, may_change_host: bool, binaries: &Path, home: &Path) -> Result<Self> {
        if !is_real_root() {
            let user = User::from_uid(getuid()).ok().flatten();
            let name = user.map_or_else(|| getuid().to_string(), |user| user.name);
            return Ok(Self {
                ordinary: Person { change_to: None, environment: environment(&name, binaries, home) },
                root: None,
            });
        }
        let user = find_user(name, may_change_host)?;
        if user.uid.is_root() {
            bail!("--user {name} is root: sessions need an ordinary user");
        }
        Ok(Self {
            ordinary: Person {
                change_to: Some((user.uid, user.gid)),
                environment: environment(name, binaries, home),
            },
            root: Some(Person { change_to: None, environment: environment("root", binaries, home) }),
        })
    }
}

/// Whether we are root of the whole machine, not only of a user namespace (`man 7 user_namespaces`).
pub fn is_real_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    getuid().is_root() && map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn find_user(name: &str, may_change_host: bool) -> Result<User> {
    let find = || User::from_name(name).with_context(|| format!("cannot look up the user {name}"));
    if let Some(user) = find()? {
        return Ok(user);
    }
    if !may_change_host {
        bail!(
            "there is no user {name} to run the sessions as\nname one by --user NAME, or let one be made: --may-change-host"
        );
    }
    // useradd(8) gives a range of subordinate ids along.
    let made = Command::new("useradd")
        .args(["--no-create-home", "--shell", "/bin/bash", name])
        .status()
        .context("cannot run useradd")?;
    if !made.success() {
        bail!("useradd could not make the user {name}: {made}");
    }
    eprintln!("made the user {name}; `userdel {name}` takes it away again");
    find()?.with_context(|| format!("there is no user {name}, though useradd made it"))
}

fn environment(name: &str, binaries: &Path, home: &Path) -> Vec<(String, String)> {
    let path = format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", binaries.display());
    let home = home.display().to_string();
    let pairs = [
        ("HOME", home.as_str()),
        ("PATH", &path),
        ("USER", name),
        ("LOGNAME", name),
        ("SHELL", "/bin/bash"),
        ("TERM", "dumb"),
        ("LANG", "C.UTF-8"),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}
