//! Who may have which ids.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use nix::unistd::{Gid, Uid, User, geteuid};
use step01_unshare::Look;

use crate::causes::{MISSING, NO_MEANING};
use crate::{Range, subordinate};

// ANCHOR: is_root
/// Whether this process is root of the whole machine: in the first user namespace, with the
/// rights to mount and to change the network. Root of a container is an ordinary user.
pub fn is_root() -> bool {
    const CAP_NET_ADMIN: u32 = 12;
    const CAP_SYS_ADMIN: u32 = 21;
    let has = |capabilities: u64, bit: u32| capabilities & (1 << bit) != 0;
    geteuid().is_root()
        && knows_all_ids()
        && capabilities().is_some_and(|held| has(held, CAP_SYS_ADMIN) && has(held, CAP_NET_ADMIN))
}

/// The map of the first user namespace: every id is itself.
fn knows_all_ids() -> bool {
    map("/proc/self/uid_map") == [Range { inside: 0, outside: 0, length: u32::MAX }]
}
// ANCHOR_END: is_root

// ANCHOR: read
fn map(file: &str) -> Vec<Range> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let range = |line: &str| {
        let numbers: Vec<u32> = line.split_whitespace().flat_map(str::parse).collect();
        let [inside, outside, length] = numbers[..] else { return None };
        Some(Range { inside, outside, length })
    };
    text.lines().filter_map(range).collect()
}

fn capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}
// ANCHOR_END: read

// ANCHOR: have_ids
/// Who has no id in its own user namespace cannot make another one: the kernel says EPERM, as it
/// does for other reasons.
pub(crate) fn have_ids() -> Result<()> {
    match (NO_MEANING.look)(&[]) {
        Look::Holds(id) => bail!("cannot make a user namespace: {}", NO_MEANING.told(&id)),
        _ => Ok(()),
    }
}

/// Which of a user's ids has no meaning in the user namespace that we are in.
pub(crate) fn without_meaning(uid: Uid, gid: Gid) -> Option<u32> {
    let ids = [("/proc/self/uid_map", uid.as_raw()), ("/proc/self/gid_map", gid.as_raw())];
    let has_meaning = |(file, id): &(&str, u32)| {
        let of = |range: &Range| *id >= range.inside && u64::from(id - range.inside) < range.length.into();
        map(file).iter().any(of)
    };
    ids.into_iter().find(|id| !has_meaning(id)).map(|(_, id)| id)
}
// ANCHOR_END: have_ids

// ANCHOR: ranges
/// The subordinate ids of this user, as the ids from 1 on.
pub(crate) fn ranges(uid: Uid, gid: Gid) -> Result<(Range, Range)> {
    if !knows_all_ids() {
        bail!("/etc/subuid speaks of the ids of the whole machine, and this is a user namespace already");
    }
    if !is_root() && (find("newuidmap").is_none() || find("newgidmap").is_none()) {
        bail!(MISSING.told(""));
    }
    Ok((range("/etc/subuid", uid, uid.as_raw())?, range("/etc/subgid", uid, gid.as_raw())?))
}

fn range(file: &str, uid: Uid, own: u32) -> Result<Range> {
    let name = User::from_uid(uid).ok().flatten().map_or(uid.to_string(), |user| user.name);
    let Some((first, length)) = subordinate(file, uid)? else {
        let (first, last) = unused();
        bail!(
            "{file} has no range for {name}\n\
             sudo usermod --add-subuids {first}-{last} --add-subgids {first}-{last} {name}"
        );
    };
    if own >= first && own - first < length {
        bail!("the range of {name} in {file} holds the id {own}, which is root inside already");
    }
    Ok(Range { inside: 1, outside: first, length })
}

/// Ids that nobody has yet, the first and the last: two users with the same ones could kill each
/// other's processes.
pub fn unused() -> (u64, u64) {
    let text = ["/etc/subuid", "/etc/subgid"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let end = |line: &str| {
        let (_, range) = line.split_once(':')?;
        let (first, length) = range.split_once(':')?;
        Some(first.trim().parse::<u64>().ok()? + length.trim().parse::<u64>().ok()?)
    };
    let first = text.iter().flat_map(|text| text.lines()).filter_map(end).max().unwrap_or(0).max(100_000);
    (first, first + 65_535)
}

/// Whether an administrator could give this user more ids.
pub(crate) fn could_have_more() -> bool {
    knows_all_ids() && !geteuid().is_root()
}

/// Where a program is that is looked for in PATH.
pub(crate) fn find(program: impl AsRef<Path>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(&program)).find(|file| file.exists())
}
// ANCHOR_END: ranges
