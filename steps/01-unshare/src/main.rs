//! Step 01: `step01 unshare | lsns | nsenter | observe`.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Parser;
use nix::unistd::Pid;
use step01_unshare::observe::{Inodes, observe, observe_self};
use step01_unshare::{
    MapRootArgs, NamespaceArgs, Namespaces, all_kinds, exit_code, join_as_root, lsns, message, parse, run,
};

/// Leave the host's namespaces, look at them, enter those of others
#[derive(Parser)]
#[command(version)]
enum Cli {
    /// Run a command in new namespaces
    Unshare(Unshare),
    /// List all namespaces and who lives in them
    Lsns(Lsns),
    /// Run a command in the namespaces of a process
    Nsenter(Nsenter),
    /// Show which namespaces a process shares with us, and what the others change
    Observe {
        /// The process; without one, this one beside its parent
        pid: Option<i32>,
    },
}

#[derive(clap::Args)]
struct Unshare {
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

#[derive(clap::Args)]
struct Lsns {
    /// Only this kind of namespace
    #[arg(short = 't', long = "type", value_parser = ["user", "mnt", "uts", "ipc", "net", "pid", "cgroup", "time"])]
    kind: Option<String>,
    /// Print JSON
    #[arg(short = 'J', long)]
    json: bool,
}

#[derive(clap::Args)]
struct Nsenter {
    /// The process whose namespaces to enter
    #[arg(short, long)]
    target: i32,
    /// Enter all of its namespaces
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    namespaces: NamespaceArgs,
    #[command(flatten)]
    command: Words,
}

#[derive(clap::Args)]
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

fn main() -> ExitCode {
    match parse().and_then(main_or_error) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("step01: {}", message(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn main_or_error(cli: Cli) -> Result<u8> {
    match cli {
        Cli::Unshare(asked) => {
            let outside = asked.observe.then(Inodes::here).transpose()?;
            asked.root.unshare(asked.namespaces.namespaces())?;
            if let Some(outside) = outside {
                eprint!("{}", outside.beside_now()?);
            }
            run(&mut asked.command.command(), asked.fork)
        }
        Cli::Lsns(asked) => {
            let namespaces = lsns::list(asked.kind.as_deref())?;
            match asked.json {
                true => println!("{:#}", lsns::json(&namespaces)),
                false => print!("{}", lsns::table(&namespaces)),
            }
            Ok(0)
        }
        Cli::Nsenter(asked) => {
            let wanted = match asked.all {
                true => all_kinds().map(|kind| kind.flag).collect(),
                false => asked.namespaces.namespaces(),
            };
            if wanted.is_empty() {
                bail!("no namespace is named\nname some, such as --uts, or take --all");
            }
            join_as_root(Pid::from_raw(asked.target), wanted)?;
            // As with unshare: a pid namespace takes only children.
            run(&mut asked.command.command(), wanted.contains(Namespaces::PID))
        }
        Cli::Observe { pid } => {
            print!("{}", pid.map_or_else(observe_self, |pid| observe(Pid::from_raw(pid)))?);
            Ok(0)
        }
    }
}
