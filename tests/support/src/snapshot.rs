//! What the host looks like, before and after.
//!
//! A snapshot sees the whole host, so a test that compares two of them works in namespaces of its
//! own (`unshare --mount --net --pid …`), or everything else that runs disturbs it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::{Pid, getpid};

use crate::outside::{command_name, mounts, namespaces, processes, stat};
use crate::programs::program;

/// A snapshot of the host: each thing is one readable line, with how often it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    things: BTreeMap<String, usize>,
    folders: Vec<PathBuf>,
    without: Vec<String>,
}

impl Host {
    /// Looks at mounts, links, addresses, routes, firewall rules, cgroups, sysctls, System V ipc,
    /// processes, their namespaces, and everything below the given folders.
    pub fn snapshot(folders: &[&Path]) -> Self {
        let folders: Vec<PathBuf> = folders.iter().map(|&folder| folder.to_owned()).collect();
        let mut host = Self { things: BTreeMap::new(), folders: folders.clone(), without: Vec::new() };
        host.add("mount", mount_lines());
        host.add("link", output_lines("ip", &["-o", "link"]));
        host.add("address", output_lines("ip", &["-o", "address"]));
        host.add("route", output_lines("ip", &["route", "show", "table", "all"]));
        host.add("firewall", output_lines("nft", &["list", "ruleset"]));
        host.add("cgroup", cgroup_lines());
        host.add("sysctl", sysctl_lines());
        host.add("ipc", ipc_lines());
        host.add("process", process_lines());
        host.add("namespace", namespace_lines());
        for folder in folders {
            host.add("file", tree(&folder, false));
        }
        host
    }

    /// The same without the things of these kinds: `process`, `link` and so on say nothing about us
    /// where other people's come and go.
    #[must_use]
    pub fn without(mut self, kinds: &[&str]) -> Self {
        self.without.extend(kinds.iter().map(|&kind| kind.to_owned()));
        self
    }

    /// What `later` has more (`+`) or less (`-`) than this snapshot, one line each.
    pub fn difference(&self, later: &Self) -> Vec<String> {
        let count = |host: &Self, thing: &str| host.things.get(thing).copied().unwrap_or(0);
        let counts = |thing: &&String| !self.without.iter().any(|kind| thing.split(' ').next() == Some(kind));
        let gone =
            self.things.keys().filter(counts).filter(|&thing| count(later, thing) < count(self, thing));
        let new =
            later.things.keys().filter(counts).filter(|&thing| count(self, thing) < count(later, thing));
        gone.map(|thing| format!("- {thing}")).chain(new.map(|thing| format!("+ {thing}"))).collect()
    }

    /// Waits until the host looks like this snapshot again: the end of a veth pair, for one,
    /// vanishes some milliseconds after its container.
    ///
    /// # Errors
    /// After `limit`, the difference that is left.
    pub fn wait_until_same(&self, limit: Duration) -> Result<(), String> {
        let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
        let start = Instant::now();
        loop {
            let difference = self.difference(&Self::snapshot(&folders));
            if difference.is_empty() {
                return Ok(());
            }
            if start.elapsed() > limit {
                return Err(difference.join("\n"));
            }
            sleep(Duration::from_millis(20));
        }
    }

    fn add(&mut self, kind: &str, lines: Vec<String>) {
        for line in lines {
            *self.things.entry(format!("{kind} {line}")).or_default() += 1;
        }
    }
}

/// Without the numbers of mounts, which only say when they were made.
fn mount_lines() -> Vec<String> {
    let mounts = mounts(getpid()).unwrap_or_default();
    let line = |mount: &crate::Mount| {
        let (options, propagation) = (mount.options.join(","), mount.propagation.join(","));
        let crate::Mount { mount_point, root, fs_type, source, .. } = mount;
        format!("{mount_point} {fs_type} {source} {root} {options} {propagation}")
    };
    mounts.iter().map(line).collect()
}

