//! What a container is, as far as the image and the command line say.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use nix::unistd::geteuid;
use step03_pid::Last;
use step04_mount::{MountNamespace, Root, Sysctls};
use step05_userns::{User, is_root};

use super::mounts::{self, Mount, MountPoint, Source};
use super::{Identity, Overlay, WorkDirectory, labels};
use crate::commands::RunArgs;
use crate::manifest::Image;
use crate::text::tell;
use crate::volumes::{Fill, Place, Volumes};

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
    /// The ports that were published, once the network is there, `0.0.0.0:8080->80/tcp`, and those that were not, `443/tcp`.
    pub ports: RefCell<Vec<String>>,
    pub(super) mounts: Vec<Mount>,
    pub(super) user: Option<User>,
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
        super::conflicts::check(&run)?;
        let mounts = mounts::all(&run, &image)?;
        let user = if is_root() { None } else { Some(User::new(None)?) };
        Ok(Self { id, directory, image, run, command, ports: RefCell::default(), mounts, user })
    }

    /// Says what will not be as one might expect.
    pub fn warn(&self) {
        if let Some(why) = self.user.as_ref().and_then(User::why_one_id) {
            tell(format_args!("only root has a meaning inside: {why}"));
        }
        if self.is_a_stranger_to_its_mounts() {
            tell(
                "--user: this number is not you inside, and may not write into what you mounted\n\
                 without root's rights you are root in there: leave --user out, and the files are yours",
            );
        }
        let asks_for_a_check =
            !self.image.settings.healthcheck.is_none() && !self.run.later.wants_no_health();
        // Nobody asks for the health of what is removed with its end.
        if asks_for_a_check && !self.run.remove {
            tell("the image's check of its health is not made: it would need somebody who is always there");
        }
    }

    /// `--user $(id -u)`, which everybody writes for the sake of the files in `--volume $PWD:/src`, is right where root
    /// starts containers. An ordinary user is root inside, and that number is one of his other ids.
    fn is_a_stranger_to_its_mounts(&self) -> bool {
        let asked = self.run.user.as_deref().and_then(|user| user.split(':').next()?.parse::<u32>().ok());
        let is_writable = |mount: &Mount| matches!(mount.source, Source::Bind { .. }) && !mount.read_only;
        let is_ours = |uid: u32| uid != 0 && uid == geteuid().as_raw();
        self.user.is_some() && asked.is_some_and(is_ours) && self.mounts.iter().any(is_writable)
    }

    // ANCHOR: walls
    /// The image's layers with the container's changes above.
    pub fn overlay(&self) -> Overlay {
        Overlay {
            directory: self.directory.clone(),
            layers: self.image.layers.len().max(1),
            volatile: self.run.remove,
        }
    }

    /// A table of mounts of its own, which can follow the host's.
    pub fn mount_namespace(&self) -> MountNamespace {
        MountNamespace { follow: self.mounts.iter().any(Mount::follows) }
    }

    /// Volumes that are empty, and what the image has at their places.
    pub fn fill(&self) -> Fill {
        let place = |mount: &Mount| {
            let volume = mount.volume_name(&self.id)?;
            Some(Place { volume, target: mount.target.clone(), is_filled: mount.is_filled() })
        };
        Fill {
            volumes: self.volumes(),
            root: self.directory.join("merged"),
            places: self.mounts.iter().filter_map(place).collect(),
        }
    }

    /// The kernel's switches for it: Docker's own, and then those that were asked for.
    pub fn sysctls(&self) -> Sysctls {
        let asked = self.run.sysctl.iter().map(|sysctl| (sysctl.name.clone(), sysctl.value.clone()));
        Sysctls(self.usual_sysctls().into_iter().chain(asked).collect())
    }

    /// What is mounted over the layers.
    ///
    /// # Errors
    /// Something of the host's is not there.
    pub fn root(&self) -> Result<Root> {
        let mut root = Root::new(self.directory.join("merged"));
        root.read_only = self.run.storage.read_only;
        self.share_mounts(&mut root)?;
        root.entries.extend(mounts::entries(&self.mounts, &self.id, &self.volumes())?);
        Ok(root)
    }

    /// Where the command starts.
    pub fn work_directory(&self) -> WorkDirectory {
        let asked =
            self.run.workdir.clone().or_else(|| Some(PathBuf::from(&self.image.settings.working_dir)));
        WorkDirectory { path: PathBuf::from("/").join(asked.unwrap_or_default()), make: true }
    }

    /// Who the command runs as.
    pub fn identity(&self) -> Identity {
        let user = self.run.user.clone().unwrap_or_else(|| self.image.settings.user.clone());
        let has_range = self.user.as_ref().is_none_or(|user| !user.has_one_id());
        let (groups, limits) = (self.run.group_add.clone(), self.run.ulimit.clone());
        Identity { user, groups, limits, has_range, has_terminal: self.run.tty }
    }
    // ANCHOR_END: walls

    /// The last thing that the container does.
    ///
    /// # Errors
    /// None today.
    pub fn last(&self) -> Result<Last> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).env_clear().envs(self.environment());
        Ok(if self.run.init || self.has_processes_of_another() {
            Last::Init(command)
        } else {
            Last::Exec(command)
        })
    }
}

/// What the record has of it.
impl Asked {
    /// Sees to it that all is there that will be mounted.
    ///
    /// # Errors
    /// A path of the host is not there, or cannot be made.
    pub fn prepare_mounts(&self) -> Result<()> {
        self.mounts.iter().try_for_each(|mount| mount.prepare(&self.id, &self.volumes()))
    }

    /// Its mounts, as `inspect` shows them.
    pub fn mount_points(&self) -> Vec<MountPoint> {
        self.mounts.iter().map(|mount| mount.point(&self.id, &self.volumes())).collect()
    }

    /// The image's labels and those that were asked for.
    pub fn labels(&self) -> BTreeMap<String, String> {
        labels::merged(&self.image, &self.run.label)
    }

    pub(super) fn volumes(&self) -> Volumes {
        Volumes::of(self.state_directory())
    }

    /// The container's own is `containers/ID` in it.
    pub(super) fn state_directory(&self) -> &Path {
        self.directory.parent().and_then(Path::parent).unwrap_or(&self.directory)
    }
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
