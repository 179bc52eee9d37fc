//! Tests that cannot run say so.
//!
//! Rust's test harness knows no skip at run time: a test that returns early counts as passed. So a
//! test tells `tests/run` by a line in the file that the environment variable `CORACLE_NOT_RUN`
//! names, and `tests/run` counts it as skipped. Under plain `cargo test` the line stands on the
//! terminal.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::{env, thread};

use nix::fcntl::{Flock, FlockArg};

use crate::Role;

/// Says that this test cannot run on this machine, and why: what is missing, and how to get it.
/// The test returns right after it. With `tests/run --strict`, as in CI, it is a failure.
pub fn not_run(why: &str) {
    say("NOT RUN", why);
}

/// Says that this test means nothing for who we are. Only the reasons of a fixed list count, so
/// that nothing hides here which could have run.
///
/// # Panics
/// If the reason does not hold for [`Role::here`].
pub fn not_applicable(why: NotApplicable) {
    let role = Role::here();
    assert!(why.holds_for(role), "{why:?} is no reason for {role:?}: use not_run, or run the test");
    say("NOT APPLICABLE", why.text());
}

/// The only reasons for which a test means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotApplicable {
    /// The test is about what root of the host may do.
    NeedsRoot,
    /// The test is about what an ordinary user gets, with subordinate ids.
    NeedsUser,
    /// Only root of the host has a bridge in the host's network.
    NoBridge,
    /// In a user namespace with one id nothing can be given to another owner.
    NoChown,
    /// In a user namespace with one id there is no second user or group.
    NoSecondId,
}

impl NotApplicable {
    fn text(self) -> &'static str {
        match self {
            Self::NeedsRoot => "it is about root of the host",
            Self::NeedsUser => "it is about an ordinary user",
            Self::NoBridge => "only root of the host may make a bridge",
            Self::NoChown => "with one id nothing can change its owner",
            Self::NoSecondId => "there is one id only",
        }
    }

    fn holds_for(self, role: Role) -> bool {
        match self {
            Self::NeedsRoot | Self::NoBridge => role != Role::Root,
            Self::NeedsUser => role != Role::User,
            Self::NoChown | Self::NoSecondId => role == Role::RootInUserNamespace,
        }
    }
}

fn say(verdict: &str, why: &str) {
    let line = format!("{verdict}: {}: {}\n", test_name(), why.replace('\n', " "));
    // Written past the harness, which keeps what `eprintln!` prints of a test that passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os("CORACLE_NOT_RUN") {
        append(&path, &line).unwrap_or_else(|error| panic!("cannot append to {path:?}: {error}"));
    }
}

fn append(path: &std::ffi::OsStr, line: &str) -> std::io::Result<()> {
    let file: File = OpenOptions::new().append(true).create(true).open(path)?;
    // Tests of one process and of several write at the same time.
    let mut file =
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| std::io::Error::from(errno))?;
    file.write_all(line.as_bytes())
}

/// The name as `file::test`: the harness names the thread after the test.
fn test_name() -> String {
    let test = thread::current().name().unwrap_or("?").to_owned();
    let program = env::current_exe().ok();
    let file = program.as_deref().and_then(|path| path.file_stem()?.to_str());
    match file {
        // Cargo appends a hash to the name of a test program.
        Some(file) => format!("{}::{test}", file.rsplit_once('-').map_or(file, |(name, _)| name)),
        None => test,
    }
}
