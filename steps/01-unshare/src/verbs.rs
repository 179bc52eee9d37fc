//! The four verbs of the command line, and what each does.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;
use nix::unistd::Pid;
use step01_unshare::observe::{Inodes, observe, observe_self};
use step01_unshare::{
    MapRootArgs, NamespaceArgs, Namespaces, all_kinds, answer, join_as_root, lsns, run, tell,
};

// ANCHOR: unshare
#[derive(Args)]
pub struct Unshare {
    #[command(flatten)]
    namespaces: NamespaceArgs,
    #[command(flatten)]
    root: MapRootArgs,
    /// Run the command as a child: a new pid or time namespace takes only children
    #[arg(short, long)]
    fork: bool,
    /// Show first which namespaces are new
    #[arg(long)]
    observe: bool,
    #[command(flatten)]
    command: Words,
}

impl Unshare {
    pub fn run(self) -> Result<u8> {
        let outside = self.observe.then(Inodes::here).transpose()?;
        self.root.unshare(self.namespaces.namespaces())?;
        if let Some(outside) = outside {
            tell(outside.beside_now()?);
        }
        run(&mut self.command.command(), self.fork)
    }
}
// ANCHOR_END: unshare

// ANCHOR: lsns
#[derive(Args)]
pub struct Lsns {
    /// Only this kind of namespace
    #[arg(short = 't', long = "type", value_parser = ["user", "mnt", "uts", "ipc", "net", "pid", "cgroup", "time"])]
    kind: Option<String>,
    /// Print JSON
    #[arg(short = 'J', long)]
    json: bool,
}

impl Lsns {
    pub fn run(self) -> Result<u8> {
        let namespaces = lsns::list(self.kind.as_deref())?;
        answer(if self.json { lsns::json(&namespaces) } else { lsns::table(&namespaces) })?;
        Ok(0)
    }
}
// ANCHOR_END: lsns

// ANCHOR: nsenter
#[derive(Args)]
pub struct Nsenter {
    /// The process whose namespaces to enter
    #[arg(short, long, value_name = "PID")]
    target: i32,
    /// Enter all of its namespaces
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    namespaces: NamespaceArgs,
    #[command(flatten)]
    command: Words,
}

impl Nsenter {
    pub fn run(self) -> Result<u8> {
        let wanted = match self.all {
            true => all_kinds().map(|kind| kind.flag).collect(),
            false => self.namespaces.namespaces(),
        };
        if wanted.is_empty() {
            bail!("no namespace is named\nname some, such as --uts, or take --all");
        }
        join_as_root(Pid::from_raw(self.target), wanted)?;
        // As with unshare: a pid namespace takes only children.
        run(&mut self.command.command(), wanted.contains(Namespaces::PID))
    }
}
// ANCHOR_END: nsenter

// ANCHOR: observe
#[derive(Args)]
pub struct Observe {
    /// The process; without one, this one beside its parent
    pid: Option<i32>,
}

impl Observe {
    pub fn run(self) -> Result<u8> {
        let table = match self.pid {
            Some(pid) => observe(Pid::from_raw(pid)),
            None => observe_self(),
        };
        answer(table?)?;
        Ok(0)
    }
}
// ANCHOR_END: observe

// ANCHOR: words
#[derive(Args)]
struct Words {
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    words: Vec<OsString>,
}

impl Words {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        command
    }
}
// ANCHOR_END: words
