//! Ids and names.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result, bail};

const MOODS: [&str; 20] = [
    "brave", "calm", "clever", "drifting", "eager", "gentle", "happy", "keen", "lucky", "merry", "nimble",
    "patient", "quiet", "round", "silent", "sleepy", "steady", "sunny", "swift", "tarred",
];
/// Rivers on which coracles are or were paddled.
const RIVERS: [&str; 20] = [
    "banwy",
    "boyne",
    "conwy",
    "dee",
    "dwyryd",
    "ganges",
    "kaveri",
    "loughor",
    "monnow",
    "severn",
    "spey",
    "taf",
    "teifi",
    "teme",
    "tigris",
    "tungabhadra",
    "tywi",
    "usk",
    "vyrnwy",
    "wye",
];

/// A new id: 64 hexadecimal digits from the kernel's random numbers.
///
/// # Errors
/// /dev/urandom cannot be read.
pub fn new_id() -> Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A name for who gives none: a mood and a river, chosen by the id, and a part of the id.
pub fn new_name(id: &str) -> String {
    let number = |at: usize| usize::from_str_radix(&id[at..at + 4], 16).unwrap_or(0);
    format!("{}_{}_{}", MOODS[number(0) % MOODS.len()], RIVERS[number(4) % RIVERS.len()], &id[8..12])
}

/// Docker's grammar: at least two characters, the first a letter or a digit.
///
/// # Errors
/// In Docker's words.
pub fn check_name(name: &str) -> Result<()> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if !first || !rest || name.len() < 2 {
        bail!("Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name.escape_debug());
    }
    Ok(())
}
