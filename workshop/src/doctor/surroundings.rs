//! What lies around the steps: the control groups that step 08 will need, an outer container, room on the disk, and the
//! ordinary user beside root.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use nix::sys::statvfs::statvfs;
use nix::unistd::User;

use super::{Advice, reason};

/// The control groups of who asks: a group is made and taken away again. What is handed down to the own group is
/// returned, or why a group of one's own is of no use.
pub fn cgroups() -> Result<String, Advice> {
    let advice = |problem: String, fix: &str| Advice { problem, fix: fix.into() };
    let unified = "boot with systemd.unified_cgroup_hierarchy=1; distributions of 2022 or later have it so";
    let Some(group) = own_group() else {
        return Err(advice(format!("no cgroup v2: {}", reason::cgroups()), unified));
    };
    let own = group.join(format!("coracle-doctor-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&own) {
        let fix = match error.kind() {
            ErrorKind::ReadOnlyFilesystem => "in a container: docker run --privileged --cgroupns=private",
            _ => "systemd-run --user --scope -p Delegate=yes COMMAND",
        };
        return Err(advice(format!("no group can be made in {}: {}", group.display(), error.kind()), fix));
    }
    let controllers = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    let _ = fs::remove_dir(&own);
    let has = |name: &&str| controllers.split_whitespace().any(|controller| controller == *name);
    let missing: Vec<_> = NEEDED.into_iter().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        let problem = format!("{} lacks {}", group.display(), missing.join(", "));
        return Err(match reason::has_mount("cgroup") {
            true => advice(format!("{problem}: cgroup v1 has them"), unified),
            false => {
                advice(problem, "write +cpu +memory +pids to cgroup.subtree_control of each group above")
            }
        });
    }
    Ok(controllers.trim().to_owned())
}

/// By these a container is held to a share of the machine.
const NEEDED: [&str; 3] = ["cpu", "memory", "pids"];

/// The folder of our own group in cgroup v2: where it is mounted, and the part that /proc tells (`man 7 cgroups`).
fn own_group() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(line.split(' ').nth(4)?).join(group))
}

/// Whether we are in a container already. Each runtime marks its own in another way.
pub fn in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"]
        .iter()
        .any(|file| Path::new(file).exists())
}

/// What an image and a container with some changes take at least.
const ROOM: u64 = 500 << 20;

/// There is too little room where the images are kept.
pub fn no_room(folder: &Path) -> Option<Advice> {
    let found = statvfs(folder).ok()?;
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    let place = folder.parent().unwrap_or(folder).display();
    (free < ROOM).then(|| Advice {
        problem: format!("with little room: {} MB are free in {place}", free >> 20),
        fix: "coracle system prune, or --root DIR on another disk".into(),
    })
}

/// What an ordinary user is told, asked by root: the same program is started as that user.
pub fn told_to(name: &str, json: bool) -> Result<String> {
    let user = User::from_name(name).ok().flatten().with_context(|| format!("there is no user {name}"))?;
    let own = std::env::current_exe().context("cannot find this program")?;
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid", name, "--regid", &user.gid.to_string(), "--init-groups", "--inh-caps=-all"]);
    setpriv.arg(own).arg("doctor").args(json.then_some("--json"));
    setpriv.env("HOME", user.dir).env_remove("XDG_DATA_HOME").env_remove("XDG_RUNTIME_DIR");
    setpriv.env_remove("SUDO_USER").current_dir("/").stdin(Stdio::null());
    let said = setpriv.output().context("cannot run setpriv (sudo apt install util-linux)")?;
    if said.stdout.is_empty() {
        bail!("cannot ask as {name}: {}", String::from_utf8_lossy(&said.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}
