//! What a container is, as far as the image and the command line say.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use step02_uts::Uts;
use step03_pid::Last;
use step04_mount::{Entry, Root, What};
use step05_userns::{User, is_root};
use step06_net::Net;

use super::{Identity, Overlay, WorkDirectory};
use crate::commands::RunArgs;
use crate::manifest::Image;
use crate::text::tell;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything that the walls are built from.
#[derive(Debug)]
pub struct Asked {
    /// The container's id.
    pub id: String,
    /// Where it keeps its files.
    pub directory: PathBuf,
    /// The image.
    pub image: Image,
    /// The options and words of `run`.
    pub run: RunArgs,
    /// The command with its arguments.
    pub command: Vec<OsString>,
    /// The ports that were published, once the network is there: `0.0.0.0:8080->80/tcp`.
    pub ports: RefCell<Vec<String>>,
    user: Option<User>,
}

/// The host name that a container gets: the one asked for, or the beginning of its id.
pub fn hostname_of(asked: Option<&str>, id: &str) -> String {
    asked.map_or_else(|| id[..12].to_owned(), str::to_owned)
}

impl Asked {
    /// Puts the words of `run` and the image's settings together.
    ///
    /// # Errors
    /// There is no command or none that the kernel could be told, or the directory asked for is
    /// no absolute path.
    pub fn new(id: String, directory: PathBuf, image: Image, run: RunArgs) -> Result<Self> {
        let command = command(&image, &run);
        if command.is_empty() {
            bail!("no command specified");
        }
        if command.iter().any(|word| word.as_bytes().contains(&0)) {
            bail!("invalid command: it has a NUL byte in it");
        }
        if let Some(path) = run.workdir.as_ref().filter(|path| !path.is_absolute()) {
            bail!("the working directory '{}' is invalid, it needs to be an absolute path", path.display());
        }
        let user = if is_root() { None } else { Some(User::new(None)?) };
        if let Some(why) = user.as_ref().and_then(User::why_one_id) {
            tell(format_args!("only root has a meaning inside: {why}"));
        }
        Ok(Self { id, directory, image, run, command, ports: RefCell::default(), user })
    }

    // ANCHOR: walls
    /// The user namespace; none for root, whose ids are those of the host.
    pub fn user(&self) -> Option<User> {
        self.user.clone()
    }

    /// The host name.
    pub fn uts(&self) -> Uts {
        Uts { hostname: Some(hostname_of(self.run.hostname.as_deref(), &self.id)), domainname: None }
    }

    /// The image's layers with the container's changes above.
    pub fn overlay(&self) -> Overlay {
        Overlay {
            directory: self.directory.clone(),
            layers: self.image.layers.len().max(1),
            volatile: self.run.remove,
        }
    }

    /// What is mounted over the layers.
    ///
    /// # Errors
    /// A volume whose source is not there.
    pub fn root(&self) -> Result<Root> {
        let mut root = Root::new(self.directory.join("merged"));
        root.read_only = self.run.read_only;
        for target in &self.run.tmpfs {
            root.entries.push(tmpfs(target)?);
        }
        for volume in &self.run.volumes {
            root.entries.push(volume.entry()?);
        }
        Ok(root)
    }

    /// The network, whose files in /etc are mounted over the image's.
    ///
    /// # Errors
    /// Those of [`NetArgs::net`](step06_net::NetArgs::net).
    pub fn network(&self, root: &mut Root) -> Result<Net> {
        let net = self.run.network.net(self.uts().hostname.as_deref())?;
        for file in net.files() {
            root.entries.push(file.entry()?);
        }
        let ports = net.published().iter();
        *self.ports.borrow_mut() =
            ports.map(|port| format!("{}->{}/{}", port.host, port.container, port.protocol)).collect();
        Ok(net)
    }

    /// Where the command starts.
    pub fn work_directory(&self) -> WorkDirectory {
        let asked =
            self.run.workdir.clone().or_else(|| Some(PathBuf::from(&self.image.settings.working_dir)));
        WorkDirectory(PathBuf::from("/").join(asked.unwrap_or_default()))
    }

    /// Who the command runs as.
    pub fn identity(&self) -> Identity {
        let user = self.run.user.clone().unwrap_or_else(|| self.image.settings.user.clone());
        let has_range = self.user.as_ref().is_none_or(|user| !user.has_one_id());
        Identity { user, has_range }
    }
    // ANCHOR_END: walls

    /// The last thing that the container does.
    ///
    /// # Errors
    /// A variable without a name.
    pub fn last(&self) -> Result<Last> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).env_clear().envs(self.environment()?);
        Ok(if self.run.init { Last::Init(command) } else { Last::Exec(command) })
    }

    // ANCHOR: environment
    /// The environment: built from nothing, then the image's, then what was asked for. The last
    /// one of a name counts; an image's line without a name or a value is dropped.
    fn environment(&self) -> Result<BTreeMap<OsString, OsString>> {
        let hostname = hostname_of(self.run.hostname.as_deref(), &self.id);
        let mut all =
            BTreeMap::from([("PATH".into(), DEFAULT_PATH.into()), ("HOSTNAME".into(), hostname.into())]);
        if self.run.tty {
            all.insert("TERM".into(), "xterm".into());
        }
        for line in &self.image.settings.env {
            match line.split_once('=') {
                Some((name, value)) if !name.is_empty() && !line.contains('\0') => {
                    all.insert(name.into(), value.into());
                }
                _ => {}
            }
        }
        for asked in &self.run.env {
            let (name, value) = match asked.split_once('=') {
                Some((name, value)) => (name, Some(OsStr::new(value).to_owned())),
                None => (&**asked, std::env::var_os(asked)),
            };
            if name.is_empty() {
                bail!("invalid environment variable: {asked}");
            }
            if let Some(value) = value {
                all.insert(name.into(), value);
            }
        }
        Ok(all)
    }
    // ANCHOR_END: environment
}

/// The entrypoint, then the command; a word after the image replaces the image's command, and
/// an entrypoint of one's own drops it.
fn command(image: &Image, run: &RunArgs) -> Vec<OsString> {
    let of_image = |words: &Vec<String>| words.iter().map(OsString::from).collect::<Vec<_>>();
    let entrypoint = match &run.entrypoint {
        Some(word) if word.is_empty() => Vec::new(),
        Some(word) => vec![word.clone()],
        None => of_image(&image.settings.entrypoint),
    };
    let words = match run.command() {
        words if !words.is_empty() => words.to_owned(),
        _ if run.entrypoint.is_some() => Vec::new(),
        _ => of_image(&image.settings.cmd),
    };
    [entrypoint, words].concat()
}

/// `--tmpfs`: its places are the container's to name, in full.
fn tmpfs(target: &Path) -> Result<Entry> {
    if !target.is_absolute() || target == Path::new("/") {
        bail!("invalid mount path: '{}' mount path must be absolute", target.display());
    }
    let what = What::Tmpfs { mode: 0o1777, size: None };
    Ok(Entry { what, target: target.to_owned(), read_only: false })
}
