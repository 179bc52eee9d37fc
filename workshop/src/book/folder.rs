//! The throw-away folder of a page: `page/` is where its sessions start, `home/` is HOME, `bin/` has the steps.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::left;
use super::person::Person;

/// The folder; `remove` takes it away.
pub struct Folder {
    folder: PathBuf,
    pub page: PathBuf,
    pub home: PathBuf,
}

/// A folder that everybody may read, which a temporary folder usually is not.
pub fn readable(prefix: &str) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).permissions(Permissions::from_mode(0o755));
    builder.tempdir().context("cannot make a throw-away folder")
}

impl Folder {
    pub fn new() -> Result<Self> {
        let folder = readable("coracle-page-")?.keep();
        let (page, home) = (folder.join("page"), folder.join("home"));
        for inner in [&page, &home] {
            fs::create_dir(inner).with_context(|| format!("cannot make {}", inner.display()))?;
        }
        Ok(Self { folder, page, home })
    }

    /// Gives what the page may write to its user.
    pub fn give_to(&self, person: &Person) -> Result<()> {
        [&self.page, &self.home].into_iter().try_for_each(|inner| give(inner, person))
    }

    /// Writes a file that the page prints. What begins like a script may be executed.
    pub fn write(&self, name: &str, content: &[String], person: &Person) -> Result<()> {
        let relative = Path::new(name);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            bail!("file={name} is not a name below the page's folder");
        }
        let path = self.page.join(relative);
        for folder in relative.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            let folder = self.page.join(folder);
            if !folder.exists() {
                fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
                give(&folder, person)?;
            }
        }
        fs::write(&path, content.join("\n") + "\n").with_context(|| format!("cannot write {name}"))?;
        let mode = if content.first().is_some_and(|line| line.starts_with("#!")) { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .with_context(|| format!("cannot change the mode of {name}"))?;
        give(&path, person)
    }

    /// Copies a kernel image to `vmlinuz`: the original may be where only root looks.
    pub fn copy_kernel(&self, image: &Path, person: &Person) -> Result<()> {
        let path = self.page.join("vmlinuz");
        fs::copy(image, &path).with_context(|| format!("cannot copy {}", image.display()))?;
        give(&path, person)
    }

    /// Takes the folder away, unless something is mounted in it, which could be somebody's files.
    pub fn remove(&self) -> Result<()> {
        let inside = |point: &String| Path::new(point).starts_with(&self.folder);
        if let Some(point) = left::mount_points().into_iter().find(inside) {
            bail!("{point} is still mounted, so {} stays", self.folder.display());
        }
        let Err(error) = fs::remove_dir_all(&self.folder) else { return Ok(()) };
        // Files of subordinate ids are removed by the one who may: root of a user namespace that has them.
        let mut remove = Command::new("unshare");
        remove
            .args(["--user", "--map-root-user", "--map-users=auto", "--map-groups=auto", "rm", "-rf"])
            .arg(&self.folder);
        let _ = remove.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if self.folder.exists() {
            bail!("cannot remove {}: {error}", self.folder.display());
        }
        Ok(())
    }
}

fn give(path: &Path, person: &Person) -> Result<()> {
    let Some((uid, gid)) = person.change_to else { return Ok(()) };
    chown(path, Some(uid.as_raw()), Some(gid.as_raw()))
        .with_context(|| format!("cannot give {} to its user", path.display()))
}