/// What a tool prints, without times that run on. A missing tool shows as a line of its own: no
/// test may mistake it for an empty list.
fn output_lines(name: &str, arguments: &[&str]) -> Vec<String> {
    let output = program(name).and_then(|path| Command::new(path).args(arguments).output().ok());
    let Some(output) = output else { return vec![format!("({name} is missing)")] };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |line: &str| line.split("valid_lft").next().unwrap_or(line).trim_end().to_owned();
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}

/// The settings of the kernel that a container runtime is tempted to change.
fn sysctl_lines() -> Vec<String> {
    let mut files: Vec<PathBuf> = [
        "kernel/hostname",
        "kernel/domainname",
        "kernel/apparmor_restrict_unprivileged_userns",
        "kernel/unprivileged_userns_clone",
        "net/bridge/bridge-nf-call-iptables",
        "net/ipv4/ip_forward",
        "net/ipv4/ip_unprivileged_port_start",
        "net/ipv4/ping_group_range",
        "user/max_user_namespaces",
    ]
    .map(|name| Path::new("/proc/sys").join(name))
    .into();
    for family in ["ipv4", "ipv6"] {
        let links = fs::read_dir(format!("/proc/sys/net/{family}/conf"));
        for link in links.into_iter().flatten().flatten() {
            let names = ["accept_ra", "disable_ipv6", "forwarding", "proxy_arp", "route_localnet"];
            files.extend(names.map(|name| link.path().join(name)));
        }
    }
    let value = |file: &PathBuf| {
        let value = fs::read_to_string(file).ok()?;
        Some(format!("{} = {}", file.strip_prefix("/proc/sys").ok()?.display(), value.trim_end()))
    };
    files.iter().filter_map(value).collect()
}

fn ipc_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for kind in ["msg", "sem", "shm"] {
        let text = fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
        // Key and number; the rest counts what was read and written.
        let name = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        lines.extend(text.lines().skip(1).map(|line| format!("{kind} {}", name(line))));
    }
    lines
}

/// Processes that the kernel keeps for itself come and go on their own.
fn process_lines() -> Vec<String> {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let is_kernels = |fields: &[String]| {
        fields.get(6).and_then(|flags| flags.parse::<u64>().ok()).unwrap_or(0) & PF_KTHREAD != 0
    };
    let line = |(pid, _): (Pid, Pid)| {
        let fields = stat(pid)?;
        (!is_kernels(&fields)).then(|| {
            // A number may be given again; number and start time may not.
            let start = fields.get(19).map_or("?", String::as_str);
            format!("{pid} {} started {start}", command_name(pid).unwrap_or_default())
        })
    };
    processes().into_iter().filter_map(line).collect()
}

/// The namespaces that some process is in, once each.
fn namespace_lines() -> Vec<String> {
    let all = processes().into_iter().filter_map(|(pid, _)| namespaces(pid).ok()).flatten();
    let mut lines: Vec<String> = all.map(|(kind, inode)| format!("{kind} {inode}")).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// The cgroups below our own, and all that are named after us: the others belong to services that come
/// and go, and no namespace keeps them from us.
fn cgroup_lines() -> Vec<String> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let mut lines = tree(Path::new("/sys/fs/cgroup"), true);
    lines.retain(|line| line.contains("coracle") || !own.is_empty() && line.contains(own));
    lines
}

/// Everything below a folder: path, type and mode, owner, size. Folders only, for cgroups, whose
/// files are not ours to count.
fn tree(folder: &Path, folders_only: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(meta)) = (entry.path(), entry.metadata()) else { continue };
        let size = if meta.is_dir() { 0 } else { meta.size() };
        if meta.is_dir() || !folders_only {
            let (mode, uid, gid) = (meta.mode(), meta.uid(), meta.gid());
            lines.push(format!("{} {mode:o} {uid}:{gid} {size}", path.display()));
        }
        if meta.is_dir() {
            lines.extend(tree(&path, folders_only));
        }
    }
    lines
}
