//! `pause`, `unpause`, `stats` and `update`: what needs a control group, said instead of done.

use std::ffi::OsString;

use anyhow::{Result, bail};
use clap::Args;

/// Whatever was said.
#[derive(Debug, Args)]
pub struct NeedsControlGroup {
    /// Containers, and Docker's options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl NeedsControlGroup {
    pub(super) fn refuse(&self, verb: &str) -> Result<u8> {
        bail!("{verb} is not there yet: it needs control groups, which come with step 08")
    }
}
