//! Labels: what people note about a container.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use super::environment::lines;
use crate::manifest::Image;

/// Reads one `-l`.
///
/// # Errors
/// It has no name, in Docker's words.
pub fn label(asked: &str) -> Result<String, String> {
    match asked.split('=').next() {
        Some(name) if !name.trim().is_empty() => Ok(asked.to_owned()),
        _ => Err(format!("invalid label '{asked}': empty name")),
    }
}

/// `--label-file` and `-l` as they are at this moment, files first.
///
/// # Errors
/// A file is not there or makes no sense.
pub fn settled(files: &[impl AsRef<Path>], asked: &[String]) -> Result<Vec<OsString>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(lines(file.as_ref(), false)?);
    }
    all.extend(asked.iter().map(OsString::from));
    Ok(all)
}

/// Those of the image, then those that were asked for: the last one of a name counts, and one without a value is empty.
pub fn merged(image: &Image, asked: &[String]) -> BTreeMap<String, String> {
    let mut all = image.settings.labels.clone();
    all.extend(asked.iter().map(|text| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    }));
    all
}
