//! How the tests start `coracle`, and what they judge it by.

mod background;
mod image;
mod registry;
mod screen;
mod slow;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use support::{command, not_run, program};
use tempfile::TempDir;

pub use background::{Started, first_process};
pub use image::{Image, Layer, digest};
pub use registry::{push, push_as};
pub use screen::Screen;
pub use slow::{Slow, noise};

/// What takes longer has failed.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A state directory of one's own, and what it needs around it. Dropped, all of it can be removed by `coracle`
/// itself, and is.
pub struct Boat {
    folder: TempDir,
    /// The name of the image that `sh` runs: `127.0.0.1:PORT/box:1`.
    pub image: String,
}

impl Boat {
    /// With the usual image, which is in the registry and not pulled yet. Nothing where that cannot be; it is said.
    pub fn new() -> Option<Self> {
        Self::with(&Image::usual()?)
    }

    /// With an image of one's own.
    pub fn with(image: &Image) -> Option<Self> {
        let image = push(image)?;
        Some(Self { folder: tempfile::tempdir_in(place()).unwrap(), image })
    }

    /// The same, and its state is on the disk, as most people's is.
    pub fn on_disk(image: &Image) -> Option<Self> {
        let image = push(image)?;
        Some(Self { folder: tempfile::tempdir().unwrap(), image })
    }

    /// Without any image.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir_in(place()).unwrap(), image: String::new() }
    }

    /// With an image that another tool has put into the store: it is whole, and was never unpacked. No registry is
    /// needed, which saves the time of many small images.
    pub fn holding(image: &Image) -> Self {
        let boat = Self { folder: tempfile::tempdir_in(place()).unwrap(), image: "box:1".to_owned() };
        image.write(&boat.root(), "docker.io/library/box:1");
        boat
    }

    /// A place of this test's own, beside the state directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The state directory.
    pub fn root(&self) -> PathBuf {
        self.path("state")
    }

    /// `coracle WORDS` as a user types it.
    pub fn command<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Command {
        let mut coracle = command(env!("CARGO_BIN_EXE_coracle"));
        coracle.arg("--root").arg(self.root()).args(words).stdin(Stdio::null());
        coracle.env("HOME", self.folder.path()).env_remove("XDG_DATA_HOME");
        coracle
    }

    /// The same, its words in one text.
    pub fn coracle(&self, words: &str) -> Ran {
        Ran::of(&mut self.command(words.split_whitespace()))
    }

    /// `coracle run OPTIONS IMAGE COMMAND`. Without a network, which costs time and is tested elsewhere.
    pub fn run_command(&self, options: &str, inside: &[&str]) -> Command {
        let mut words = vec!["run", "--quiet", "--network=none"];
        words.extend(options.split_whitespace());
        words.push(&self.image);
        words.extend(inside);
        self.command(words)
    }

    pub fn run(&self, options: &str, inside: &[&str]) -> Ran {
        Ran::of(&mut self.run_command(options, inside))
    }

    /// A line for the shell inside, in a container that is removed afterwards.
    pub fn sh(&self, options: &str, line: &str) -> Ran {
        self.run(&format!("--rm {options}"), &["sh", "-c", line])
    }

    /// The same, with one option whose value may have blanks in it.
    pub fn run_with(&self, option: &str, value: &str, line: &str) -> Ran {
        let words = ["run", "--rm", "--network=none", option, value, &self.image, "sh", "-c", line];
        Ran::of(&mut self.command(words))
    }

    /// The shell inside runs on, and the test beside it.
    #[track_caller]
    pub fn start(&self, options: &str, line: &str) -> Started {
        Started::of(&mut self.run_command(options, &["sh", "-c", &format!("echo started; {line}")]))
    }

    /// No container is known, and nothing half-made is there.
    #[track_caller]
    pub fn assert_no_container(&self) {
        assert_eq!(self.coracle("ps --all --quiet").ok(), "");
        for folder in ["containers", "tmp"] {
            assert_eq!(names(&self.root().join(folder)), Vec::<String>::new(), "in {folder}");
        }
    }
}

impl Drop for Boat {
    fn drop(&mut self) {
        if !self.root().exists() {
            return;
        }
        if std::thread::panicking() {
            // What runs in the background would do so for ever.
            let ids = self.coracle("ps --quiet").out.replace('\n', " ");
            self.coracle(&format!("rm --force {ids}"));
            return;
        }
        // What belongs to other ids of a user only `coracle` can remove.
        for (list, remove) in [
            ("ps --all --quiet", "rm --force"),
            ("images --quiet", "rmi --force"),
            ("volume ls --quiet", "volume rm"),
        ] {
            let ids = self.coracle(list).ok();
            // An image with two tags is listed twice.
            let ids: BTreeSet<&str> = ids.lines().collect();
            if !ids.is_empty() {
                self.coracle(&format!("{remove} {}", Vec::from_iter(ids).join(" "))).ok();
            }
        }
        fs::remove_dir_all(self.root()).expect("something is left that only root could remove");
    }
}

/// Memory, if it can hold what layers have: each pull waits until all is on the disk, with what others write there.
fn place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let takes_attributes = || -> Option<()> {
        let file = tempfile::tempfile_in(&memory).ok()?;
        rustix::fs::fsetxattr(file, "user.test", b"x", rustix::fs::XattrFlags::empty()).ok()
    };
    takes_attributes().map_or_else(std::env::temp_dir, |()| memory)
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")).into()
    }

    /// What it printed, if it succeeded and said nothing else.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!((self.code, &*self.err), (0, ""), "{self:?}");
        self.out.trim_end().to_owned()
    }

    /// It failed with this code, and this text is in its one message.
    #[track_caller]
    pub fn failed(self, code: i32, text: &str) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(text), "no {text:?} in {self:?}");
        assert!(self.err.lines().count() <= 2, "more than one line and one more for the way out: {self:?}");
        assert!(!self.err.chars().any(|c| c.is_control() && c != '\n'), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        self.err
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let signal = || 128 + output.status.signal().unwrap_or(0);
        let code = output.status.code().unwrap_or_else(signal);
        Self { code, out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
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

/// Runs another program, which must succeed, and returns what it printed.
#[track_caller]
pub fn tool(words: &[&str]) -> String {
    let path = program(words[0]).unwrap_or_else(|| panic!("{} is missing", words[0]));
    let ran: Ran = command(path).args(&words[1..]).stdin(Stdio::null()).output().unwrap().into();
    assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
    ran.out
}
