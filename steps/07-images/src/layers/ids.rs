//! User and group ids: which of them this process can give away.
//!
//! In a user namespace only the ids of its map exist (user_namespaces(7)). An id outside of it is an error, never
//! somebody else: not the overflow id, and least of all 0.

use std::fs;

use anyhow::{Context, Result, bail};
use nix::unistd::{Uid, User};

/// The ids that exist here.
pub struct Ids {
    users: Vec<Range>,
    groups: Vec<Range>,
}

/// One line of a map.
#[derive(Clone, Copy)]
struct Range {
    inside: u32,
    outside: u32,
    count: u32,
}

impl Ids {
    /// Reads the maps of this process' user namespace.
    pub fn of_this_process() -> Result<Self> {
        Ok(Self { users: map("/proc/self/uid_map")?, groups: map("/proc/self/gid_map")? })
    }

    /// # Errors
    /// Names the id that does not exist here, and the way out.
    pub fn check(&self, uid: u32, gid: u32) -> Result<()> {
        for (what, id, ranges) in [("user", uid, &self.users), ("group", gid, &self.groups)] {
            if !ranges
                .iter()
                .any(|range| id.checked_sub(range.inside).is_some_and(|offset| offset < range.count))
            {
                let mapped: u64 = ranges.iter().map(|range| u64::from(range.count)).sum();
                let plural = if mapped == 1 { "id is" } else { "ids are" };
                bail!(
                    "it belongs to {what} {id}, and only {mapped} {plural} mapped here\n{}",
                    self.way_out(id)
                );
            }
        }
        Ok(())
    }

    /// The line that gives the user who started us enough subordinate ids (subuid(5)).
    fn way_out(&self, id: u32) -> String {
        let user = self.users.iter().find(|range| range.inside == 0).map_or(0, |range| range.outside);
        let name = match User::from_uid(Uid::from_raw(user)) {
            Ok(Some(user)) => user.name,
            _ => "USER".into(),
        };
        let first = ["/etc/subuid", "/etc/subgid"].into_iter().map(first_free).max().unwrap_or(100_000);
        let last = first + u64::from(id).max(65_535);
        if last >= u64::from(u32::MAX) {
            return "no range of subordinate ids is as large as that: use an image with smaller ids".into();
        }
        format!(
            "add subordinate ids: usermod --add-subuids {first}-{last} --add-subgids {first}-{last} {name}"
        )
    }
}

/// An id of an archive's header.
///
/// # Errors
/// For what is no id: negative, above 32 bits, or -1, which chown(2) takes for "leave it as it is".
pub fn id(what: &str, number: i64) -> Result<u32> {
    match u32::try_from(number) {
        Ok(id) if id != u32::MAX => Ok(id),
        _ => bail!("it belongs to {what} {number}, which is no id"),
    }
}

fn map(path: &str) -> Result<Vec<Range>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
        Some(Range { inside: numbers.next()??, outside: numbers.next()??, count: numbers.next()?? })
    };
    text.lines().map(line).collect::<Option<_>>().with_context(|| format!("cannot understand {path}"))
}

/// The first id behind all ranges of a file of subordinate ids.
fn first_free(path: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let end = |line: &str| {
        let mut fields = line.split(':').skip(1).map(|field| field.trim().parse::<u64>().ok());
        fields.next()??.checked_add(fields.next()??)
    };
    text.lines().filter_map(end).max().unwrap_or(0).max(100_000)
}
