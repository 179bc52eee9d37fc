//! Id maps: which id inside is which id outside (`man 7 user_namespaces`).

use std::fmt;
use std::fs;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use nix::unistd::{Uid, User};

// ANCHOR: range
/// A line of an id map: `length` ids from `inside` on are those from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first id in the new namespace.
    pub inside: u32,
    /// The first id in the namespace of the host's side.
    pub outside: u32,
    /// How many.
    pub length: u32,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.inside, self.outside, self.length)
    }
}

/// How much of an id map is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IdMap {
    /// Only root inside, who is the caller outside: needs no rights and no helper
    One,
    /// A whole range of ids, as /etc/subuid and /etc/subgid allow them
    Range,
}
// ANCHOR_END: range

// ANCHOR: subordinate
/// The first range that `file` (`/etc/subuid` or `/etc/subgid`) gives to this user: first id
/// and length. Its lines read `name:first:length`, or have the number in place of the name
/// (`man 5 subuid`). `None` if there is no line for the user. Ranges that a directory service
/// hands out are not looked for.
///
/// # Errors
/// The file is there and cannot be read, or the user's line makes no sense.
pub fn subordinate(file: &str, user: Uid) -> Result<Option<(u32, u32)>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("cannot read {file}"))?,
    };
    let name = User::from_uid(user).ok().flatten().map(|user| user.name);
    for line in text.lines() {
        let Some((owner, range)) = line.split_once(':') else { continue };
        if Some(owner) != name.as_deref() && owner != user.to_string() {
            continue;
        }
        let parsed =
            range.split_once(':').map(|(first, length)| (first.trim().parse(), length.trim().parse()));
        match parsed {
            Some((Ok(first), Ok(length))) if length > 0 && u32::checked_add(first, length).is_some() => {
                return Ok(Some((first, length)));
            }
            _ => bail!("cannot understand the line `{}` in {file}", line.escape_debug()),
        }
    }
    Ok(None)
}
// ANCHOR_END: subordinate
