//! What a container is: an organised collection of namespaces.

use std::fmt::Debug;
use std::process::Command;

use anyhow::Result;
use nix::unistd::Pid;
use step01_unshare::Namespaces;

use crate::Created;

// ANCHOR: isolation
/// One wall of a container, made of up to three parts.
pub trait Isolation: Debug {
    /// The container is born in new namespaces of these kinds.
    fn namespaces(&self) -> Namespaces {
        Namespaces::empty()
    }

    /// What only the host can do, while the container waits. The host's signals are blocked, and
    /// a program that is started here inherits that.
    ///
    /// # Errors
    /// Any error ends the container before it has run anything.
    fn on_host(&mut self, _container: Pid) -> Result<()> {
        Ok(())
    }

    /// What only the container can do, once the host is done.
    ///
    /// # Errors
    /// Any error ends the container; its text reaches the host.
    fn in_container(&self) -> Result<()> {
        Ok(())
    }
}
// ANCHOR_END: isolation

// ANCHOR: last
/// The last thing that the container's side does.
#[derive(Debug)]
pub enum Last {
    /// Becomes the command, which is process 1 where there is a pid namespace.
    Exec(Command),
    /// Stays as process 1, with the command as its child: reaps orphans, forwards signals.
    Init(Command),
    /// Ends: the isolations were the work.
    Return,
}
// ANCHOR_END: last

// ANCHOR: container
/// A container that is not born yet: walls in the order in which they are built.
#[derive(Debug, Default)]
pub struct Container {
    pub(crate) walls: Walls,
    pub(crate) process: Vec<Box<dyn Isolation>>,
    pub(crate) beside: Option<Pid>,
}

impl Container {
    /// A container without any wall: a plain child process.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a wall. Walls are built in the order in which they were added.
    #[must_use]
    pub fn with(mut self, wall: impl Isolation + 'static) -> Self {
        self.walls.0.push(Box::new(wall));
        self
    }

    /// Adds what belongs to the one process and not to the walls around it: its user, its
    /// limits. The host's part comes after those of all walls, the container's just before the
    /// command runs.
    #[must_use]
    pub fn with_process(mut self, isolation: impl Isolation + 'static) -> Self {
        self.process.push(Box::new(isolation));
        self
    }

    /// Makes it no container of its own but one more process in the walls of another, whose
    /// process this is.
    #[must_use]
    pub fn beside(mut self, process: Pid) -> Self {
        self.beside = Some(process);
        self
    }

    /// All namespaces that the container is born in.
    pub fn namespaces(&self) -> Namespaces {
        self.walls.0.iter().chain(&self.process).map(|isolation| isolation.namespaces()).collect()
    }

    /// Brings the container to the point where it is complete and has not run anything yet.
    ///
    /// # Errors
    /// An isolation failed, on either side, or the kernel refused the namespaces. Nothing is
    /// left behind.
    pub fn create(self, last: Last) -> Result<Created> {
        crate::engine::create(self, last)
    }
}

/// Creates a container, shows it to `at_ready` when it is complete, starts it, and returns its
/// exit code: the one path from walls to an ended command.
///
/// # Errors
/// Those of [`Container::create`], of `at_ready`, and of the command that cannot be run.
pub fn launch(container: Container, last: Last, at_ready: impl FnOnce(Pid) -> Result<()>) -> Result<u8> {
    let created = container.create(last)?;
    at_ready(created.pid())?;
    created.start()?.wait()
}
// ANCHOR_END: container

// ANCHOR: walls
/// The walls on the host's side: taken down in reverse order.
#[derive(Debug, Default)]
pub(crate) struct Walls(pub(crate) Vec<Box<dyn Isolation>>);

impl Drop for Walls {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}
// ANCHOR_END: walls
