//! What a container is built from, each time that it is started.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use anyhow::{Context, Result};

use crate::manifest::Image;

/// The words of `run`, in the container's directory.
pub(super) const WORDS: &str = "words";

// ANCHOR: recipe
/// The words of `run`, and the image as it was then: a tag may lead elsewhere by now.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// As they can be read again.
    pub words: Vec<OsString>,
    /// With its settings.
    pub image: Image,
}

impl Recipe {
    /// Writes both into the container's directory: the last act of making it, and the words are whole
    /// or not there. They may have any bytes but NUL in them, and are written as /proc/PID/cmdline
    /// shows them.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let words = self.words.join(OsStr::new("\0"));
        fs::write(directory.join("image.json"), serde_json::to_vec(&self.image)?)
            .and_then(|()| fs::write(directory.join("words.new"), words.as_bytes()))
            .and_then(|()| fs::rename(directory.join("words.new"), directory.join(WORDS)))
            .with_context(|| format!("cannot write into {}", directory.display()))
    }

    /// Reads both.
    ///
    /// # Errors
    /// They are not there, or make no sense.
    pub fn read(directory: &Path) -> Result<Self> {
        let words = fs::read(directory.join(WORDS)).context("cannot read the words of run")?;
        let words = words.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect();
        let image = fs::read(directory.join("image.json")).context("cannot read image.json")?;
        Ok(Self { words, image: serde_json::from_slice(&image).context("cannot understand image.json")? })
    }
}
// ANCHOR_END: recipe
