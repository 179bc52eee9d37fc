//! The isolations of this step, and those that the steps before made by hand, filed under
//! their parts.

use anyhow::Result;
use clap::Args;
use step01_unshare::Namespaces;
use step02_uts::Uts;

use crate::{Container, Isolation, Time};

// ANCHOR: uts
/// What step 02 did by hand: its first line is now `namespaces`, its second `in_container`.
impl Isolation for Uts {
    fn namespaces(&self) -> Namespaces {
        step02_uts::namespaces()
    }

    fn in_container(&self) -> Result<()> {
        self.set_names()
    }
}
// ANCHOR_END: uts

// ANCHOR: pids
/// A process tree of its own (`man 7 pid_namespaces`).
#[derive(Debug, Clone, Default)]
pub struct Pids;

impl Isolation for Pids {
    fn namespaces(&self) -> Namespaces {
        Namespaces::PID
    }
}
// ANCHOR_END: pids

// ANCHOR: args
/// The options of this step.
#[derive(Debug, Clone, Default, Args)]
pub struct PidArgs {
    /// Keep a small init as process 1, which reaps orphans and forwards signals
    #[arg(long)]
    pub init: bool,
    /// Let the machine seem to be up for so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub uptime: Option<u64>,
}

impl PidArgs {
    /// Adds the walls of this step.
    #[must_use]
    pub fn add_to(&self, container: Container) -> Container {
        let container = container.with(Pids);
        match self.uptime {
            Some(uptime) => container.with(Time { uptime }),
            None => container,
        }
    }

    /// The last thing that the container does with this command.
    pub fn last(&self, command: std::process::Command) -> crate::Last {
        if self.init { crate::Last::Init(command) } else { crate::Last::Exec(command) }
    }
}
// ANCHOR_END: args
