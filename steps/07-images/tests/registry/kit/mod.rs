//! What the tests of pulling share: images, real registries, and one that does what it is told.

pub mod image;
pub mod real;
pub mod server;
pub mod token;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use step07_images::names::Reference;
use step07_images::pull::{PullOptions, pull};
use step07_images::store::Store;
use step07_images::{manifest::Image, registry};
use support::{Role, not_run, program};
use tempfile::TempDir;

/// Whether the calling test may go on here: unpacking needs root, of a user namespace at least. An ordinary user runs
/// the test once more in one, and this is false; so is it there where that cannot be done.
pub fn as_root() -> bool {
    if Role::here() != Role::User {
        return true;
    }
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let Some(unshare) = program("unshare") else {
        not_run("unshare is missing: apt-get install util-linux");
        return false;
    };
    let tests = std::env::current_exe().unwrap();
    let mut command = Command::new(unshare);
    command.args(["--user", "--map-root-user"]).arg(tests);
    let output = command.args(["--exact", &test, "--nocapture", "--test-threads=2"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}\n{said}");
    for line in said.lines().filter(|line| line.starts_with("NOT ")) {
        eprintln!("{line}");
    }
    false
}

/// Whether all of these programs are here; says which is not.
pub fn have(needed: &[(&str, &str)]) -> bool {
    for (name, package) in needed {
        if program(name).is_none() {
            not_run(&format!("{name} is missing: apt-get install {package}"));
            return false;
        }
    }
    true
}

/// A store of one's own, and how to pull into it.
pub struct Here {
    /// Everything of this test is below.
    pub folder: TempDir,
    pub store: Store,
    pub options: PullOptions,
}

impl Here {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let registry = registry::Options {
            logins: vec![folder.path().join("config.json")],
            certificates: vec![folder.path().join("certs.d")],
            settings: vec![folder.path().join("daemon.json")],
            pause: Duration::from_millis(1),
            stall: Duration::from_secs(2),
            ..registry::Options::default()
        };
        let options = PullOptions { registry, quiet: true, ..PullOptions::default() };
        Self { folder, store, options }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn root(&self) -> &str {
        self.store.root().to_str().unwrap()
    }

    /// Writes Docker's file of logins.
    pub fn log_in(&self, text: &str) {
        fs::write(self.path().join("config.json"), text).unwrap();
    }

    pub fn pull(&self, reference: &str) -> Result<Image, String> {
        let reference: Reference = reference.parse().map_err(|e| format!("{e:#}"))?;
        pull(&self.store, &reference, &self.options).map_err(|e| format!("{e:#}"))
    }

    /// Pulls what must be refused: the error is returned, and is one line; nothing half-made is there, and no name.
    #[track_caller]
    pub fn refused(&self, reference: &str) -> String {
        let error = self.broken_off(reference);
        assert_eq!(self.below("tmp"), Vec::<PathBuf>::new(), "something half-made is left");
        error
    }

    /// Pulls what ends in the middle: as above, but what has come of a blob waits for the next pull.
    #[track_caller]
    pub fn broken_off(&self, reference: &str) -> String {
        let error = self.pull(reference).expect_err("was not refused");
        assert!(!error.chars().any(|c| c.is_control() && c != '\n'), "{error:?}");
        assert!(error.lines().count() <= 2, "{error}");
        assert_eq!(self.store.find(reference).unwrap(), None, "it has a name");
        assert_eq!(self.below("layers"), Vec::<PathBuf>::new(), "a layer can be seen");
        error
    }

    /// What a folder of the store holds.
    pub fn below(&self, name: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.store.root().join(name)).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

/// Runs a program that must succeed, and returns what it printed.
#[track_caller]
pub fn run(words: &[&str]) -> String {
    let path = program(words[0]).unwrap_or_else(|| panic!("{} is missing", words[0]));
    let output = Command::new(path).args(&words[1..]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
