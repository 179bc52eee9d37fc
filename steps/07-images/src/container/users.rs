//! Users and groups, as the image's own /etc/passwd and /etc/group have them.
//!
//! The rules are those of runc (`moby/sys/user`): what is all digits is a number, also where
//! somebody has that name (CVE-2016-3697), and what is no number must be found.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Result, bail};
use nix::unistd::{Gid, Uid};
use rustix::fs::{FileType, OFlags, fstat};
use step04_mount::Contained;

/// Not more than this many bytes of a file are looked at: it may be a stranger's.
const LARGEST: u64 = 1 << 20;

/// Who a process is.
#[derive(Debug, PartialEq, Eq)]
pub struct Ids {
    /// The user.
    pub uid: Uid,
    /// The group.
    pub gid: Gid,
    /// The supplementary groups.
    pub groups: Vec<Gid>,
}

// ANCHOR: resolve
/// Finds out who `user` is: empty, `name`, `uid`, `name:group`, `uid:gid` and so on, and which groups are `added`. The
/// files are those below `root`.
///
/// # Errors
/// A name that is in no file, a number above 2147483647.
pub fn resolve(user: &str, added: &[String], root: &Contained) -> Result<Ids> {
    let (name, group) = match user.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (user, None),
    };
    let passwd = lines(root, "/etc/passwd");
    let groups = lines(root, "/etc/group");

    let told = number(if name.is_empty() { "0" } else { name })?;
    let entry = passwd.iter().find(|fields| match told {
        Some(uid) => field(fields, 2) == Some(uid),
        None => fields.first().is_some_and(|found| found == name),
    });
    let uid = told.or_else(|| field(entry?, 2));
    let Some(uid) = uid else {
        bail!("unable to find user {}: no matching entries in passwd file", name.escape_debug());
    };
    let login = entry.and_then(|fields| fields.first());
    let gid = match group {
        Some(group) if !group.is_empty() => group_id(group, &groups)?,
        // One that is out of range is refused as it would be in `User`; without one it is 0, as in Docker.
        _ => entry.and_then(|fields| fields.get(3)).map_or(Ok(None), |text| number(text))?.unwrap_or(0),
    };
    // With a group of one's own choice there are no others, as in Docker.
    let is_member = |fields: &&Vec<String>| {
        group.is_none()
            && login
                .is_some_and(|login| fields.get(3).is_some_and(|all| all.split(',').any(|one| one == login)))
    };
    let more = groups.iter().filter(is_member).filter_map(|fields| field(fields, 2));
    let mut all: Vec<_> = std::iter::once(gid).chain(more).collect();
    for group in added {
        all.push(group_id(group, &groups)?);
    }
    let groups = all.into_iter().map(Gid::from_raw).collect();
    Ok(Ids { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), groups })
}
// ANCHOR_END: resolve

fn group_id(group: &str, groups: &[Vec<String>]) -> Result<u32> {
    if let Some(gid) = number(group)? {
        return Ok(gid);
    }
    let entry = groups.iter().find(|fields| fields.first().is_some_and(|found| found == group));
    match entry.and_then(|fields| field(fields, 2)) {
        Some(gid) => Ok(gid),
        None => bail!("unable to find group {}: no matching entries in group file", group.escape_debug()),
    }
}

/// The number that `text` is, if it is one. Above 2^31 - 1 ids wrap in too many programs
/// (CVE-2024-40635): refused, like a sign.
fn number(text: &str) -> Result<Option<u32>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= i32::MAX as u32 && digits == text => Ok(Some(id)),
        _ => bail!("uids and gids must be in range 0-2147483647, and {text} is not"),
    }
}

fn field(fields: &[String], index: usize) -> Option<u32> {
    fields.get(index)?.parse().ok().filter(|id| *id <= i32::MAX as u32)
}

/// The lines of a file with colons between the fields. What is no plain file counts as empty, and
/// is not even opened: a pipe could wait for ever, a device do something.
fn lines(root: &Contained, path: &str) -> Vec<Vec<String>> {
    let mut bytes = Vec::new();
    if let Ok(found) = root.open(Path::new(path), OFlags::PATH)
        && fstat(&found).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile)
        // Who shares another container's /proc is not in it: no /proc/self/fd leads back to the file. What has its name
        // by now must be the very same.
        && let Ok(file) = root.open(Path::new(path), OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
        && is_same(&found, &file)
    {
        let _ = File::from(file).take(LARGEST).read_to_end(&mut bytes);
    }
    if bytes.len() as u64 == LARGEST {
        // The last line may be cut, and so may a number in it.
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0));
    }
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
}

fn is_same(one: &OwnedFd, other: &OwnedFd) -> bool {
    let number = |file| fstat(file).map(|found| (found.st_dev, found.st_ino));
    matches!((number(one), number(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(user: &str) -> Result<(u32, u32, Vec<u32>)> {
        let root = tempfile::tempdir()?;
        std::fs::create_dir(root.path().join("etc"))?;
        let passwd = "root:x:0:0::/root:/bin/sh\nada:x:1000:100::/home/ada:/bin/sh\n7:x:1001:1::/:/bin/sh\n\
                      big:x:1002:4294967296::/:/bin/sh\nless:x:1003\n";
        std::fs::write(root.path().join("etc/passwd"), passwd)?;
        std::fs::write(root.path().join("etc/group"), "root:x:0:\nusers:x:100:\naudio:x:29:bob,ada\n")?;
        let root = Contained::new(File::open(root.path())?.into());
        let Ids { uid, gid, groups } = resolve(user, &[], &root)?;
        Ok((uid.as_raw(), gid.as_raw(), groups.into_iter().map(Gid::as_raw).collect()))
    }

    #[test]
    fn names_and_numbers_are_found() {
        assert_eq!(ids("").unwrap(), (0, 0, vec![0]));
        assert_eq!(ids("ada").unwrap(), (1000, 100, vec![100, 29]));
        assert_eq!(ids("1000").unwrap(), (1000, 100, vec![100, 29]));
        assert_eq!(ids("ada:audio").unwrap(), (1000, 29, vec![29]));
        assert_eq!(ids("5:6").unwrap(), (5, 6, vec![6]));
    }

    #[test]
    fn l29_digits_are_never_a_name() {
        assert_eq!(ids("7").unwrap(), (7, 0, vec![0]));
    }

    #[test]
    fn l29_what_is_out_of_range_is_never_root() {
        for user in
            ["4294967296", "-1", "2147483648:0", "+0", "1x", "nobody", "0:-1", "0:nobody", "big", "1002"]
        {
            assert!(ids(user).is_err(), "{user}");
        }
        assert_eq!((ids("big:5").unwrap().1, ids("less").unwrap()), (5, (1003, 0, vec![0])));
    }
}
