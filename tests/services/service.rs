//! One service that runs, and what every service must do.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{Background, NotApplicable, Role, command, not_applicable, not_run, program, wait_until};

use crate::kit::{Boat, LIMIT, Ran, have};
use crate::registry;

/// What a database needs for its first start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A state directory into which the image was pulled. Nothing where that cannot be; it is said.
pub fn boat(service: &str, clients: &[(&str, &str)]) -> Option<Boat> {
    if std::env::var("CORACLE_LEVEL").is_ok_and(|level| level == "quick") {
        not_run("real services are tried at the levels ci and all: tests/run ci");
        return None;
    }
    if Role::here() == Role::RootInUserNamespace {
        // Each has a user of its own.
        not_applicable(NotApplicable::NoSecondId);
        return None;
    }
    if !have(clients) || Role::here() == Role::User && !have(&[("pasta", "passt")]) {
        return None;
    }
    // In memory: to write so much to the disk and to remove it takes a minute on a busy machine.
    let mut boat = Boat::empty();
    boat.image = registry::image(service)?;
    let pull = boat.coracle(&format!("pull --quiet {}", boat.image));
    assert_eq!(pull.code, 0, "{pull:?}");
    Some(boat)
}

pub struct Service<'a> {
    boat: &'a Boat,
    name: &'static str,
    /// `logs --follow`, and the file that it writes.
    follower: Background,
    followed: PathBuf,
}

impl<'a> Service<'a> {
    /// `run -d`, and somebody who follows the log from the beginning.
    pub fn start(boat: &'a Boat, name: &'static str, options: &str) -> Self {
        let ran = boat.coracle(&format!("run -d --name {name} {options} {}", boat.image));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.out.trim_end().len(), 64, "its id is printed, and nothing else: {ran:?}");
        let followed = boat.path("followed");
        let follower = follow(boat, name, &followed);
        Self { boat, name, follower, followed }
    }

    /// The port of the host that leads to the only one that is published.
    pub fn port(&self) -> u16 {
        let ports = self.boat.coracle(&format!("port {}", self.name)).ok();
        let port = ports.lines().next().and_then(|line| line.rsplit_once(':')?.1.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {ports:?}; it said {:?}", self.logs()))
    }

    /// Somebody outside, on the host.
    pub fn client(&self, words: &[&str]) -> Ran {
        Ran::of(command(program(words[0]).unwrap()).args(&words[1..]).stdin(Stdio::null()))
    }

    /// Waits until the client is told this.
    #[track_caller]
    pub fn answers(&self, client: impl Fn(&Self) -> Ran, wanted: &str) {
        let start = Instant::now();
        loop {
            let ran = client(self);
            if ran.code == 0 && ran.out.trim_end() == wanted {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "not {wanted:?}: {ran:?}; it said {:?}", self.logs());
            sleep(Duration::from_millis(100));
        }
    }

    fn logs(&self) -> Ran {
        self.boat.coracle(&format!("logs {}", self.name))
    }

    /// What it says is in its log, and reaches whoever follows.
    #[track_caller]
    pub fn has_logged(&self, text: &str) {
        wait_until(text, PATIENCE, || fs::read_to_string(&self.followed).unwrap().contains(text));
        let logs = self.logs();
        assert!(logs.code == 0 && (logs.out.contains(text) || logs.err.contains(text)), "{text}: {logs:?}");
    }

    /// A command inside, and what it printed.
    #[track_caller]
    pub fn exec(&self, words: &[&str]) -> String {
        Ran::of(&mut self.boat.command([&["exec", self.name], words].concat())).ok()
    }

    /// Its own signal is enough: it ends by itself, with success, and whoever follows is told.
    #[track_caller]
    pub fn stop(&mut self) {
        assert!(self.boat.coracle("ps").ok().contains(self.name));
        let start = Instant::now();
        assert_eq!(self.boat.coracle(&format!("stop {}", self.name)).ok(), self.name);
        assert!(start.elapsed() < Duration::from_secs(10), "it was killed: {:?}", start.elapsed());
        let format = "{{.State.Status}} {{.State.ExitCode}}";
        let state = Ran::of(&mut self.boat.command(["inspect", "--format", format, self.name])).ok();
        assert_eq!(state, "exited 0", "{:?}", self.logs());
        assert!(self.boat.coracle("ps --all").ok().contains("Exited (0)"));
        wait_until("whoever follows is told of the end", LIMIT, || {
            self.follower.child().try_wait().unwrap().is_some_and(|status| status.success())
        });
    }

    /// The same container once more.
    #[track_caller]
    pub fn restart(&mut self) {
        let ran = self.boat.coracle(&format!("start {}", self.name));
        // Which port was chosen is said beside it.
        assert_eq!((ran.code, ran.out.trim_end()), (0, self.name), "{ran:?}");
        self.follower = follow(self.boat, self.name, &self.followed);
    }

    #[track_caller]
    pub fn remove(self) {
        assert_eq!(self.boat.coracle(&format!("rm {}", self.name)).ok(), self.name);
    }
}

impl Drop for Service<'_> {
    /// What is detached would outlive a test that failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.boat.coracle(&format!("rm --force {}", self.name));
        }
    }
}

fn follow(boat: &Boat, name: &str, into: &Path) -> Background {
    let file = File::create(into).unwrap();
    let mut logs = boat.command(["logs", "--follow", name]);
    logs.stdout(file.try_clone().unwrap()).stderr(file);
    Background::spawn(&mut logs).unwrap()
}
